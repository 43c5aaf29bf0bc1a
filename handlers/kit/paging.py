"""Pages of lists: cursors, and a limit on the length of a page's text.

A page ends with `next`, the cursor of the following page, which the client sends back as `before`.
A cursor contains the position of the last row, and is signed for its list. So clients can use only
cursors that they got, and the position can change its form.
"""

import base64
import hmac
from collections.abc import Callable, Sequence
from typing import TypeVar

import msgspec

from handlers.kit.errors import Invalid
from handlers.kit.transaction import Transaction

T = TypeVar("T")

PAGE_TEXT = 262_144
"""The maximum number of characters on a page."""
FIRST_ID, LAST_ID = "", "~"
"""Before and after all ids."""
Position = list[str]
SIGNATURE_LENGTH = 32
"""Hexadecimal digits: 128 bits."""


def cursor_of(tx: Transaction, listed: str, *position: str) -> str:
    """The cursor of the page after `position`, in the list named `listed`."""
    packed = base64.urlsafe_b64encode(msgspec.json.encode(position)).decode().rstrip("=")
    return f"{packed}.{_signature(tx, listed, packed)}"


def position_of(
    tx: Transaction, listed: str, cursor: str | None, field: str = "before"
) -> Position | None:
    """The position in a cursor of `cursor_of`, or None without a cursor.

    Raises Invalid for a cursor of another list, and for any other text. `field` is the name of the
    field in the request.
    """
    if cursor is None:
        return None
    packed, _, signature = cursor.partition(".")
    given = signature.encode(errors="surrogatepass")
    if not hmac.compare_digest(_signature(tx, listed, packed).encode(), given):
        raise Invalid(details={"path": f"$.{field}", "expected": "the `next` of an earlier page"})
    return msgspec.json.decode(
        base64.urlsafe_b64decode(packed + "=" * (-len(packed) % 4)), type=Position
    )


def _signature(tx: Transaction, listed: str, packed: str) -> str:
    return tx.keys.fingerprint("cursor", listed, packed)[:SIGNATURE_LENGTH]


def fitting(rows: Sequence[T], text_of: Callable[[T], int], most: int = PAGE_TEXT) -> list[T]:
    """The first `rows` with at most `most` characters together (by `text_of`); at least one row."""
    size = 0
    for count, row in enumerate(rows):
        size += text_of(row)
        if size > most and count:
            return list(rows[:count])
    return list(rows)
