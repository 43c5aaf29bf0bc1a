"""What is known of a picture before it is decoded, and what it may take to decode it."""

from typing import NamedTuple

from handlers.kit.sandbox import Unreadable

PIXELS_MAX = 40_000_000
"""All frames together, where all of them are decoded."""
FRAMES_MAX = 200
COST_MAX = 320 * 1024**2
"""Bytes of memory for one picture, in all its copies at the worst moment. Server, sandbox and this
together stay below two thirds of a container of 1 GiB."""
SIDE_MAX = 4_096
"""What is larger is shrunk to fit into a square of this side."""
SHRUNK_PIXELS_MAX = SIDE_MAX * SIDE_MAX


class Outline(NamedTuple):
    """A picture as its header describes it, with a copy of the file that is safe to decode.

    `content` has what the pixels need and nothing else: no metadata, so that no decoder inflates
    profiles or texts or follows EXIF's offsets. `cost` is in bytes. A JPEG is decoded at
    1/`scale` of its size.
    """

    width: int
    height: int
    content: bytes
    cost: int
    frames: int = 1
    decoded: int = 1
    """So many of the frames are decoded."""
    orientation: int = 1
    scale: int = 1


def check(outline: Outline) -> Outline:
    """The same outline; raises Unreadable when it is beyond what is decoded."""
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
    """How many pixels are left once a picture is shrunk to SIDE_MAX."""
    side = max(width, height, SIDE_MAX)
    return -(-width * SIDE_MAX // side) * -(-height * SIDE_MAX // side)
