"""Pictures are re-encoded from their pixels, within limits that are checked in their headers."""

import io
import struct
import time
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image, ImageChops, ImageOps, ImageStat

from handlers.kit.sandbox import Unreadable
from handlers.platform.uploads import pictures
from handlers.platform.uploads.headers import jpeg, outline
from handlers.platform.uploads.headers.exif import orientation_of
from handlers.platform.uploads.pictures import FORMATS, reencode, reencode_heic
from tests.platform.uploads.bombs import BOMBS, METADATA_BOMBS, gif_of, webp_with_vast_canvas
from tests.platform.uploads.uploading import geotagged_picture, picture

KINDS = {"JPEG": "image/jpeg", "PNG": "image/png", "WEBP": "image/webp", "GIF": "image/gif"}
KINDS |= {"AVIF": "image/avif"}


def opened(content: bytes) -> Image.Image:
    return Image.open(io.BytesIO(content))


def close(one: Image.Image, other: Image.Image, most: float = 6.0) -> bool:
    """Whether two pictures look alike: pixels differ by less than `most` of 255 on average."""
    difference = ImageChops.difference(one.convert("RGB"), other.convert("RGB"))
    return one.size == other.size and max(ImageStat.Stat(difference).mean) < most


def encoded(image: Image.Image, form: str, **more: Any) -> bytes:
    made = io.BytesIO()
    image.save(made, form, **more)
    return made.getvalue()


def corners() -> Image.Image:
    """A picture that looks different in every orientation."""
    image = Image.new("RGB", (64, 48), "white")
    for colour, box in (
        ("red", (0, 0, 32, 24)),
        ("blue", (32, 0, 64, 24)),
        ("black", (0, 24, 9, 48)),
    ):
        image.paste(colour, box)
    return image


def animated(count: int, form: str = "GIF", size: tuple[int, int] = (16, 16)) -> bytes:
    """An animation with `count` frames, each in a different red."""
    frames = [Image.new("RGB", size, (number * 50 + 10, 0, 0)) for number in range(count)]
    return encoded(frames[0], form, save_all=True, append_images=frames[1:])


# Limits.


@pytest.mark.parametrize(("content", "kind"), BOMBS.values(), ids=BOMBS)
def test_a_decompression_bomb_is_refused_before_decoding(content, kind, monkeypatch):
    monkeypatch.delattr(pictures.Image, "open")
    began = time.thread_time()
    with pytest.raises(Unreadable) as refused:
        reencode(content, kind)
    assert "not decodable" not in str(refused.value), "nothing tried"
    assert time.thread_time() - began < 1


def test_a_vast_canvas_counts_even_if_its_frame_is_tiny():
    with pytest.raises(Unreadable, match="memory"):
        reencode(webp_with_vast_canvas(), "image/webp")
    assert len(webp_with_vast_canvas()) < 130


@pytest.mark.parametrize(("content", "kind", "size"), METADATA_BOMBS.values(), ids=METADATA_BOMBS)
def test_large_metadata_is_skipped_and_removed(content, kind, size):
    began = time.thread_time()
    made = reencode(content, kind)
    assert (made.width, made.height) == size
    decoded = FORMATS[kind].outline_of(content).content
    assert max(len(made.content), len(decoded)) < len(content) / 10
    assert time.thread_time() - began < 1


def test_the_pixels_and_frames_of_a_picture_are_limited(monkeypatch):
    monkeypatch.setattr(outline, "PIXELS_MAX", 640 * 480 - 1)
    for form, kind in KINDS.items():
        with pytest.raises(Unreadable, match="pixels"):
            reencode(picture(form), kind)
    monkeypatch.setattr(outline, "PIXELS_MAX", 640 * 480)
    monkeypatch.setattr(outline, "FRAMES_MAX", 2)
    for form in ("GIF", "PNG", "WEBP", "AVIF"):
        with pytest.raises(Unreadable, match="frames"):
            reencode(animated(3, form), f"image/{form.lower()}")


def test_a_jpeg_with_too_many_scans_or_segments_is_refused():
    whole = picture(progressive=True)
    end = len(whole) - 2
    last = whole.rindex(b"\xff\xda")
    assert reencode(whole + b"\xff\xda" * 1_000, "image/jpeg"), "what follows it is not drawn"
    assert reencode(whole[:end] + whole[last:end] * 20 + whole[end:], "image/jpeg")
    with pytest.raises(Unreadable, match="scans"):
        reencode(whole[:end] + whole[last:end] * 200 + whole[end:], "image/jpeg")
    with pytest.raises(Unreadable, match="segments"):
        reencode(whole[:2] + b"\xff\xee\x00\x02" * 10_000 + whole[2:], "image/jpeg")


def test_larger_jpegs_may_have_fewer_scans(monkeypatch):
    whole = picture(progressive=True)
    scans = whole.count(b"\xff\xda")
    monkeypatch.setattr(jpeg, "DRAWN_MAX", scans * 640 * 480)
    assert reencode(whole, "image/jpeg")
    monkeypatch.setattr(jpeg, "DRAWN_MAX", scans * 640 * 480 - 1)
    with pytest.raises(Unreadable, match="scans"):
        reencode(whole, "image/jpeg")


def test_a_picture_that_grows_too_much_when_re_encoded_is_refused(monkeypatch):
    monkeypatch.setattr(pictures, "CONTENT_MAX", 100)
    for form, kind in KINDS.items():
        with pytest.raises(Unreadable, match="encoded again"):
            reencode(picture(form), kind)
    with pytest.raises(Unreadable, match="encoded again"):
        reencode(animated(5), "image/gif")


@pytest.mark.parametrize("form", KINDS)
def test_corrupt_pictures_raise_only_unreadable(form):
    good = picture(form, (64, 48))
    for cut in range(4, min(len(good), 900), 3):
        for broken in (good[:cut], good[:cut] + b"\xff\x00\xff" + good[cut + 3 :]):
            try:
                reencode(broken, KINDS[form])
            except Unreadable:
                continue


@pytest.mark.parametrize("form", ["GIF", "PNG", "WEBP", "AVIF"])
def test_corrupt_animations_raise_only_unreadable(form):
    good = animated(3, form)
    for cut in range(4, len(good), max(1, len(good) // 150)):
        for broken in (good[:cut], good[:cut] + b"\xff\x00\xff" + good[cut + 3 :]):
            try:
                reencode(broken, KINDS[form])
            except Unreadable:
                continue


def test_corrupt_heic_files_raise_only_unreadable():
    good = encoded(corners().resize((96, 96)), "HEIF")
    for cut in range(4, len(good), max(1, len(good) // 150)):
        for broken in (good[:cut], good[:cut] + b"\xff\x00\xff" + good[cut + 3 :]):
            try:
                reencode_heic(broken)
            except Unreadable:
                continue


@given(content=st.binary(max_size=400), form=st.sampled_from(sorted(KINDS)))
def test_arbitrary_headers_raise_only_unreadable(content: bytes, form: str):
    begins = picture(form, (8, 8))[:40]
    for tried in (content, begins[:13] + content, begins + content):
        try:
            FORMATS[KINDS[form]].outline_of(tried)
        except Unreadable:
            continue


# Results.


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("form", ["JPEG", "PNG", "WEBP"])
def test_the_exif_orientation_is_applied_to_the_pixels(form, orientation):
    exif = Image.Exif()
    exif[0x0112] = orientation
    content = encoded(corners(), form, exif=exif)
    made = opened(reencode(content, KINDS[form]).content)
    assert close(made, ImageOps.exif_transpose(opened(content)))
    assert not made.getexif()


@pytest.mark.parametrize("order", ["<", ">"])
def test_the_exif_orientation_is_read_in_both_byte_orders(order):
    marks = {"<": b"II*\0", ">": b"MM\0*"}
    block = marks[order] + struct.pack(f"{order}IHHHIH2x", 8, 1, 0x0112, 3, 1, 8)
    assert orientation_of(block) == 8
    for wrong in (b"", block[:9], block[:15], b"XX" + block[2:], block[:4] + b"\xff" * 14):
        assert orientation_of(wrong) == 1


@pytest.mark.parametrize("form", KINDS)
def test_a_large_picture_is_scaled_down_as_pillow_does_it(form, monkeypatch):
    monkeypatch.setattr(pictures, "SIDE_MAX", 300)
    content = picture(form, (1_000, 700))
    made = opened(reencode(content, KINDS[form]).content)
    expected = opened(content).convert("RGB")
    expected.thumbnail((300, 300))
    assert made.size == (300, 210)
    assert close(made, expected)


@pytest.mark.parametrize("mode", ["RGB", "RGBA", "L", "LA", "P", "I;16"])
@pytest.mark.parametrize("side_max", [4_096, 100])
def test_a_png_of_any_mode_keeps_its_appearance(mode, side_max, monkeypatch):
    monkeypatch.setattr(pictures, "SIDE_MAX", side_max)
    source = corners().resize((160, 120)).convert("L" if mode == "I;16" else mode)
    if mode == "I;16":
        source = source.convert("I").point(lambda value: value * 256).convert("I;16")
    made = opened(reencode(encoded(source, "PNG"), "image/png").content)
    looked = corners().resize((160, 120)).convert("RGB" if mode in ("RGB", "RGBA", "P") else "L")
    looked.thumbnail((side_max, side_max))
    assert made.mode == ("RGBA" if mode in ("RGBA", "LA") else "RGB")
    assert close(made, looked, most=12)


def test_transparency_is_kept():
    clear = Image.new("RGBA", (40, 40), (255, 0, 0, 0))
    clear.paste((0, 0, 255, 255), (0, 0, 20, 40))
    for form in ("PNG", "WEBP", "GIF"):
        made = opened(reencode(encoded(clear, form), KINDS[form]).content).convert("RGBA")
        assert made.getpixel((35, 20))[3] == 0, form
        assert made.getpixel((5, 20))[3] == 255, form


def test_a_transparent_palette_colour_stays_transparent():
    image = Image.new("P", (30, 30), 1)
    image.putpalette([255, 0, 0, 0, 255, 0])
    image.paste(0, (0, 0, 15, 30))
    made = opened(reencode(encoded(image, "PNG", transparency=0), "image/png").content)
    assert (made.getpixel((5, 5))[3], made.getpixel((25, 5))) == (0, (0, 255, 0, 255))


def test_a_cmyk_jpeg_is_converted_to_rgb():
    made = opened(reencode(encoded(corners().convert("CMYK"), "JPEG"), "image/jpeg").content)
    assert made.mode == "RGB"
    assert close(made, corners(), most=12)


def test_a_jpeg_that_needs_too_much_memory_is_decoded_at_half_size():
    side = 6_300
    content = encoded(Image.new("RGB", (side, side), "teal"), "JPEG", progressive=True)
    made = reencode(content, "image/jpeg")
    assert (made.width, made.height) == (side // 2, side // 2)
    assert opened(made.content).getpixel((9, 9)) == pytest.approx((0, 128, 128), abs=3)


def test_frames_outside_the_logical_screen_enlarge_a_gif():
    made = opened(reencode(gif_of((1, 1), (0, 0, 1, 1), (6, 3, 1, 1)), "image/gif").content)
    assert (made.size, made.n_frames) == ((7, 4), 2)


def test_metadata_is_removed_from_pictures():
    for made in (
        reencode(picture(comment=b"taken at home", icc_profile=b"profile"), "image/jpeg"),
        reencode(geotagged_picture(), "image/jpeg"),
        reencode(picture("PNG", icc_profile=b"profile", exif=b"Exif at home"), "image/png"),
        reencode(picture("WEBP", icc_profile=b"profile", exif=b"Exif at home"), "image/webp"),
        reencode(picture("GIF", comment=b"taken at home"), "image/gif"),
    ):
        for content in (made.content, made.thumbnail):
            for metadata in (b"at home", b"profile", b"Exif"):
                assert metadata not in content
