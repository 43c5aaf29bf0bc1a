"""Re-encodes pictures from their pixels: upright, in sRGB, limited in size, without metadata.

Invariants:
- A decoder gets a picture only after plain code has read from its header what decoding costs, and
  never gets its metadata (`headers/`).
- The result looks as the picture did: all frames of an animation are kept, and colours are
  converted before their profile is removed.
- All of this code runs in the sandbox. It imports nothing from the server.
"""

import io
import warnings
from collections.abc import Callable
from typing import Any, NamedTuple

import msgspec
import pillow_heif
from PIL import AvifImagePlugin, Image, TiffImagePlugin, WebPImagePlugin

from handlers.kit.sandbox import Unreadable, needs_threads
from handlers.platform.uploads import animations
from handlers.platform.uploads.animations import QUALITY, with_palette
from handlers.platform.uploads.colours import conversion_of
from handlers.platform.uploads.headers import gif, heif, jpeg, png, webp
from handlers.platform.uploads.headers.exif import orientation_of
from handlers.platform.uploads.headers.icc import profile_of
from handlers.platform.uploads.headers.outline import SIDE_MAX, Colours, Outline
from handlers.platform.uploads.pixels import mode_of, shrunk, upright

THUMBNAIL = 320
CONTENT_MAX = 25 * 1024**2
"""Bytes of a re-encoded picture; the same limit as for an uploaded one."""
TYPES = {"JPEG": "image/jpeg", "PNG": "image/png", "WEBP": "image/webp", "GIF": "image/gif"}
"""The formats that every browser shows, in which pictures are stored."""


Image.preinit()  # the sandbox opens no file later, not even to import a codec
pillow_heif.register_heif_opener(
    thumbnails=False, depth_images=False, aux_images=False, decode_threads=0
)
AvifImagePlugin.DEFAULT_MAX_THREADS = 1
assert WebPImagePlugin.SUPPORTED
assert AvifImagePlugin.SUPPORTED
assert TiffImagePlugin.PREFIXES  # AVIF reports its orientation in EXIF, which this module writes


class Format(NamedTuple):
    """Pillow's name of a format, and the function that reads its header."""

    name: str
    outline_of: Callable[[bytes], Outline]


FORMATS = {
    "image/jpeg": Format("JPEG", jpeg.outline_of),
    "image/png": Format("PNG", png.outline_of),
    "image/webp": Format("WEBP", webp.outline_of),
    "image/gif": Format("GIF", gif.outline_of),
    "image/avif": Format("AVIF", heif.outline_of),
}
HEIC_TYPE = "image/heic"
HEIC = Format("HEIF", heif.outline_of_primary)


class Picture(msgspec.Struct, frozen=True):
    """A re-encoded picture, and its thumbnail (WebP)."""

    content_type: str
    content: bytes
    thumbnail: bytes
    width: int
    height: int


def reencode(content: bytes, content_type: str) -> Picture:
    """Re-encode a picture, so that only its pixels remain; raises Unreadable."""
    return _reencode(content, FORMATS[content_type])


@needs_threads
def reencode_heic(content: bytes) -> Picture:
    """Re-encode a HEIC file as `reencode` does; its decoder cannot work without a thread."""
    return _reencode(content, HEIC)


def _reencode(content: bytes, form: Format) -> Picture:
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
    if outline.decoded > 1:
        return _animated(outline, form)
    bare = _decoded(outline, form)
    return _picture(bare, _stored_as(form, bare))


def _animated(outline: Outline, form: str) -> Picture:
    with Image.open(io.BytesIO(outline.content), formats=[form]) as image:
        _check_size(image, outline)
        if getattr(image, "n_frames", 1) > outline.frames:
            raise Unreadable("more frames than its header declares")
        stored, made = "WEBP" if form == "AVIF" else form, _Bounded()
        shown = animations.save(image, _completed(outline, image, form), stored, made)
    return _picture(shown, stored, made.getvalue())


def _decoded(outline: Outline, form: str) -> Any:
    """The only frame, or the default one: upright, in sRGB, shrunk to SIDE_MAX."""
    with Image.open(io.BytesIO(outline.content), formats=[form]) as image:
        _check_size(image, outline)
        if form == "JPEG":
            image.draft(None, (image.width // outline.scale, image.height // outline.scale))
        image.load()
        outline = _completed(outline, image, form)
        mode = "RGB" if form == "JPEG" else mode_of(image)
        made = shrunk(image, mode, SIDE_MAX, conversion_of(outline.colours, image.mode, mode))
        if made is image:  # it would keep the decoder and its canvas in memory
            made = image.copy()
        made.info = {}
    return upright(made, outline.orientation)


def _check_size(image: Any, outline: Outline) -> None:
    sides = zip(sorted(image.size), sorted((outline.width, outline.height)), strict=True)
    if any(side > declared for side, declared in sides):  # HEIC may be turned already
        raise Unreadable("larger than its header declares")


def _completed(outline: Outline, image: Any, form: str) -> Outline:
    """The outline with what only the decoder reads: in HEIC and AVIF, the profile is a property. So
    is the orientation, which the decoder of HEIC applies, and that of AVIF reports as EXIF."""
    if form not in ("HEIF", "AVIF"):
        return outline
    exif = image.info.get("exif", b"") if form == "AVIF" else b""
    return outline._replace(
        colours=Colours(profile_of(image.info.get("icc_profile") or b"")),
        orientation=orientation_of(exif.removeprefix(b"Exif\0\0")),
    )


def _stored_as(form: str, image: Any) -> str:
    """The format in which a picture is stored: its own, if every browser shows that."""
    if form in TYPES:
        return form
    return "PNG" if image.mode == "RGBA" else "JPEG"


class _Bounded(io.BytesIO):
    """An in-memory file of at most CONTENT_MAX bytes; a write beyond it raises Unreadable."""

    def write(self, content: Any, /) -> int:
        if self.tell() + len(content) > CONTENT_MAX:
            raise Unreadable("too large after it is encoded again")
        return super().write(content)


def _picture(image: Any, form: str, content: bytes = b"") -> Picture:
    """The result with an upright `image`, and its encoded `content` if there is more to it."""
    return Picture(
        content_type=TYPES[form],
        content=content or _encoded(image, form),
        thumbnail=_encoded(shrunk(image, image.mode, THUMBNAIL), "WEBP"),
        width=image.width,
        height=image.height,
    )


def _encoded(image: Any, form: str) -> bytes:
    made = _Bounded()
    image = with_palette(image) if form == "GIF" else image
    image.save(made, form, quality=QUALITY)
    return made.getvalue()
