"""WebP: chunks of a RIFF file. An extended file has a canvas and may have frames (RFC 9649)."""

from collections.abc import Iterator

from handlers.kit.sandbox import Unreadable
from handlers.platform.uploads.headers.exif import orientation_of
from handlers.platform.uploads.headers.outline import Outline, check, shrunk_pixels

CHUNKS_MAX = 10_000
_HAS_ALPHA, _ANIMATED = 0x10, 0x02
_CANVAS_PIXEL = 16
"""Bytes per pixel: two canvases of the decoder, the copy that Pillow gets, and Pillow's own."""
_INNER_PIXEL = 6
"""Additional bytes per pixel while a lossless frame or an alpha channel is decoded."""


def outline_of(content: bytes) -> Outline:
    """The outline of a WebP; only the first frame of an animation is decoded.

    Raises Unreadable.
    """
    if content[:4] != b"RIFF" or content[8:12] != b"WEBP":
        raise Unreadable("not a WebP")
    kept: list[bytes] = []
    width = height = frames = 0
    orientation = 1
    for kind, body in _chunks(content):
        size = _size_of(kind, body)
        width, height = max(width, size[0]), max(height, size[1])
        frames += kind == b"ANMF"
        if kind == b"EXIF":
            orientation = orientation_of(body.removeprefix(b"Exif\0\0"))
        elif kind == b"VP8X" and len(body) >= 10:
            kept.append(_chunk(kind, bytes([body[0] & (_HAS_ALPHA | _ANIMATED)]) + body[1:10]))
        elif kind in (b"ANIM", b"ALPH", b"VP8 ", b"VP8L") or (kind == b"ANMF" and frames == 1):
            kept.append(_chunk(kind, body))
    chunks = b"WEBP" + b"".join(kept)
    plain = b"VP8L" not in chunks and b"ALPH" not in chunks
    pixel = _CANVAS_PIXEL if plain else _CANVAS_PIXEL + _INNER_PIXEL
    cost = 2 * len(content) + pixel * width * height + 4 * shrunk_pixels(width, height)
    bare = b"RIFF" + len(chunks).to_bytes(4, "little") + chunks
    return check(Outline(width, height, bare, cost, frames=max(1, frames), orientation=orientation))


def _chunks(content: bytes) -> Iterator[tuple[bytes, bytes]]:
    at = 12
    for _ in range(CHUNKS_MAX):
        if at + 8 > len(content):
            return
        kind, length = content[at : at + 4], int.from_bytes(content[at + 4 : at + 8], "little")
        yield kind, content[at + 8 : at + 8 + length]
        at += 8 + length + length % 2
    raise Unreadable("too many chunks")


def _chunk(kind: bytes, body: bytes) -> bytes:
    return kind + len(body).to_bytes(4, "little") + body + b"\0" * (len(body) % 2)


def _size_of(kind: bytes, body: bytes) -> tuple[int, int]:
    """The canvas size that a chunk requires; 0, 0 for a chunk without pixels."""
    if kind == b"VP8X" and len(body) >= 10:
        return _number(body, 4, 3) + 1, _number(body, 7, 3) + 1
    if kind == b"ANMF" and len(body) >= 16:
        left, top, across, down = (_number(body, at, 3) for at in (0, 3, 6, 9))
        inner = _size_of(body[16:20], body[24:54])
        return max(2 * left + across + 1, inner[0]), max(2 * top + down + 1, inner[1])
    if kind == b"VP8 " and body[3:6] == b"\x9d\x01\x2a":
        return _number(body, 6, 2) & 0x3FFF, _number(body, 8, 2) & 0x3FFF
    if kind == b"VP8L" and body[:1] == b"\x2f":
        bits = _number(body, 1, 4)
        return (bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1
    return 0, 0


def _number(body: bytes, at: int, size: int) -> int:
    return int.from_bytes(body[at : at + size], "little")
