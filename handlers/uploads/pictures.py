"""Pictures are made anew: no EXIF, no more pixels than we like, nothing hidden behind them.

Invariant: no picture is decoded before it is known how many pixels it has, and how often they are
drawn, and at most one at a time, off the event loop.
"""

import asyncio
import io
import re
import warnings
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import msgspec
from PIL import Image, ImageOps

PIXELS_MAX = 40_000_000
FRAMES_MAX = 200
SCANS_MAX, SEGMENTS_MAX = 100, 4_000
"""A JPEG may be drawn again and again, all of it each time, by some eighty bytes."""
SIDE_MAX = 4_096
THUMBNAIL = 320
QUALITY = 88
FORMATS = {"image/jpeg": "JPEG", "image/png": "PNG", "image/webp": "WEBP", "image/gif": "GIF"}
_JPEG_MARKER = re.compile(rb"\xff([^\x00\x01\xff\xd0-\xd7])")
_THREAD = ThreadPoolExecutor(max_workers=1, thread_name_prefix="pictures")


class NoPicture(Exception):
    """These bytes are no picture that we take."""


class Picture(msgspec.Struct, frozen=True):
    """A picture made anew, and a small one of it (WebP)."""

    content: bytes
    thumbnail: bytes
    width: int
    height: int


async def remake(content: bytes, content_type: str) -> Picture:
    """The same picture with nothing but its pixels; raises NoPicture."""
    loop = asyncio.get_running_loop()
    return await loop.run_in_executor(_THREAD, _remake, content, FORMATS[content_type])


def _remake(content: bytes, form: str) -> Picture:
    try:
        if form == "JPEG":
            _count_scans(content)
        with warnings.catch_warnings():
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            with Image.open(io.BytesIO(content), formats=[form]) as image:
                return _made_anew(image, form)
    except NoPicture:
        raise
    except Exception as error:  # decoders raise whatever they stumble over in such bytes
        raise NoPicture(type(error).__name__) from None


def _count_scans(content: bytes) -> None:
    """Refuse what takes its decoder much longer than its pixels do."""
    at, scans = 2, 0
    for _ in range(SEGMENTS_MAX):
        found = _JPEG_MARKER.search(content, at)
        if found is None or found[1] == b"\xd9":  # the end: who knows what follows it
            return
        at = found.end() + int.from_bytes(content[found.end() : found.end() + 2])
        scans += found[1] == b"\xda"
        if scans > SCANS_MAX:
            raise NoPicture("too many scans")
    raise NoPicture("too many segments")


def _made_anew(image: Any, form: str) -> Picture:
    frames = getattr(image, "n_frames", 1)
    if frames > FRAMES_MAX:
        raise NoPicture("too many frames")
    _count_pixels(image, frames if form == "GIF" else 1)
    if form == "GIF" and frames > 1:
        return Picture(_moving(image), _small(image), image.width, image.height)
    upright = ImageOps.exif_transpose(image)
    upright.thumbnail((SIDE_MAX, SIDE_MAX))
    bare = _bare(upright, form)
    return Picture(_encoded(bare, form), _small(bare), bare.width, bare.height)


def _count_pixels(image: Any, frames: int) -> None:
    if image.width * image.height * frames > PIXELS_MAX:
        raise NoPicture("too many pixels")


def _bare(image: Any, form: str) -> Any:
    """A new image with the same pixels, and nothing else that came in the file."""
    mode = "RGB" if form == "JPEG" else ("RGBA" if "A" in image.getbands() else "RGB")
    if image.info.get("transparency") is not None and form != "JPEG":
        mode = "RGBA"
    pixels = image.convert(mode)
    bare = Image.new(mode, pixels.size)
    bare.paste(pixels)
    return bare


def _encoded(image: Any, form: str, **more: Any) -> bytes:
    made = io.BytesIO()
    image.save(made, form, quality=QUALITY, **more)
    return made.getvalue()


def _moving(image: Any) -> bytes:
    """A GIF that moves, frame by frame."""
    frames, pauses = [], []
    for number in range(image.n_frames):
        image.seek(number)
        _count_pixels(image, image.n_frames)  # a later frame may make all of it larger
        frames.append(_bare(image, "GIF"))
        pauses.append(max(20, int(image.info.get("duration", 100))))
    image.seek(0)
    more = {"save_all": True, "append_images": frames[1:], "duration": pauses, "loop": 0}
    return _encoded(frames[0], "GIF", **more)


def _small(image: Any) -> bytes:
    small = _bare(image, "WEBP")
    small.thumbnail((THUMBNAIL, THUMBNAIL))
    return _encoded(small, "WEBP")
