"""Finds ICC profiles, and inflates those of PNG within a limit (ICC.1, section 7.2)."""

import zlib

PROFILE_MAX = 4 * 1024**2
"""Bytes; profiles of printing presses have about two megabytes, those of cameras less than one."""
_HEADER = 128
_SIGNATURE = slice(36, 40)


def profile_of(content: bytes) -> bytes:
    """The profile, if this looks like one; empty if not, which means sRGB as in browsers."""
    is_one = _HEADER <= len(content) <= PROFILE_MAX and content[_SIGNATURE] == b"acsp"
    return content if is_one else b""


def inflated_profile(chunk: bytes) -> bytes:
    """The profile of a PNG's `iCCP` chunk: a name, a zero, the method, and deflated data."""
    _, _, rest = chunk.partition(b"\0")
    try:
        return profile_of(zlib.decompressobj().decompress(rest[1:], PROFILE_MAX + 1))
    except zlib.error:
        return b""
