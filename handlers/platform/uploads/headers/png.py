"""PNG: chunks, of which the pixels need only a few (PNG Specification, third edition, 5)."""

from handlers.kit.sandbox import Unreadable
from handlers.platform.uploads.headers.exif import orientation_of
from handlers.platform.uploads.headers.outline import Outline, check, shrunk_pixels

CHUNKS_MAX = 50_000
DEFLATE_RATIO_MAX = 1_032
"""The maximum compression ratio of deflate."""
_SIGNATURE = b"\x89PNG\r\n\x1a\n"
_NEEDED = (b"PLTE", b"tRNS", b"IDAT", b"IEND")
_SAMPLES = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}
_DEPTHS = {0: (1, 2, 4, 8, 16), 2: (8, 16), 3: (1, 2, 4, 8), 4: (8, 16), 6: (8, 16)}


def outline_of(content: bytes) -> Outline:
    """The outline of a PNG; only the default image of an animation is decoded.

    Raises Unreadable.
    """
    if not content.startswith(_SIGNATURE + b"\0\0\0\rIHDR") or len(content) < 33:
        raise Unreadable("not a PNG")
    kept, deflated, orientation, frames = [content[:33]], 0, 1, 1
    for kind, start, end in _chunks(content):
        if kind in _NEEDED:
            kept.append(content[start - 8 : end + 4])
            deflated += end - start if kind == b"IDAT" else 0
        elif kind == b"IHDR":
            raise Unreadable("several headers")
        elif kind == b"eXIf":
            orientation = orientation_of(content[start:end])
        elif kind == b"acTL":
            frames = int.from_bytes(content[start : start + 4])
    width, height = (int.from_bytes(content[at : at + 4]) for at in (16, 20))
    depth, colours = content[24], content[25]
    if depth not in _DEPTHS.get(colours, ()):
        raise Unreadable("an invalid pixel format")
    if height * (width * _SAMPLES[colours] * depth // 8) > deflated * DEFLATE_RATIO_MAX:
        raise Unreadable("truncated")
    pixel = 4 if colours in (2, 4, 6) else 2 if depth == 16 else 1
    cost = 2 * len(content) + pixel * width * height + 8 * shrunk_pixels(width, height)
    bare = b"".join(kept)
    return check(Outline(width, height, bare, cost, frames=frames, orientation=orientation))


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
