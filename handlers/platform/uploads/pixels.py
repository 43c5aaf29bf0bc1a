"""Shrinks images, turns them upright and converts their colours, with few copies in memory."""

from math import ceil
from typing import Any

from PIL import Image

from handlers.platform.uploads.colours import Conversion

STRIP_ROWS = 64
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
LEVEL_MAX = 255


def mode_of(image: Any) -> str:
    """RGBA for an image with an alpha channel or transparent colours, RGB for any other."""
    transparent = "A" in image.getbands() or image.info.get("transparency") is not None
    return "RGBA" if transparent else "RGB"


def upright(image: Any, orientation: int) -> Any:
    return image.transpose(TURNS[orientation]) if orientation in TURNS else image


def shrunk(image: Any, mode: str, side_max: int, conversion: Conversion | None = None) -> Any:
    """A copy in `mode` that fits into a square, or the image itself if it already does.

    It works strip by strip, because Pillow would make two more copies of the whole image.
    """
    conversion = conversion or Conversion(mode)
    scale = max(1.0, max(image.size) / side_max)
    if scale == 1 and image.mode == mode and conversion.apply is None:
        return image
    width, height = (max(1, round(side / scale)) for side in image.size)
    made = Image.new(mode, (width, height))
    for top in range(0, height, STRIP_ROWS):
        rows = (top, min(height, top + STRIP_ROWS))
        strip = _strip(image, conversion.mode, width, rows, image.height / height)
        made.paste(conversion.apply(strip) if conversion.apply else strip, (0, top))
    return made


def _strip(image: Any, mode: str, width: int, rows: tuple[int, int], scale: float) -> Any:
    """Rows of a shrunk image. The source has extra rows above and below for the resampling filter,
    so the result equals that for the whole image."""
    if scale == 1 and width == image.width:
        return _converted(image.crop((0, rows[0], image.width, rows[1])), mode)
    first, last = rows[0] * scale, min(rows[1] * scale, image.height)
    reach = 2 * ceil(scale)
    above, below = max(0, int(first) - reach), min(image.height, ceil(last) + reach)
    source = _converted(image.crop((0, above, image.width, below)), mode)
    box = (0, first - above, image.width, last - above)
    return source.resize((width, rows[1] - rows[0]), Image.Resampling.BICUBIC, box)


def _converted(source: Any, mode: str) -> Any:
    if source.mode == "I;16":  # Pillow would clip all values above 255
        source = source.convert("I").point(lambda grey: grey * (1 / 256)).convert("L")
    key = source.info.get("transparency")
    if isinstance(key, tuple) and max(key) > LEVEL_MAX:  # of a PNG with 16 bits, decoded as 8
        source.info["transparency"] = tuple(level >> 8 for level in key)
    return source.convert(mode)
