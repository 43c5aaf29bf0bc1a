"""Pictures are made anew from their pixels: upright, no larger than we like, without metadata.

Invariants:
- A decoder sees a picture only after its header said what decoding takes, and never sees its
  metadata (`headers/`).
- All of this runs in the sandbox. It imports nothing of the server.
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
"""Bytes of a picture that was made anew; as large as one may be that is brought."""
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
"""What makes a picture upright, by its EXIF orientation."""


Image.preinit()  # the sandbox opens no file later, not even to import a codec
assert WebPImagePlugin.SUPPORTED


class Format(NamedTuple):
    """What Pillow calls a format, and what reads its header."""

    name: str
    outline_of: Callable[[bytes], Outline]


FORMATS = {
    "image/jpeg": Format("JPEG", jpeg.outline_of),
    "image/png": Format("PNG", png.outline_of),
    "image/webp": Format("WEBP", webp.outline_of),
    "image/gif": Format("GIF", gif.outline_of),
}


class Picture(msgspec.Struct, frozen=True):
    """A picture made anew, and a small one of it (WebP)."""

    content: bytes
    thumbnail: bytes
    width: int
    height: int


def remake(content: bytes, content_type: str) -> Picture:
    """The same picture with nothing but its pixels; raises Unreadable."""
    form = FORMATS[content_type]
    outline = form.outline_of(content)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            return _made_anew(outline, form.name)
    except (Unreadable, MemoryError):
        raise
    except Exception as error:  # decoders raise whatever they stumble over in such bytes
        raise Unreadable(f"not decodable: {type(error).__name__}") from None


def _made_anew(outline: Outline, form: str) -> Picture:
    if form == "GIF" and outline.frames > 1:
        return _moving(outline)
    bare = _upright(_decoded(outline, form), outline.orientation)
    small = _shrunk(bare, bare.mode, THUMBNAIL)
    return Picture(_encoded(bare, form), _encoded(small, "WEBP"), bare.width, bare.height)


def _decoded(outline: Outline, form: str) -> Any:
    """The first frame, shrunk to SIDE_MAX."""
    with Image.open(io.BytesIO(outline.content), formats=[form]) as image:
        if image.width > outline.width or image.height > outline.height:
            raise Unreadable("larger than its header says")
        if form == "JPEG":
            image.draft(None, (image.width // outline.scale, image.height // outline.scale))
        image.load()
        made = _shrunk(image, _mode_of(image, form), SIDE_MAX)
        if made is image:  # it holds the decoder, and that its canvas
            made = image.copy()
        made.info = {}
        return made


def _mode_of(image: Any, form: str) -> str:
    seen_through = "A" in image.getbands() or image.info.get("transparency") is not None
    return "RGBA" if seen_through and form != "JPEG" else "RGB"


def _upright(image: Any, orientation: int) -> Any:
    return image.transpose(TURNS[orientation]) if orientation in TURNS else image


def _shrunk(image: Any, mode: str, side_max: int) -> Any:
    """A copy in another mode that fits into a square, or the image itself when it is that already.

    It goes strip by strip, for Pillow would make two more copies of all of it on the way.
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
    """Rows of a shrunk image; the filter sees some beyond both ends, as it would in the whole."""
    first, last = rows[0] * scale, min(rows[1] * scale, image.height)
    reach = 2 * ceil(scale)
    above, below = max(0, int(first) - reach), min(image.height, ceil(last) + reach)
    source = image.crop((0, above, image.width, below))
    if source.mode == "I;16":  # Pillow would cut off what is lighter than 255
        source = source.convert("I").point(lambda grey: grey * (1 / 256)).convert("L")
    source = source.convert(mode)
    box = (0, first - above, image.width, last - above)
    return source.resize((width, rows[1] - rows[0]), Image.Resampling.BICUBIC, box)


class _Bounded(io.BytesIO):
    """A file in memory that takes at most CONTENT_MAX bytes; raises Unreadable."""

    def write(self, content: Any, /) -> int:
        if self.tell() + len(content) > CONTENT_MAX:
            raise Unreadable("too large once it is made anew")
        return super().write(content)


def _encoded(image: Any, form: str, **more: Any) -> bytes:
    made = _Bounded()
    image.save(made, form, quality=QUALITY, **more)
    return made.getvalue()


def _moving(outline: Outline) -> Picture:
    """A GIF that moves, frame by frame."""
    with Image.open(io.BytesIO(outline.content), formats=["GIF"]) as image:
        frames = _frames(image)
        first = next(frames)
        small = _encoded(_shrunk(first, first.mode, THUMBNAIL), "WEBP")
        made = _Bounded()
        first.save(made, "GIF", save_all=True, append_images=frames, loop=0)
    return Picture(made.getvalue(), small, first.width, first.height)


def _frames(image: Any) -> Iterator[Any]:
    """Each frame as it is shown, one in memory at a time, with its pause and nothing else."""
    for number in range(image.n_frames):
        image.seek(number)
        image.load()
        pause_ms = max(PAUSE_MIN_MS, int(image.info.get("duration", PAUSE_MS)))
        bare = _shrunk(image, _mode_of(image, "GIF"), SIDE_MAX)
        bare = bare.copy() if bare is image else bare
        bare.info = {"duration": pause_ms}
        yield bare
