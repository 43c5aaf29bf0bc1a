"""UUIDv7 (RFC 9562): ids that sort by their creation time."""

import os
import threading
from datetime import datetime

BUFFER_BYTES = 4_096

_lock = threading.Lock()
_last = 0
_bytes = b""
_used = 0


def new_id(now: datetime) -> str:
    """A new id for `now`. Ids of one process never go backwards within a clock tick."""
    global _last
    milliseconds = int(now.timestamp() * 1000)
    with _lock:
        random = int.from_bytes(_random_bytes())
        # The 12 bits after the milliseconds are a counter, so that ids of one millisecond stay in
        # order.
        ticks = max(milliseconds << 12 | random >> 70 & 0xFF, _last + 1)
        if (
            ticks >> 12 > milliseconds + 1000
        ):  # the clock went back: do not run ahead of it for ever
            ticks = milliseconds << 12
        _last = ticks
    value = (ticks >> 12) << 80 | 0x7 << 76 | (ticks & 0xFFF) << 64 | 0b10 << 62
    return _as_text(value | random & (1 << 62) - 1)


def id_at(moment: datetime) -> str:
    """The smallest id that could be created at `moment`."""
    return _as_text(int(moment.timestamp() * 1000) << 80)


def _random_bytes() -> bytes:
    """10 fresh random bytes, from a buffer that saves a system call for each id."""
    global _bytes, _used
    if _used + 10 > len(_bytes):
        _bytes, _used = os.urandom(BUFFER_BYTES), 0
    _used += 10
    return _bytes[_used - 10 : _used]


def _as_text(value: int) -> str:
    digits = f"{value:032x}"
    return f"{digits[:8]}-{digits[8:12]}-{digits[12:16]}-{digits[16:20]}-{digits[20:]}"
