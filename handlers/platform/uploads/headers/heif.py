"""HEIF and AVIF: boxes, of which some declare the sizes of pictures (ISO/IEC 23008-12, 14496-12).

A file can have several pictures, of which the decoder shows the primary one. Metadata are items of
their own. Their types are overwritten, so that the decoder does not find them: the orientation and
the colours of the pixels are properties, not metadata.
"""

from collections.abc import Iterator

from handlers.kit.sandbox import Unreadable
from handlers.platform.uploads.headers.outline import Outline, check, shrunk_pixels

BOXES_MAX = 10_000
_DECODED_PIXEL, _SHOWN_PIXEL = 12, 8
"""Bytes per pixel while the decoder works; and afterwards, when the picture is shrunk and turned,
which takes `_SHRUNK_PIXEL` per pixel of the result."""
_SHRUNK_PIXEL = 8
_FRAME_PIXEL = 4
"""Bytes per pixel of each frame of an animation, which Pillow keeps for the encoder."""
_ENCODER_PIXEL = 24
_METADATA = (b"Exif", b"mime", b"uri ")
_NOTHING = b"skip"
_CONTAINERS = {b"meta": 4, b"iprp": 0, b"ipco": 0, b"moov": 0, b"trak": 0, b"mdia": 0}
_CONTAINERS |= {b"minf": 0, b"stbl": 0}
"""Boxes with boxes that matter, and the bytes before these."""


def outline_of_primary(content: bytes) -> Outline:
    """The outline of a file of which only the primary picture is decoded; raises Unreadable."""
    return check(_outline(content, is_animated=False))


def outline_of(content: bytes) -> Outline:
    """The outline of a file that can be an animation; raises Unreadable."""
    return check(_outline(content, is_animated=True))


def _outline(content: bytes, is_animated: bool) -> Outline:
    """As large as the largest picture in the file."""
    if content[4:8] != b"ftyp":
        raise Unreadable("not a HEIF file")
    bare = bytearray(content)
    width = height = 0
    frames = 1
    for kind, start, end in _boxes(content):
        if kind == b"ispe":
            size = (int.from_bytes(content[at : at + 4]) for at in (start + 4, start + 8))
            width, height = (max(pair) for pair in zip((width, height), size, strict=True))
        elif kind == b"infe" and content[start + 8 : start + 12] in _METADATA:
            bare[start + 8 : start + 12] = _NOTHING
        elif is_animated and kind == b"stsz" and end - start >= 12:
            frames = max(frames, int.from_bytes(content[start + 8 : start + 12]))
    pixels, shrunk = width * height, shrunk_pixels(width, height)
    cost = max(_DECODED_PIXEL * pixels, _SHOWN_PIXEL * pixels + _SHRUNK_PIXEL * shrunk)
    if frames > 1:
        cost += (_ENCODER_PIXEL + _FRAME_PIXEL * frames) * shrunk
    cost += 3 * len(content)
    return Outline(width, height, bytes(bare), cost, frames=frames, decoded=frames)


def _boxes(content: bytes) -> Iterator[tuple[bytes, int, int]]:
    """The type of each box, and where its data begins and ends, with the boxes in `_CONTAINERS`."""
    spans = [(0, len(content))]
    for _ in range(BOXES_MAX):
        at, end = spans.pop()
        if at + 8 > end:
            if not spans:
                return
            continue
        size, kind = int.from_bytes(content[at : at + 4]), content[at + 4 : at + 8]
        start = at + 8
        if size == 1:
            size, start = int.from_bytes(content[start : start + 8]), start + 8
        after = min(end, at + size) if size else end
        if after < start:
            raise Unreadable("an invalid box")
        spans.append((after, end))
        yield kind, start, after
        if kind in _CONTAINERS:
            spans.append((start + _CONTAINERS[kind], after))
        elif kind == b"iinf":
            spans.append((start + (8 if content[start : start + 1] != b"\0" else 6), after))
    raise Unreadable("too many boxes")
