"""WebP: chunks of a RIFF file. An extended file has a canvas and may have frames (RFC 9649)."""

from collections.abc import Iterator
from dataclasses import dataclass, field

from handlers.kit.sandbox import Unreadable
from handlers.platform.uploads.headers.exif import orientation_of
from handlers.platform.uploads.headers.icc import profile_of
from handlers.platform.uploads.headers.outline import Colours, Outline, check, shrunk_pixels

CHUNKS_MAX = 10_000
_HAS_ALPHA, _ANIMATED = 0x10, 0x02
_CANVAS_PIXEL = 16
"""Bytes per pixel: two canvases of the decoder, the copy that Pillow gets, and Pillow's own."""
_INNER_PIXEL = 6
"""Additional bytes per pixel while a lossless frame or an alpha channel is decoded."""
_ENCODER_PIXEL = 24
"""Bytes per pixel of an animation for the canvases of its encoder."""
_FRAME_PIXEL = 4
"""Bytes per pixel of each frame, which Pillow keeps for the encoder."""


@dataclass
class _Walk:
    """What the walk through a file has found so far."""

    width: int = 0
    height: int = 0
    frames: int = 0
    plays: int | None = None
    orientation: int = 1
    profile: bytes = b""
    kept: list[bytes] = field(default_factory=list)


def outline_of(content: bytes) -> Outline:
    """The outline of a WebP, which may be animated; raises Unreadable."""
    if content[:4] != b"RIFF" or content[8:12] != b"WEBP":
        raise Unreadable("not a WebP")
    walk = _Walk()
    for kind, body in _chunks(content):
        _see(walk, kind, body)
    chunks = b"WEBP" + b"".join(walk.kept)
    frames, shrunk = max(1, walk.frames), shrunk_pixels(walk.width, walk.height)
    is_plain = b"VP8L" not in chunks and b"ALPH" not in chunks
    pixel = _CANVAS_PIXEL if is_plain else _CANVAS_PIXEL + _INNER_PIXEL
    cost = 2 * len(content) + pixel * walk.width * walk.height + 4 * shrunk
    if frames > 1:
        cost += (_ENCODER_PIXEL + _FRAME_PIXEL * frames) * shrunk
    return check(
        Outline(
            walk.width,
            walk.height,
            content=b"RIFF" + len(chunks).to_bytes(4, "little") + chunks,
            cost=cost,
            frames=frames,
            decoded=frames,
            orientation=walk.orientation,
            plays=walk.plays,
            colours=Colours(profile_of(walk.profile)),
        )
    )


def _see(walk: _Walk, kind: bytes, body: bytes) -> None:
    size = _size_of(kind, body)
    walk.width, walk.height = max(walk.width, size[0]), max(walk.height, size[1])
    if kind == b"EXIF":
        walk.orientation = orientation_of(body.removeprefix(b"Exif\0\0"))
    elif kind == b"ICCP":
        walk.profile = body
    elif kind == b"VP8X" and len(body) >= 10:
        walk.kept.append(_chunk(kind, bytes([body[0] & (_HAS_ALPHA | _ANIMATED)]) + body[1:10]))
    elif kind in (b"ANIM", b"ALPH", b"VP8 ", b"VP8L", b"ANMF"):
        walk.kept.append(_chunk(kind, body))
        walk.frames += kind == b"ANMF"
        if kind == b"ANIM":
            walk.plays = _number(body, 4, 2)


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
