"""Small files that decode to huge pictures or metadata, built byte by byte."""

import io
import struct
import zlib

from PIL import Image

from tests.platform.uploads.uploading import picture

HUGE = 6_324
"""The side of the largest square with at most 40 million pixels."""
_NO_ENTRIES_END = b"\0\0\0\0"


def exif(orientation: int, entries: int = 0, value_size: int = 0) -> bytes:
    """TIFF with an orientation, and `entries` that all refer to the same `value_size` bytes."""
    first = struct.pack("<HHII", 0x0112, 3, 1, orientation)
    more = b"".join(
        struct.pack("<HHII", 0x1000 + number, 7, value_size, 8) for number in range(entries)
    )
    count = struct.pack("<H", 1 + entries)
    return b"II*\0\x08\0\0\0" + count + first + more + _NO_ENTRIES_END


# WebP


def riff(*chunks: tuple[bytes, bytes]) -> bytes:
    body = b"WEBP" + b"".join(
        kind + struct.pack("<I", len(data)) + data + b"\0" * (len(data) % 2)
        for kind, data in chunks
    )
    return b"RIFF" + struct.pack("<I", len(body)) + body


def canvas(width: int, height: int, flags: int = 0x0A) -> tuple[bytes, bytes]:
    sides = (width - 1).to_bytes(3, "little") + (height - 1).to_bytes(3, "little")
    return b"VP8X", bytes([flags, 0, 0, 0]) + sides


def tiny_frame() -> tuple[bytes, bytes]:
    """An animation frame of one pixel, shown for a tenth of a second."""
    made = io.BytesIO()
    Image.new("RGB", (1, 1), "red").save(made, "WEBP", lossless=True)
    return b"ANMF", bytes(12) + (100).to_bytes(3, "little") + b"\0" + made.getvalue()[12:]


def webp_with_vast_canvas() -> bytes:
    return riff(canvas(HUGE, HUGE), (b"ANIM", bytes(6)), tiny_frame(), (b"EXIF", exif(6)))


# PNG


def chunk_of_png(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def png_of(size: tuple[int, int], depth: int, colours: int, pixels: bytes, *more: bytes) -> bytes:
    """`pixels` are the deflated rows; `more` are chunks before them."""
    header = struct.pack(">IIBBBBB", *size, depth, colours, 0, 0, 0)
    chunks = (chunk_of_png(b"IHDR", header), *more, chunk_of_png(b"IDAT", pixels))
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunks) + chunk_of_png(b"IEND", b"")


def rows(width: int, height: int, pixel: bytes) -> bytes:
    """Deflated rows that repeat one pixel, compressed row by row."""
    deflate, row = zlib.compressobj(1), b"\0" + pixel * width
    return b"".join(deflate.compress(row) for _ in range(height)) + deflate.flush()


def png_with_texts(count: int) -> bytes:
    """A 10×10 PNG with texts and a profile that decompress to at least a megabyte each."""
    compressed = zlib.compress(bytes(1_000_000), 9)
    texts = [chunk_of_png(b"zTXt", b"a%d\0\0" % number + compressed) for number in range(count)]
    profile = chunk_of_png(b"iCCP", b"p\0\0" + zlib.compress(bytes(100_000_000), 9))
    return png_of((10, 10), 8, 2, rows(10, 10, b"\1\2\3"), profile, *texts)


# JPEG


def segment(marker: int, data: bytes) -> bytes:
    return bytes([0xFF, marker]) + struct.pack(">H", len(data) + 2) + data


def frame_of_jpeg(width: int, height: int, marker: int = 0xC0, components: int = 3) -> bytes:
    each = b"".join(bytes([number, 0x11, 0]) for number in range(1, components + 1))
    return segment(marker, struct.pack(">BHHB", 8, height, width, components) + each)


def with_frame(content: bytes, frame: bytes) -> bytes:
    """A JPEG with its frame header replaced."""
    at = content.index(b"\xff\xc0")
    end = at + 2 + int.from_bytes(content[at + 2 : at + 4])
    return content[:at] + frame + content[end:]


def jpeg_with_exif(count: int) -> bytes:
    """`count` EXIF segments, which readers concatenate, with entries that share their bytes."""
    block = exif(6, entries=5_000, value_size=60_000)
    parts = segment(0xE1, b"Exif\0\0" + block.ljust(65_000, b"\0")) * count
    return picture()[:2] + parts + picture()[2:]


# GIF


def gif_of(
    screen: tuple[int, int], *frames: tuple[int, int, int, int], between: bytes = b""
) -> bytes:
    """Frames of (left, top, width, height), each with one white pixel after `between`."""
    head = b"GIF89a" + struct.pack("<HH", *screen) + b"\x80\0\0" + b"\0\0\0\xff\xff\xff"
    data = b"\x02\x02\x4c\x01\0"
    images = [b"," + struct.pack("<HHHH", *frame) + b"\0" + data for frame in frames]
    return head + b"".join(between + image for image in images) + b";"


def comment_of_gif(size: int) -> bytes:
    return b"!\xfe" + (b"\xff" + b"c" * 255) * (size // 256) + b"\0"


# HEIF


def box(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data) + 8) + kind + data


def heif_of(width: int, height: int, frames: int = 1) -> bytes:
    """The declared size of a picture, or of the frames of an animation, without either."""
    size = box(b"ispe", struct.pack(">III", 0, width, height))
    meta = box(b"meta", bytes(4) + box(b"iprp", box(b"ipco", size)))
    samples = box(b"stsz", struct.pack(">III", 0, 0, frames))
    for kind in (b"stbl", b"minf", b"mdia", b"trak", b"moov"):
        samples = box(kind, samples)
    return box(b"ftyp", b"avis\0\0\0\0avis") + meta + samples


BOMBS = {
    "a WebP with a vast canvas": (webp_with_vast_canvas(), "image/webp"),
    "a vast lossless WebP": (
        riff((b"VP8L", b"\x2f" + ((16_383) | 16_383 << 14).to_bytes(4, "little") + bytes(20))),
        "image/webp",
    ),
    "a WebP with a frame outside its canvas": (
        riff(
            canvas(10, 10),
            (b"ANIM", bytes(6)),
            (b"ANMF", b"\xff\xff\xff" * 4 + bytes(4) + tiny_frame()[1][16:]),
        ),
        "image/webp",
    ),
    "a WebP with many chunks": (riff(*[(b"ABCD", b"")] * 20_000), "image/webp"),
    "a PNG without pixel data": (png_of((HUGE, HUGE), 8, 6, b""), "image/png"),
    "a PNG with too many pixels": (png_of((100_000, 100_000), 1, 0, bytes(2_000_000)), "image/png"),
    "a PNG with two headers": (
        png_of((9, 9), 8, 2, b"", chunk_of_png(b"IHDR", bytes(13))),
        "image/png",
    ),
    "a PNG with many chunks": (
        png_of((9, 9), 8, 2, rows(9, 9, b"abc"), chunk_of_png(b"aaAA", b"") * 60_000),
        "image/png",
    ),
    "a JPEG with too many pixels": (
        with_frame(picture(), frame_of_jpeg(65_500, 65_500)),
        "image/jpeg",
    ),
    "a JPEG with two frames": (
        picture()[:2] + frame_of_jpeg(8, 8) + picture()[2:],
        "image/jpeg",
    ),
    "a JPEG without a frame": (with_frame(picture(), b""), "image/jpeg"),
    "a JPEG with arithmetic coding": (
        with_frame(picture(), frame_of_jpeg(640, 480, 0xC9)),
        "image/jpeg",
    ),
    "a JPEG with two components": (
        with_frame(picture(), frame_of_jpeg(640, 480, 0xC0, 2)),
        "image/jpeg",
    ),
    "an animated PNG with a vast canvas": (
        png_of(
            (3_000, 3_000),
            *(8, 6, rows(3_000, 3_000, b"abcd")),
            chunk_of_png(b"acTL", bytes([0, 0, 0, 3]) + bytes(4)),
            *[chunk_of_png(b"fcTL", bytes(26))] * 3,
        ),
        "image/png",
    ),
    "an animated PNG with many frames": (
        png_of(
            (9, 9),
            *(8, 6, rows(9, 9, b"abcd")),
            chunk_of_png(b"acTL", bytes([0, 0, 0, 3]) + bytes(4)),
            *[chunk_of_png(b"fcTL", bytes(26))] * 201,
        ),
        "image/png",
    ),
    "an animated WebP with a vast canvas": (
        riff(canvas(3_000, 3_000), (b"ANIM", bytes(6)), *[tiny_frame()] * 5),
        "image/webp",
    ),
    "an AVIF with a vast picture": (heif_of(HUGE, HUGE), "image/avif"),
    "an AVIF without a picture": (heif_of(0, 0), "image/avif"),
    "an AVIF with many boxes": (heif_of(9, 9) + b"\0\0\0\x08free" * 20_000, "image/avif"),
    "an AVIF with nested boxes": (
        heif_of(9, 9) + b"".join(b"\0\0\0\0moov" for _ in range(20_000)),
        "image/avif",
    ),
    "an AVIF with many frames": (heif_of(9, 9, frames=201), "image/avif"),
    "a GIF with a frame far outside its screen": (
        gif_of((1, 1), (0, 0, 1, 1), (6_000, 6_000, 324, 324)),
        "image/gif",
    ),
    "an animated GIF with a vast screen": (
        gif_of((4_470, 4_470), *[(0, 0, 1, 1)] * 2),
        "image/gif",
    ),
    "a GIF with many frames": (gif_of((9, 9), *[(0, 0, 1, 1)] * 201), "image/gif"),
    "a GIF with many blocks": (
        gif_of((9, 9), (0, 0, 1, 1), between=b"!\xfe" + b"\1c" * 500_000 + b"\0"),
        "image/gif",
    ),
}
"""Each is refused because of its header, before it is decoded."""

METADATA_BOMBS = {
    "a PNG with texts and a profile": (png_with_texts(200), "image/png", (10, 10)),
    "a JPEG with EXIF": (jpeg_with_exif(100), "image/jpeg", (480, 640)),
    "a WebP with EXIF": (
        riff(
            canvas(1, 1, 0x08),
            (b"VP8L", tiny_frame()[1][24:]),
            (b"EXIF", exif(6, entries=60_000, value_size=5_000_000).ljust(8_000_000, b"\0")),
        ),
        "image/webp",
        (1, 1),
    ),
    "a GIF with comments": (
        gif_of((1, 1), (0, 0, 1, 1), (0, 0, 1, 1), between=comment_of_gif(8_000_000)),
        "image/gif",
        (1, 1),
    ),
}
"""Small pictures with huge metadata, which is removed."""
