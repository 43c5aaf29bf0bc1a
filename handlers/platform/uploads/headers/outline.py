"""Describes a picture before it is decoded, and limits what decoding may cost."""

from typing import NamedTuple

from handlers.kit.sandbox import Unreadable

PIXELS_MAX = 40_000_000
"""Of all decoded frames together."""
FRAMES_MAX = 200
COST_MAX = 320 * 1024**2
"""Peak memory for all copies of one picture, in bytes. The server, the sandbox and this together
stay below two thirds of a 1 GiB container."""
SIDE_MAX = 4_096
"""Larger pictures are shrunk to fit into a square with this side, in pixels."""
SHRUNK_PIXELS_MAX = SIDE_MAX * SIDE_MAX


class Colours(NamedTuple):
    """What the numbers of the pixels mean: an ICC profile, or else the exponent of a PNG's `gAMA`
    (0 if it has none). Without both, they are sRGB."""

    profile: bytes = b""
    gamma: float = 0.0


SRGB = Colours()


class Outline(NamedTuple):
    """A picture as its header describes it, with a copy of the file that is safe to decode.

    `content` has only what the pixels need. It has no metadata, so no decoder decompresses profiles
    or texts, or follows offsets in EXIF. `cost` is the memory for decoding in bytes. A JPEG is
    decoded at 1/`scale` of its size.

    `plays` is how often an animation repeats, as its format counts; 0 is for ever, and None means
    that a GIF does not say it. `colours` are what its numbers mean.
    """

    width: int
    height: int
    content: bytes
    cost: int
    frames: int = 1
    decoded: int = 1
    """How many of the frames are decoded."""
    orientation: int = 1
    scale: int = 1
    plays: int | None = None
    colours: Colours = SRGB


def check(outline: Outline) -> Outline:
    """Return the outline, or raise Unreadable if it exceeds a limit."""
    if outline.width < 1 or outline.height < 1:
        raise Unreadable("no pixels")
    if outline.frames > FRAMES_MAX:
        raise Unreadable("too many frames")
    if outline.width * outline.height * outline.decoded > PIXELS_MAX:
        raise Unreadable("too many pixels")
    if outline.cost > COST_MAX:
        raise Unreadable("needs too much memory to decode")
    return outline


def shrunk_pixels(width: int, height: int) -> int:
    """The number of pixels after a picture is shrunk to SIDE_MAX."""
    side = max(width, height, SIDE_MAX)
    return -(-width * SIDE_MAX // side) * -(-height * SIDE_MAX // side)
