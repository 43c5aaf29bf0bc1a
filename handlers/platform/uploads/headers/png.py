"""PNG: chunks, of which the pixels need only a few (PNG Specification, third edition, 5)."""

import zlib
from dataclasses import dataclass, field

from handlers.kit.sandbox import Unreadable
from handlers.platform.uploads.headers.exif import orientation_of
from handlers.platform.uploads.headers.icc import inflated_profile
from handlers.platform.uploads.headers.outline import Colours, Outline, check, shrunk_pixels

CHUNKS_MAX = 50_000
DEFLATE_RATIO_MAX = 1_032
"""The maximum compression ratio of deflate."""
_SIGNATURE = b"\x89PNG\r\n\x1a\n"
_PIXELS = (b"PLTE", b"tRNS", b"IDAT", b"IEND")
_FRAMES = (b"fcTL", b"fdAT")
_SAMPLES = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}
_DEPTHS = {0: (1, 2, 4, 8, 16), 2: (8, 16), 3: (1, 2, 4, 8), 4: (8, 16), 6: (8, 16)}
_EXPONENTS_OF_SRGB = range(44_000, 47_000)
"""Values of `gAMA` that differ from sRGB by less than anybody sees."""
_ANIMATED_PIXEL = 36
"""Bytes per canvas pixel of an animation: the current and the previous canvas and the disposed area
of the decoder, the copy without metadata, and the difference that the encoder calculates."""
_FRAME_PIXEL = 8
"""Bytes per pixel of each frame, of which the encoder keeps a copy."""


@dataclass
class _Walk:
    """What the walk through a file has found so far. `still` has only the default image."""

    still: list[bytes]
    moving: list[bytes]
    deflated: int = 0
    orientation: int = 1
    frames: int = 0
    plays: int | None = None
    has_hidden_image: bool = False
    """Whether the default image is not part of the animation."""
    colours: dict[bytes, bytes] = field(default_factory=dict)


def outline_of(content: bytes) -> Outline:
    """The outline of a PNG, which may be animated; raises Unreadable."""
    if not content.startswith(_SIGNATURE + b"\0\0\0\rIHDR") or len(content) < 33:
        raise Unreadable("not a PNG")
    width, height = (int.from_bytes(content[at : at + 4]) for at in (16, 20))
    depth, colours = content[24], content[25]
    if depth not in _DEPTHS.get(colours, ()):
        raise Unreadable("an invalid pixel format")
    walk = _walk(content)
    if height * (width * _SAMPLES[colours] * depth // 8) > walk.deflated * DEFLATE_RATIO_MAX:
        raise Unreadable("truncated")
    shown = walk.frames + walk.has_hidden_image
    if walk.plays is None or walk.frames == 0 or shown == 1:
        pixel = 4 if colours in (2, 4, 6) else 2 if depth == 16 else 1
        cost = pixel * width * height + 8 * shrunk_pixels(width, height)
        return check(_outline(walk, (width, height), walk.still, cost + 2 * len(content)))
    cost = _ANIMATED_PIXEL * width * height + _FRAME_PIXEL * shown * shrunk_pixels(width, height)
    control = _chunk(b"acTL", walk.frames.to_bytes(4) + walk.plays.to_bytes(4))
    kept = [walk.moving[0], control, *walk.moving[1:]]
    outline = _outline(walk, (width, height), kept, cost + 2 * len(content))
    return check(outline._replace(frames=shown, decoded=shown, plays=walk.plays))


def _outline(walk: _Walk, size: tuple[int, int], kept: list[bytes], cost: int) -> Outline:
    return Outline(
        *size,
        content=b"".join(kept),
        cost=cost,
        frames=max(1, walk.frames),
        orientation=walk.orientation,
        colours=_colours_of(walk.colours),
    )


def _walk(content: bytes) -> _Walk:
    walk = _Walk([content[:33]], [content[:33]])
    for kind, start, end in _chunks(content):
        data = content[start:end]
        if kind == b"IHDR":
            raise Unreadable("several headers")
        if kind in _PIXELS or kind in _FRAMES:
            _see_pixels(walk, kind, content[start - 8 : end + 4], end - start)
        elif kind == b"eXIf":
            walk.orientation = orientation_of(data)
        elif kind == b"acTL" and len(data) == 8 and not walk.deflated:
            walk.plays = int.from_bytes(data[4:])
        elif kind in (b"iCCP", b"sRGB", b"gAMA"):
            walk.colours.setdefault(kind, data)
    return walk


def _see_pixels(walk: _Walk, kind: bytes, chunk: bytes, size: int) -> None:
    walk.moving.append(chunk)
    if kind in _PIXELS:
        walk.still.append(chunk)
    if kind == b"IDAT":
        walk.has_hidden_image = walk.has_hidden_image or not walk.frames
        walk.deflated += size
    elif kind == b"fcTL":
        walk.frames += 1


def _colours_of(found: dict[bytes, bytes]) -> Colours:
    """The chunk that counts: a profile before sRGB, and sRGB before an exponent (section 12.1)."""
    if profile := inflated_profile(found.get(b"iCCP", b"")):
        return Colours(profile)
    exponent = int.from_bytes(found.get(b"gAMA", b"")[:4])
    if b"sRGB" in found or exponent in _EXPONENTS_OF_SRGB or not 0 < exponent < 1_000_000:
        return Colours()
    return Colours(gamma=exponent / 100_000)


def _chunk(kind: bytes, data: bytes) -> bytes:
    return len(data).to_bytes(4) + kind + data + zlib.crc32(kind + data).to_bytes(4)


def _chunks(content: bytes) -> list[tuple[bytes, int, int]]:
    """The type of each chunk after the header, and where its data begins and ends."""
    found, at = [], 33
    while at + 12 <= len(content):
        length, kind = int.from_bytes(content[at : at + 4]), content[at + 4 : at + 8]
        found.append((kind, at + 8, min(at + 8 + length, len(content))))
        if kind == b"IEND" or len(found) > CHUNKS_MAX:
            break
        at += 12 + length
    if len(found) > CHUNKS_MAX:
        raise Unreadable("too many chunks")
    return found
