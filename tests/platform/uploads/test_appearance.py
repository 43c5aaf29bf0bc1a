"""A re-encoded picture looks as it did: its frames, durations, repetitions and colours."""

import io
import zlib
from typing import Any

import pillow_heif
import pytest
from PIL import Image, ImageChops, ImageCms, ImageOps, ImageStat

from handlers.platform.uploads.pictures import Picture, reencode, reencode_heic
from tests.platform.uploads.bombs import chunk_of_png, png_of, rows
from tests.platform.uploads.profiles import cmyk_profile, grey_profile, rgb_profile

pillow_heif.register_heif_opener()
SIDE = 48
SRGB = ImageCms.createProfile("sRGB")
Scene = tuple[Image.Image, float]
"""A frame and its duration in milliseconds."""


def opened(content: bytes) -> Image.Image:
    return Image.open(io.BytesIO(content))


def encoded(image: Image.Image, form: str, **more: Any) -> bytes:
    made = io.BytesIO()
    image.save(made, form, **more)
    return made.getvalue()


def again(content: bytes, kind: str) -> Picture:
    return reencode_heic(content) if kind == "image/heic" else reencode(content, kind)


def scenes(content: bytes) -> list[Scene]:
    """The frames as displayed. Equal ones in a row are one, which lasts as long as they do."""
    found: list[Scene] = []
    with opened(content) as image:
        first = 1 if image.info.get("default_image") else 0
        for number in range(first, getattr(image, "n_frames", 1)):
            image.seek(number)
            frame, duration_ms = image.convert("RGBA"), image.info.get("duration", 0)
            if found and alike(found[-1][0], frame, most=0):
                found[-1] = (frame, found[-1][1] + duration_ms)
            else:
                found.append((frame, duration_ms))
    return found


def alike(one: Image.Image, other: Image.Image, most: float) -> bool:
    """Whether they look alike on white and on black: they differ by at most `most` of 255."""
    if one.size != other.size:
        return False
    for ground in ("white", "black"):
        papers = []
        for image in (one, other):
            paper = Image.new("RGBA", image.size, ground)
            papers.append(Image.alpha_composite(paper, image.convert("RGBA")).convert("RGB"))
        if max(ImageStat.Stat(ImageChops.difference(*papers)).mean) > most:
            return False
    return True


def assert_same(before: list[Scene], after: list[Scene], most: float) -> None:
    assert [duration for _, duration in after] == [duration for _, duration in before]
    for number, ((old, _), (new, _)) in enumerate(zip(before, after, strict=True)):
        assert alike(old, new, most), number


def scenery(mode: str = "RGBA", shift: int = 0, side: int = SIDE) -> Image.Image:
    """A gradient with a disc that moves by `shift`; transparent around it if the mode can be so."""
    image = Image.linear_gradient("L").resize((side, side)).convert("RGB")
    image.paste("red", (shift, 4, shift + 12, 16))
    if mode == "RGBA":
        image.putalpha(255)
        image.paste((0, 0, 0, 0), (0, 30, 20 + shift, 48))
    return image.convert(mode)


# Still pictures.

STILL: dict[str, tuple[bytes, str, float]] = {
    "JPEG": (encoded(scenery("RGB"), "JPEG", quality=95), "image/jpeg", 4),
    "progressive JPEG": (encoded(scenery("RGB"), "JPEG", progressive=True), "image/jpeg", 4),
    "grey JPEG": (encoded(scenery("L"), "JPEG"), "image/jpeg", 4),
    "CMYK JPEG": (encoded(scenery("RGB").convert("CMYK"), "JPEG", quality=95), "image/jpeg", 4),
    "PNG": (encoded(scenery("RGB"), "PNG"), "image/png", 0),
    "transparent PNG": (encoded(scenery(), "PNG"), "image/png", 0),
    "grey PNG": (encoded(scenery("L"), "PNG"), "image/png", 0),
    "grey transparent PNG": (encoded(scenery("LA"), "PNG"), "image/png", 0),
    "black and white PNG": (encoded(scenery("1"), "PNG"), "image/png", 0),
    "PNG with a palette": (encoded(scenery("RGB").quantize(40), "PNG"), "image/png", 0),
    "PNG with a transparent palette colour": (
        encoded(scenery("RGB").quantize(40), "PNG", transparency=3),
        "image/png",
        0,
    ),
    "PNG with several alphas in its palette": (
        encoded(scenery("RGB").quantize(8), "PNG", transparency=bytes(range(0, 256, 32))),
        "image/png",
        0,
    ),
    "PNG with a transparent colour": (
        encoded(scenery("RGB"), "PNG", transparency=(255, 0, 0)),
        "image/png",
        0,
    ),
    "PNG with 16 bits": (
        png_of((9, 9), 16, 2, rows(9, 9, b"\x12\x34\xab\xcd\xff\xff")),
        "image/png",
        0,
    ),
    "lossy WebP": (encoded(scenery("RGB"), "WEBP", quality=95), "image/webp", 4),
    "lossless WebP": (encoded(scenery("RGB"), "WEBP", lossless=True), "image/webp", 4),
    "transparent WebP": (encoded(scenery(), "WEBP", quality=95), "image/webp", 4),
    "GIF": (encoded(scenery("RGB"), "GIF"), "image/gif", 0),
    "transparent GIF": (encoded(scenery(), "GIF"), "image/gif", 0),
    "HEIC": (encoded(scenery("RGB", side=96), "HEIF", quality=90), "image/heic", 4),
    "transparent HEIC": (encoded(scenery(side=96), "HEIF", quality=90), "image/heic", 4),
    "AVIF": (encoded(scenery("RGB"), "AVIF", quality=90), "image/avif", 4),
    "transparent AVIF": (encoded(scenery(), "AVIF", quality=90), "image/avif", 4),
}


@pytest.mark.parametrize(("content", "kind", "most"), STILL.values(), ids=STILL)
def test_a_still_picture_looks_the_same(content, kind, most):
    made = again(content, kind)
    assert_same([(opened(content).convert("RGBA"), 0)], scenes(made.content), most)
    assert (made.width, made.height) == opened(content).size
    assert alike(opened(made.thumbnail), opened(content), 6)


def interlaced_png() -> bytes:
    """An 8×8 grey PNG whose rows come in the seven passes of Adam7."""
    passes = ((0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4), (1, 0, 2, 2))
    passes += ((0, 1, 1, 2),)
    data = b"".join(
        b"\0" + bytes(28 * x + 3 * y for x in range(left, 8, across))
        for left, top, across, down in passes
        for y in range(top, 8, down)
    )
    header = (8).to_bytes(4) * 2 + bytes([8, 0, 0, 0, 1])
    chunks = ((b"IHDR", header), (b"IDAT", zlib.compress(data)), (b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunk_of_png(*chunk) for chunk in chunks)


def test_an_interlaced_picture_looks_the_same():
    made = opened(reencode(interlaced_png(), "image/png").content)
    assert [made.getpixel((x, 5))[0] for x in range(8)] == [28 * x + 15 for x in range(8)]


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("form", ["HEIF", "AVIF"])
def test_a_turned_heic_or_avif_becomes_upright(form, orientation):
    exif = Image.Exif()
    exif[0x0112] = orientation
    content = encoded(scenery("RGB", side=96).crop((0, 0, 96, 64)), form, exif=exif.tobytes())
    made = again(content, {"HEIF": "image/heic", "AVIF": "image/avif"}[form])
    assert alike(opened(made.content), ImageOps.exif_transpose(opened(content)), 4)


def test_pictures_that_not_every_browser_shows_are_stored_as_others():
    pairs = (("HEIC", "jpeg"), ("transparent HEIC", "png"), ("AVIF", "jpeg"))
    for name, stored in (*pairs, ("transparent AVIF", "png"), ("GIF", "gif")):
        content, kind, _ = STILL[name]
        made = again(content, kind)
        assert made.content_type == f"image/{stored}"
        assert opened(made.content).format == stored.upper()


def test_the_primary_picture_of_several_in_a_heic_is_shown():
    others = [scenery("RGB", 20, side=96), scenery("RGB", 30, side=96)]
    content = encoded(
        scenery("RGB", side=96), "HEIF", save_all=True, append_images=others, primary_index=1
    )
    assert alike(opened(reencode_heic(content).content), others[0], 4)


def test_metadata_are_removed_from_heic_and_avif():
    exif = Image.Exif()
    exif[0x010E] = "taken at home"
    more = {"exif": exif.tobytes(), "xmp": b"<x>taken at home</x>", "icc_profile": rgb_profile()}
    for form, kind in (("HEIF", "image/heic"), ("AVIF", "image/avif")):
        content = encoded(scenery("RGB", side=96), form, **more)
        assert content.count(b"taken at home") == 3
        made = again(content, kind)
        for one in (made.content, made.thumbnail):
            assert b"at home" not in one
            assert not {"exif", "xmp", "icc_profile"} & set(opened(one).info)


# Animations.

DURATIONS = [50, 120, 70, 10]
FRAMES = [scenery("RGB", shift) for shift in (0, 9, 18, 27)]
CLEAR_FRAMES = [scenery("RGBA", shift) for shift in (0, 9, 18, 27)]


def animated(form: str, frames: list[Image.Image], **more: Any) -> bytes:
    more = {"duration": DURATIONS[: len(frames)], "append_images": frames[1:], **more}
    return encoded(frames[0], form, save_all=True, **more)


MOVING: dict[str, tuple[bytes, str, float]] = {
    "GIF": (animated("GIF", FRAMES), "image/gif", 0),
    "transparent GIF": (animated("GIF", CLEAR_FRAMES, disposal=2), "image/gif", 0),
    "GIF that keeps frames": (animated("GIF", CLEAR_FRAMES, disposal=1), "image/gif", 0),
    "GIF that restores frames": (animated("GIF", CLEAR_FRAMES, disposal=3), "image/gif", 0),
    "GIF with equal frames": (animated("GIF", [*FRAMES[:2], FRAMES[1]]), "image/gif", 0),
    "WebP": (animated("WEBP", FRAMES, quality=95), "image/webp", 4),
    "lossless WebP": (animated("WEBP", FRAMES, lossless=True), "image/webp", 4),
    "transparent WebP": (animated("WEBP", CLEAR_FRAMES, quality=95), "image/webp", 4),
    "PNG": (animated("PNG", FRAMES), "image/png", 0),
    "transparent PNG": (animated("PNG", CLEAR_FRAMES), "image/png", 0),
    "PNG that blends": (animated("PNG", CLEAR_FRAMES, blend=1), "image/png", 0),
    "PNG that clears frames": (animated("PNG", CLEAR_FRAMES, disposal=1), "image/png", 0),
    "PNG that restores frames": (animated("PNG", CLEAR_FRAMES, disposal=2), "image/png", 0),
    "PNG with a palette": (
        animated("PNG", [frame.quantize(40) for frame in FRAMES]),
        "image/png",
        0,
    ),
    "AVIF": (animated("AVIF", FRAMES, quality=95), "image/avif", 4),
    "transparent AVIF": (animated("AVIF", CLEAR_FRAMES, quality=95), "image/avif", 4),
}


@pytest.mark.parametrize(("content", "kind", "most"), MOVING.values(), ids=MOVING)
def test_an_animation_keeps_its_frames_and_durations(content, kind, most):
    made = reencode(content, kind)
    before = scenes(content)
    assert len(before) > 1
    assert_same(before, scenes(made.content), most)
    assert alike(opened(made.thumbnail), before[0][0], 6)
    assert (made.width, made.height) == opened(content).size


@pytest.mark.parametrize("plays", [None, 0, 1, 3])
@pytest.mark.parametrize("form", ["GIF", "PNG", "WEBP"])
def test_an_animation_repeats_as_often_as_it_did(form, plays):
    content = animated(form, FRAMES, **({} if plays is None else {"loop": plays}))
    made = opened(reencode(content, f"image/{form.lower()}").content)
    assert made.n_frames == len(FRAMES)
    assert made.info.get("loop") == opened(content).info.get("loop")
    assert form != "GIF" or ("loop" in made.info) is (plays is not None)


def test_a_large_animation_is_shrunk(monkeypatch):
    monkeypatch.setattr("handlers.platform.uploads.animations.SIDE_MAX", 24)
    for name in ("GIF", "transparent WebP", "PNG", "AVIF"):
        content, kind, _ = MOVING[name]
        made = reencode(content, kind)
        assert (made.width, made.height) == (24, 24)
        expected = [(frame.resize((24, 24)), duration) for frame, duration in scenes(content)]
        assert_same(expected, scenes(made.content), 8)


def test_a_turned_animation_becomes_upright():
    exif = Image.Exif()
    exif[0x0112] = 6
    for form in ("PNG", "WEBP"):
        content = animated(form, FRAMES, exif=exif)
        made = reencode(content, f"image/{form.lower()}")
        turn = Image.Transpose.ROTATE_270
        expected = [(frame.transpose(turn), duration) for frame, duration in scenes(content)]
        assert_same(expected, scenes(made.content), 4)


def test_a_hidden_default_image_of_a_png_stays_hidden():
    content = animated("PNG", FRAMES, default_image=True, duration=[120, 70, 10])
    made = reencode(content, "image/png")
    assert opened(content).info["default_image"]
    assert opened(made.content).info["default_image"]
    assert_same(scenes(content), scenes(made.content), 0)
    assert alike(opened(made.content), FRAMES[0], 0)
    assert alike(opened(made.thumbnail), FRAMES[1], 6), "which no browser shows"


def test_a_png_whose_frames_were_cut_off_shows_the_others():
    """Its header declares more frames than it has."""
    content = animated("PNG", FRAMES)
    at = content.rindex(b"fcTL") - 4
    made = reencode(content[:at] + chunk_of_png(b"IEND", b""), "image/png")
    assert_same(scenes(content)[:3], scenes(made.content), 0)


def test_a_frame_control_outside_an_animation_is_ignored():
    stray = png_of((9, 9), 8, 2, rows(9, 9, b"abc"), chunk_of_png(b"fcTL", bytes(26)))
    assert opened(reencode(stray, "image/png").content).getpixel((4, 4)) == tuple(b"abc")


# Colours.


def test_a_colour_profile_is_converted_to_srgb():
    profile = rgb_profile(gamma=1.4)
    for form, kind, most in (
        *(("JPEG", "image/jpeg", 4), ("PNG", "image/png", 1), ("WEBP", "image/webp", 4)),
        *(("HEIF", "image/heic", 4), ("AVIF", "image/avif", 4)),
    ):
        content = encoded(scenery("RGB", side=96), form, icc_profile=profile)
        plain = opened(content).convert("RGB")
        expected = ImageCms.profileToProfile(plain, io.BytesIO(profile), SRGB)
        made = again(content, kind)
        assert not alike(plain, expected, 2 * most)
        assert alike(opened(made.content), expected, most), form
        assert alike(opened(made.thumbnail), expected, most + 2), form
        assert "icc_profile" not in opened(made.content).info


def test_the_profile_of_a_transparent_picture_changes_only_its_colours():
    content = encoded(scenery(), "PNG", icc_profile=rgb_profile())
    made = opened(reencode(content, "image/png").content)
    assert made.getchannel("A").tobytes() == opened(content).getchannel("A").tobytes()
    plain = opened(content).convert("RGB")
    expected = ImageCms.profileToProfile(plain, io.BytesIO(rgb_profile()), SRGB)
    expected.putalpha(made.getchannel("A"))
    assert alike(made, expected, 1)


def test_the_profile_of_an_animation_is_converted_in_every_frame():
    for form in ("PNG", "WEBP"):
        content = animated(form, FRAMES, icc_profile=rgb_profile())
        made = scenes(reencode(content, f"image/{form.lower()}").content)
        for (after, _), (before, _) in zip(made, scenes(content), strict=True):
            plain = before.convert("RGB")
            expected = ImageCms.profileToProfile(plain, io.BytesIO(rgb_profile()), SRGB)
            assert alike(after, expected, 4)


def test_a_grey_profile_is_converted_to_srgb():
    for mode in ("L", "LA"):
        content = encoded(scenery(mode), "PNG", icc_profile=grey_profile())
        made = opened(reencode(content, "image/png").content)
        grey = opened(content).convert("L")
        expected = ImageCms.profileToProfile(
            grey, io.BytesIO(grey_profile()), SRGB, outputMode="RGB"
        )
        assert alike(made.convert("RGB"), expected, 1)
        assert not alike(grey, expected, 20)


def test_a_profile_of_a_press_is_converted_to_srgb():
    content = encoded(
        scenery("RGB").convert("CMYK"), "JPEG", icc_profile=cmyk_profile(), quality=95
    )
    cmyk = opened(content)
    expected = ImageCms.profileToProfile(cmyk, io.BytesIO(cmyk_profile()), SRGB, outputMode="RGB")
    made = opened(reencode(content, "image/jpeg").content)
    assert alike(made, expected, 4)
    assert not alike(made, cmyk.convert("RGB"), 20)


def test_a_profile_that_is_invalid_or_of_another_kind_of_picture_is_ignored():
    plain = scenery("RGB")
    for profile in (
        b"profile",
        rgb_profile()[:200],
        rgb_profile()[:130] + bytes(70),
        cmyk_profile(),
    ):
        made = reencode(encoded(plain, "PNG", icc_profile=profile), "image/png")
        assert alike(opened(made.content), plain, 0)


def test_a_profile_in_many_parts_of_a_jpeg_is_joined():
    profile = rgb_profile() + bytes(70_000)
    profile = len(profile).to_bytes(4) + profile[4:]
    content = encoded(scenery("RGB"), "JPEG", icc_profile=profile)
    assert content.count(b"ICC_PROFILE") == 2
    expected = ImageCms.profileToProfile(opened(content), io.BytesIO(rgb_profile()), SRGB)
    assert alike(opened(reencode(content, "image/jpeg").content), expected, 4)


def test_the_exponent_of_a_png_is_applied_unless_it_is_that_of_srgb():
    def with_chunks(*chunks: tuple[bytes, bytes]) -> tuple[int, ...]:
        more = [chunk_of_png(*chunk) for chunk in chunks]
        content = png_of((9, 9), 8, 2, rows(9, 9, b"\x40\x80\xc0"), *more)
        return opened(reencode(content, "image/png").content).getpixel((4, 4))

    linear, usual = (100_000).to_bytes(4), (45_455).to_bytes(4)
    assert with_chunks((b"gAMA", usual)) == (0x40, 0x80, 0xC0)
    assert with_chunks((b"gAMA", linear)) == pytest.approx((137, 188, 225), abs=1)
    assert with_chunks((b"gAMA", linear), (b"sRGB", b"\0")) == (0x40, 0x80, 0xC0)
    assert with_chunks((b"gAMA", bytes(4))) == (0x40, 0x80, 0xC0)
