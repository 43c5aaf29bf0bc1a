"""JPEG: segments up to the first scan, then scans and segments (ITU-T T.81, annex B)."""

import re
from dataclasses import dataclass, field

from handlers.kit.sandbox import Unreadable
from handlers.platform.uploads.headers.exif import orientation_of
from handlers.platform.uploads.headers.icc import profile_of
from handlers.platform.uploads.headers.outline import (
    COST_MAX,
    SIDE_MAX,
    Colours,
    Outline,
    check,
    shrunk_pixels,
)

SCANS_MAX, SEGMENTS_MAX = 100, 4_000
DRAWN_MAX = 1_000_000_000
"""Limit on scans times pixels: decoding a scan covers the whole picture, and a scan needs only
about eighty bytes."""
SCALES = (1, 2, 4, 8)
_MARKER = re.compile(rb"\xff([^\x00\x01\xff\xd0-\xd7])")
_BASELINE, _EXTENDED, _PROGRESSIVE = 0xC0, 0xC1, 0xC2
_DHT, _SOI, _EOI, _SOS, _DQT, _DRI = 0xC4, 0xD8, 0xD9, 0xDA, 0xDB, 0xDD
_FRAMES = {*range(0xC0, 0xD0)} - {_DHT, 0xC8, 0xCC}
_JFIF, _EXIF, _ICC, _ADOBE = 0xE0, 0xE1, 0xE2, 0xEE
_ICC_NAME = b"ICC_PROFILE\0"
_NEEDED = {_DHT, _DQT, _DRI}


@dataclass
class _Walk:
    """What the walk through a file has found so far."""

    frame: "_Frame | None" = None
    scans: int = 0
    split: bool = False
    """Whether a scan has only some components, so that the decoder keeps all coefficients."""
    orientation: int = 0
    profile: dict[int, bytes] = field(default_factory=dict)
    """The parts of the ICC profile by their numbers."""
    kept: list[bytes] = field(default_factory=lambda: [b"\xff\xd8"])


@dataclass(frozen=True)
class _Frame:
    width: int
    height: int
    components: int
    samples: float
    """Samples per pixel, after subsampling."""
    progressive: bool


def outline_of(content: bytes) -> Outline:
    """The outline of a JPEG; raises Unreadable."""
    if not content.startswith(b"\xff\xd8"):
        raise Unreadable("not a JPEG")
    walk = _walk(content)
    if walk.frame is None or not walk.scans:
        raise Unreadable("no frame")
    if walk.scans * walk.frame.width * walk.frame.height > DRAWN_MAX:
        raise Unreadable("too many scans")
    return check(_outline(walk, walk.frame, len(content)))


def _walk(content: bytes) -> _Walk:
    walk, at = _Walk(), 2
    for _ in range(SEGMENTS_MAX):
        found = _MARKER.search(content, at)
        if found is None or found[1][0] == _EOI:  # decoders ignore what follows
            walk.kept.append(b"\xff\xd9" if found else b"")
            return walk
        end = found.end() + int.from_bytes(content[found.end() : found.end() + 2])
        marker, body = found[1][0], content[found.end() + 2 : end]
        if marker == _SOS:
            _see_scan(walk, body)
            following = _MARKER.search(content, end)
            end = following.start() if following else len(content)
            walk.kept.append(content[found.start() : end])
        elif _is_needed(walk, marker, body):
            walk.kept.append(content[found.start() : end])
        at = max(end, found.end())
    raise Unreadable("too many segments")


def _is_needed(walk: _Walk, marker: int, body: bytes) -> bool:
    """Whether the decoder needs a segment; raises Unreadable for an unsupported frame."""
    if marker in _FRAMES:
        if walk.frame is not None:
            raise Unreadable("several frames")
        walk.frame = _read_frame(marker, body)
        return True
    if marker == _EXIF and body.startswith(b"Exif\0\0"):
        walk.orientation = walk.orientation or orientation_of(body[6:])
    elif marker == _ICC and body.startswith(_ICC_NAME) and len(body) > len(_ICC_NAME) + 2:
        walk.profile.setdefault(body[len(_ICC_NAME)], body[len(_ICC_NAME) + 2 :])
    defines_colours = (marker == _JFIF and body.startswith(b"JFIF\0") and len(body) == 14) or (
        marker == _ADOBE and body.startswith(b"Adobe") and len(body) == 12
    )
    return marker in _NEEDED or defines_colours


def _read_frame(marker: int, body: bytes) -> _Frame:
    if marker not in (_BASELINE, _EXTENDED, _PROGRESSIVE):
        raise Unreadable("an unsupported kind of JPEG")
    if len(body) < 6 or len(body) != 6 + 3 * body[5] or body[0] != 8 or body[5] not in (1, 3, 4):
        raise Unreadable("an unsupported frame")
    factors = [divmod(sampling, 16) for sampling in body[7::3]]
    if not all(1 <= across <= 4 and 1 <= down <= 4 for across, down in factors):
        raise Unreadable("an unsupported frame")
    most = max(across for across, _ in factors) * max(down for _, down in factors)
    return _Frame(
        width=int.from_bytes(body[3:5]),
        height=int.from_bytes(body[1:3]),
        components=body[5],
        samples=sum(across * down for across, down in factors) / most,
        progressive=marker == _PROGRESSIVE,
    )


def _see_scan(walk: _Walk, body: bytes) -> None:
    walk.scans += 1
    if walk.frame is None or not body:
        raise Unreadable("a scan before the frame header")
    if walk.scans > SCANS_MAX:
        raise Unreadable("too many scans")
    walk.split = walk.split or body[0] < walk.frame.components


def _outline(walk: _Walk, frame: _Frame, size: int) -> Outline:
    """The outline, with the largest `scale` that still leaves SIDE_MAX pixels on the longer side,
    or a larger one if decoding would exceed COST_MAX."""
    longest = max(frame.width, frame.height)
    least = max(scale for scale in SCALES if scale == 1 or longest >= scale * SIDE_MAX)
    costs = {scale: _cost(walk, frame, scale) + 2 * size for scale in SCALES if scale >= least}
    scale = next((scale for scale, cost in costs.items() if cost <= COST_MAX), SCALES[-1])
    return Outline(
        width=frame.width,
        height=frame.height,
        content=b"".join(walk.kept),
        cost=costs[scale],
        orientation=walk.orientation or 1,
        scale=scale,
        colours=Colours(profile_of(b"".join(walk.profile[at] for at in sorted(walk.profile)))),
    )


def _cost(walk: _Walk, frame: _Frame, scale: int) -> int:
    """Bytes for coefficients (two per sample), the pixels, and two copies of the shrunk image."""
    width, height = -(-frame.width // scale), -(-frame.height // scale)
    keeps_coefficients = frame.progressive or walk.split
    coefficients = 2 * frame.samples * frame.width * frame.height if keeps_coefficients else 0
    pixel = 1 if frame.components == 1 else 4
    return int(coefficients + pixel * width * height + 8 * shrunk_pixels(width, height))
