"""Re-encodes pictures from their pixels: upright, limited in size, without metadata.

Invariants:
- A decoder gets a picture only after plain code has read from its header what decoding costs, and
  never gets its metadata (`headers/`).
- All of this code runs in the sandbox. It imports nothing from the server.
"""

import io
import warnings
from collections.abc import Callable, Iterator
from math import ceil
from typing import Any, NamedTuple

import msgspec
from PIL import Image, WebPImagePlugin

from handlers.kit.sandbox import Unreadable
from handlers.platform.uploads.headers import gif, jpeg, png, webp
from handlers.platform.uploads.headers.outline import SIDE_MAX, Outline

THUMBNAIL = 320
QUALITY = 88
CONTENT_MAX = 25 * 1024**2
"""Bytes of a re-encoded picture; the same limit as for an uploaded one."""
STRIP_ROWS = 64
PAUSE_MIN_MS, PAUSE_MS = 20, 100
TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
"""The operation that makes a picture upright, by EXIF orientation."""


Image.preinit()  # the sandbox opens no file later, not even to import a codec
assert WebPImagePlugin.SUPPORTED


class Format(NamedTuple):
    """Pillow's name of a format, and the function that reads its header."""

    name: str
    outline_of: Callable[[bytes], Outline]


FORMATS = {
    "image/jpeg": Format("JPEG", jpeg.outline_of),
    "image/png": Format("PNG", png.outline_of),
    "image/webp": Format("WEBP", webp.outline_of),
    "image/gif": Format("GIF", gif.outline_of),
}


class Picture(msgspec.Struct, frozen=True):
    """A re-encoded picture, and its thumbnail (WebP)."""

    content: bytes
    thumbnail: bytes
    width: int
    height: int


def reencode(content: bytes, content_type: str) -> Picture:
    """Re-encode a picture, so that only its pixels remain; raises Unreadable."""
    form = FORMATS[content_type]
    outline = form.outline_of(content)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            return _reencoded(outline, form.name)
    except (Unreadable, MemoryError):
        raise
    except Exception as error:  # decoders raise many kinds of errors for invalid input
        raise Unreadable(f"not decodable: {type(error).__name__}") from None


def _reencoded(outline: Outline, form: str) -> Picture:
    if form == "GIF" and outline.frames > 1:
        return _animated(outline)
    bare = _upright(_decoded(outline, form), outline.orientation)
    small = _shrunk(bare, bare.mode, THUMBNAIL)
    return Picture(_encoded(bare, form), _encoded(small, "WEBP"), bare.width, bare.height)


def _decoded(outline: Outline, form: str) -> Any:
    """The first frame, shrunk to SIDE_MAX."""
    with Image.open(io.BytesIO(outline.content), formats=[form]) as image:
        if image.width > outline.width or image.height > outline.height:
            raise Unreadable("larger than its header declares")
        if form == "JPEG":
            image.draft(None, (image.width // outline.scale, image.height // outline.scale))
        image.load()
        made = _shrunk(image, _mode_of(image, form), SIDE_MAX)
        if made is image:  # it would keep the decoder and its canvas in memory
            made = image.copy()
        made.info = {}
        return made


def _mode_of(image: Any, form: str) -> str:
    transparent = "A" in image.getbands() or image.info.get("transparency") is not None
    return "RGBA" if transparent and form != "JPEG" else "RGB"


def _upright(image: Any, orientation: int) -> Any:
    return image.transpose(TURNS[orientation]) if orientation in TURNS else image


def _shrunk(image: Any, mode: str, side_max: int) -> Any:
    """A copy in `mode` that fits into a square, or the image itself if it already does.

    It works strip by strip, because Pillow would make two more copies of the whole image.
    """
    scale = max(1.0, max(image.size) / side_max)
    if scale == 1 and image.mode == mode:
        return image
    width, height = (max(1, round(side / scale)) for side in image.size)
    made = Image.new(mode, (width, height))
    for top in range(0, height, STRIP_ROWS):
        bottom = min(height, top + STRIP_ROWS)
        made.paste(_strip(image, mode, width, (top, bottom), image.height / height), (0, top))
    return made


def _strip(image: Any, mode: str, width: int, rows: tuple[int, int], scale: float) -> Any:
    """Rows of a shrunk image. The source has extra rows above and below for the resampling filter,
    so the result equals that for the whole image."""
    first, last = rows[0] * scale, min(rows[1] * scale, image.height)
    reach = 2 * ceil(scale)
    above, below = max(0, int(first) - reach), min(image.height, ceil(last) + reach)
    source = image.crop((0, above, image.width, below))
    if source.mode == "I;16":  # Pillow would clip all values above 255
        source = source.convert("I").point(lambda grey: grey * (1 / 256)).convert("L")
    source = source.convert(mode)
    box = (0, first - above, image.width, last - above)
    return source.resize((width, rows[1] - rows[0]), Image.Resampling.BICUBIC, box)


class _Bounded(io.BytesIO):
    """An in-memory file of at most CONTENT_MAX bytes; a write beyond it raises Unreadable."""

    def write(self, content: Any, /) -> int:
        if self.tell() + len(content) > CONTENT_MAX:
            raise Unreadable("too large after it is encoded again")
        return super().write(content)


def _encoded(image: Any, form: str, **more: Any) -> bytes:
    made = _Bounded()
    image.save(made, form, quality=QUALITY, **more)
    return made.getvalue()


def _animated(outline: Outline) -> Picture:
    """Re-encode an animated GIF, frame by frame."""
    with Image.open(io.BytesIO(outline.content), formats=["GIF"]) as image:
        frames = _frames(image)
        first = next(frames)
        small = _encoded(_shrunk(first, first.mode, THUMBNAIL), "WEBP")
        made = _Bounded()
        first.save(made, "GIF", save_all=True, append_images=frames, loop=0)
    return Picture(made.getvalue(), small, first.width, first.height)


def _frames(image: Any) -> Iterator[Any]:
    """Yield each frame as displayed, with its duration only; one frame is in memory at a time."""
    for number in range(image.n_frames):
        image.seek(number)
        image.load()
        pause_ms = max(PAUSE_MIN_MS, int(image.info.get("duration", PAUSE_MS)))
        bare = _shrunk(image, _mode_of(image, "GIF"), SIDE_MAX)
        bare = bare.copy() if bare is image else bare
        bare.info = {"duration": pause_ms}
        yield bare
