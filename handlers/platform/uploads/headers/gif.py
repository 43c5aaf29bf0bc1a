"""GIF: a screen, and frames in blocks. Frames can extend beyond the screen (GIF89a, 17 to 27)."""

from dataclasses import dataclass, field

from handlers.kit.sandbox import Unreadable
from handlers.platform.uploads.headers.outline import Outline, check, shrunk_pixels

BLOCKS_MAX = 400_000
"""The largest file needs about 100,000 blocks, because encoders fill them."""
SCREEN_SIDE_MAX = 0xFFFF
"""No screen can have a longer side."""
_EXTENSION, _IMAGE, _TRAILER, _CONTROL = 0x21, 0x2C, 0x3B, 0xF9
_LOOPS = (b"\xff\x0bNETSCAPE2.0\x03\x01", b"\xff\x0bANIMEXTS1.0\x03\x01")
"""The label of an extension that says how often an animation repeats."""
_ANIMATED_PIXEL = 26
"""Bytes per canvas pixel of an animation: the current and the previous canvas, the disposed area,
the copy without metadata, and two copies of the encoder."""


@dataclass
class _Walk:
    """What the walk through a file has found so far; `width` and `height` include all frames."""

    width: int
    height: int
    frames: int = 0
    blocks: int = 0
    plays: int | None = None
    kept: list[bytes] = field(default_factory=list)


def outline_of(content: bytes) -> Outline:
    """The outline of a GIF, with a size that includes all frames; raises Unreadable."""
    if content[:6] not in (b"GIF87a", b"GIF89a") or len(content) < 13:
        raise Unreadable("not a GIF")
    walk = _walk(content)
    if not walk.frames:
        raise Unreadable("no frame")
    if max(walk.width, walk.height) > SCREEN_SIDE_MAX:
        raise Unreadable("too many pixels")
    pixels = walk.width * walk.height
    if walk.frames > 1:
        cost = (_ANIMATED_PIXEL + walk.frames) * pixels
    else:
        cost = 2 * pixels + 8 * shrunk_pixels(walk.width, walk.height)
    screen = walk.width.to_bytes(2, "little") + walk.height.to_bytes(2, "little")
    bare = b"".join([content[:6], screen, *walk.kept, b";"])
    cost += 2 * len(content)
    outline = Outline(walk.width, walk.height, bare, cost, frames=walk.frames, plays=walk.plays)
    return check(outline._replace(decoded=walk.frames))


def _walk(content: bytes) -> _Walk:
    at = 13 + _table_size(content[10])
    walk = _Walk(_short(content, 6), _short(content, 8))
    walk.kept.append(content[10:at])
    while at + 1 < len(content) and content[at] != _TRAILER:
        start = at
        if content[at] == _EXTENSION:
            at = _end_of_blocks(content, at + 2, walk)
            needed = content[start + 1] == _CONTROL
            if content.startswith(_LOOPS, start + 1):
                walk.plays = _short(content, start + 1 + len(_LOOPS[0]))
        elif content[at] == _IMAGE:
            at = _see_frame(content, at, walk)
            needed = True
        else:
            at, needed = at + 1, False
            walk.blocks += 1
        if needed:
            walk.kept.append(content[start:at])
        if walk.blocks > BLOCKS_MAX:
            raise Unreadable("too many blocks")
    return walk


def _see_frame(content: bytes, at: int, walk: _Walk) -> int:
    """Record the frame that begins at `at`; returns where it ends."""
    if at + 10 > len(content):
        return len(content)
    walk.frames += 1
    walk.width = max(walk.width, _short(content, at + 1) + _short(content, at + 5))
    walk.height = max(walk.height, _short(content, at + 3) + _short(content, at + 7))
    return _end_of_blocks(content, at + 10 + _table_size(content[at + 9]) + 1, walk)


def _end_of_blocks(content: bytes, at: int, walk: _Walk) -> int:
    while at < len(content) and content[at] and walk.blocks <= BLOCKS_MAX:
        at += 1 + content[at]
        walk.blocks += 1
    return at + 1


def _table_size(flags: int) -> int:
    return 3 << ((flags & 7) + 1) if flags & 0x80 else 0


def _short(content: bytes, at: int) -> int:
    return int.from_bytes(content[at : at + 2], "little")
