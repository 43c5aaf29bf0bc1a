"""Reads the orientation, and nothing else, from an EXIF block (TIFF 6.0, section 2)."""

import struct

ENTRIES_MAX = 256
_ORIENTATION, _SHORT = 0x0112, 3
_ORDERS = {b"II*\0": "<", b"MM\0*": ">"}


def orientation_of(tiff: bytes) -> int:
    """The EXIF orientation, 1 to 8; 1 (upright) if the block has none."""
    order = _ORDERS.get(tiff[:4])
    if order is None or len(tiff) < 8:
        return 1
    (at,) = struct.unpack_from(f"{order}I", tiff, 4)
    count = int.from_bytes(tiff[at : at + 2], "little" if order == "<" else "big")
    for number in range(min(count, ENTRIES_MAX)):
        entry = tiff[at + 2 + 12 * number : at + 14 + 12 * number]
        if len(entry) < 12:
            return 1
        tag, kind, _, value = struct.unpack(f"{order}HHIH2x", entry)
        if tag == _ORIENTATION:
            return value if kind == _SHORT and 1 <= value <= 8 else 1
    return 1
