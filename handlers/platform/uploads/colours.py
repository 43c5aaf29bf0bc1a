"""Converts colours to sRGB, so that a picture without its profile looks as it did with it.

Profiles come from strangers. All of this runs in the sandbox.
"""

import io
from collections.abc import Callable
from typing import Any, NamedTuple

from PIL import Image, ImageCms

from handlers.platform.uploads.headers.outline import Colours

SRGB = ImageCms.createProfile("sRGB")
LEVELS = 256


class Conversion(NamedTuple):
    """`apply` converts an image of `mode` to sRGB; None if it already is."""

    mode: str
    apply: Callable[[Any], Any] | None = None


def conversion_of(colours: Colours, source: str, mode: str) -> Conversion:
    """How an image of the mode `source` becomes one of `mode` (RGB or RGBA) in sRGB.

    A profile that is invalid or does not fit the image is ignored, as browsers do.
    """
    if colours.profile:
        try:
            return _by_profile(colours.profile, source, mode)
        except (ImageCms.PyCMSError, OSError, ValueError):
            return Conversion(mode)
    if colours.gamma:
        return Conversion(mode, _by_table([_level(n, colours.gamma) for n in range(LEVELS)]))
    return Conversion(mode)


def _by_profile(content: bytes, source: str, mode: str) -> Conversion:
    profile = ImageCms.ImageCmsProfile(io.BytesIO(content))
    space = profile.profile.xcolor_space.strip()
    if space == "GRAY":
        ramp = Image.frombytes("L", (LEVELS, 1), bytes(range(LEVELS)))
        converted = _transformed(ramp, ImageCms.buildTransform(profile, SRGB, "L", "RGB"))
        return Conversion(mode, _by_table(list(converted.getchannel("R").tobytes())))
    if space not in ("RGB", "CMYK") or (space == "CMYK") != (source == "CMYK"):
        return Conversion(mode)
    before = "CMYK" if space == "CMYK" else mode
    transform = ImageCms.buildTransform(profile, SRGB, before, mode)
    return Conversion(before, lambda image: _transformed(image, transform))


def _transformed(image: Any, transform: Any) -> Any:
    made: Any = ImageCms.applyTransform(image, transform)
    made.info = {}  # it gets the profile of sRGB
    return made


def _by_table(levels: list[int]) -> Callable[[Any], Any]:
    """Replaces the levels of each colour, and keeps the alpha channel."""
    unchanged = list(range(LEVELS))
    return lambda image: image.point(levels * 3 + unchanged * (len(image.getbands()) - 3))


def _level(number: int, gamma: float) -> int:
    """A level in sRGB, of one that was encoded with the exponent `gamma`."""
    light: float = (number / (LEVELS - 1)) ** (1 / gamma)
    share: float = 12.92 * light if light <= 0.0031308 else 1.055 * light ** (1 / 2.4) - 0.055
    return round(share * (LEVELS - 1))
