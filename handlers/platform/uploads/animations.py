"""Re-encodes animations: every frame as it is displayed, its duration, and how often they repeat.

The decoder draws each frame over the previous ones, so that the result needs no rules for that.
"""

import io
from collections.abc import Iterator
from typing import Any

from handlers.platform.uploads.colours import conversion_of
from handlers.platform.uploads.headers.outline import SIDE_MAX, Outline
from handlers.platform.uploads.pixels import mode_of, shrunk, upright

QUALITY = 88
COLOURS_MAX = 256
OPAQUE_FROM = 128
"""A pixel of a GIF with less alpha is transparent."""
TO_BACKGROUND = 2
"""The disposal of a GIF frame that is removed before the next one."""


def save(image: Any, outline: Outline, form: str, to: io.BytesIO) -> Any:
    """Write all frames of an open image as `form`, and return the first frame that is shown."""
    frames = _frames(image, outline)
    first = next(frames)
    if form == "GIF":
        _save_gif(first, frames, outline.plays, to)
        return first
    others = list(frames)
    if form == "WEBP":
        _save_webp([first, *others], outline.plays or 0, to)
        return first
    is_hidden = bool(image.info.get("default_image"))
    options = {"save_all": True, "append_images": others, "default_image": is_hidden}
    first.save(to, form, loop=outline.plays or 0, **options)
    return others[0] if is_hidden else first


def _frames(image: Any, outline: Outline) -> Iterator[Any]:
    """Yield each frame as displayed, with its duration only; one frame is in memory at a time."""
    for number in range(image.n_frames):
        image.seek(number)
        image.load()
        mode = mode_of(image)
        conversion = conversion_of(outline.colours, image.mode, mode)
        made = upright(shrunk(image, mode, SIDE_MAX, conversion), outline.orientation)
        made = made.copy() if made is image else made
        duration_ms = image.info.get("duration")
        made.info = {} if duration_ms is None else {"duration": duration_ms}
        yield made


def _save_gif(first: Any, others: Iterator[Any], plays: int | None, to: io.BytesIO) -> None:
    options: dict[str, Any] = {} if plays is None else {"loop": plays}
    if first.mode == "RGBA":  # else the previous frame would shine through
        options["disposal"] = TO_BACKGROUND
    frames = (with_palette(frame) for frame in others)
    with_palette(first).save(to, "GIF", save_all=True, append_images=frames, **options)


def _save_webp(frames: list[Any], plays: int, to: io.BytesIO) -> None:
    """Only the first frame is complete (`kmax=0`); others are encoded once, as differences."""
    options = {"save_all": True, "append_images": frames[1:], "quality": QUALITY, "kmax": 0}
    durations = [round(frame.info.get("duration", 0)) for frame in frames]
    frames[0].save(to, "WEBP", duration=durations, loop=plays, **options)


def with_palette(image: Any) -> Any:
    """An image with at most 256 colours, which are exact if it has no more. One of them is
    transparent if the image has an alpha channel."""
    transparent = image.mode == "RGBA"
    made = image.convert("RGB").quantize(COLOURS_MAX - transparent)
    made.info = dict(image.info)
    if transparent:
        clear = COLOURS_MAX - 1
        made.putpalette((made.getpalette() + [0] * 3 * COLOURS_MAX)[: 3 * COLOURS_MAX])
        made.paste(clear, mask=image.getchannel("A").point(lambda alpha: alpha < OPAQUE_FROM, "1"))
        made.info["transparency"] = clear
    return made
