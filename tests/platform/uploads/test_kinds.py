"""Files are accepted by the names that browsers give to their types, and texts in any encoding."""

import codecs
import io
import time
import zipfile

import pytest

from handlers.platform.uploads.kinds import ACCEPTED, DOCX, PPTX, TEXTS, XLSX, type_of
from handlers.platform.uploads.magic import HEAD, charset_of, guess_type
from tests.platform.uploads.uploading import PDF, RestRefused, Uploader
from tests.world import with_server

SAID = (
    # Windows
    *(("application/x-zip-compressed", "a.zip", "application/zip"),),
    *(("application/vnd.ms-excel", "a.csv", "text/csv"),),
    *(("application/vnd.ms-excel", "a.CSV", "text/csv"), ("application/vnd.ms-excel", "a", None)),
    *(("application/vnd.ms-excel", "a.xls", None), ("application/vnd.ms-excel", "a.xlsx", XLSX)),
    *(("audio/vnd.dlna.adts", "a.aac", "audio/aac"), ("image/pjpeg", "a.jpg", "image/jpeg")),
    *(("application/x-zip-compressed", "a.docx", DOCX), ("application/msword", "a.docx", DOCX)),
    *(
        ("application/msword", "a.doc", None),
        ("", "a.md", "text/plain"),
        ("", "a.log", "text/plain"),
    ),
    # macOS and iOS
    *(("audio/x-m4a", "a.m4a", "audio/mp4"), ("audio/x-m4a", "voice", "audio/mp4")),
    *(("video/x-m4v", "a.m4v", "video/mp4"), ("image/heic", "IMG_1.HEIC", "image/heic")),
    *(("image/heif", "IMG_1.heif", "image/heic"), ("", "IMG_1.HEIC", "image/heic")),
    *(("image/heif-sequence", "a.heics", "image/heic"), ("audio/mp3", "a.mp3", "audio/mpeg")),
    # Android
    *(("audio/mpeg", "a.m4a", "audio/mp4"), ("audio/mpeg", "a.mp3", "audio/mpeg")),
    *(("audio/x-wav", "a.wav", "audio/wav"), ("audio/aac-adts", "a.aac", "audio/aac")),
    *(("video/3gpp", "a.3gp", "video/mp4"), ("audio/3gpp", "a.3gp", "audio/mp4")),
    *(("text/comma-separated-values", "a.csv", "text/csv"),),
    # Linux
    *(("audio/x-vorbis+ogg", "a.ogg", "audio/ogg"), ("text/x-log", "a.log", "text/plain")),
    *(("audio/x-opus+ogg", "a.opus", "audio/ogg"), ("audio/vnd.wave", "a.wav", "audio/wav")),
    *(("text/markdown", "a.md", "text/plain"), ("text/x-markdown", "a.md", "text/plain")),
    # Browsers' own lists, and recorders
    *(("video/ogg", "a.ogg", "audio/ogg"), ("video/ogg", "a.ogv", None)),
    *(("application/ogg", "a.ogg", "audio/ogg"), ("image/jpg", "a.jpg", "image/jpeg")),
    *(("image/apng", "a.png", "image/png"), ("application/x-pdf", "a.pdf", "application/pdf")),
    *(
        ("audio/webm;codecs=opus", "voice.webm", "audio/webm"),
        ("video/webm", "a.weba", "audio/webm"),
    ),
    *(("video/x-matroska;codecs=avc1", "clip", "video/webm"), ("video/mp4", "a.m4a", "audio/mp4")),
    *(("audio/mp4", "voice.mp4", "audio/mp4"), ("audio/x-mpeg", "a.mp3", "audio/mpeg")),
    *(("audio/mpeg3", "a.mp3", "audio/mpeg"), ("AUDIO/X-AAC", "a.aac", "audio/aac")),
    *(("application/json", "a.json", "text/plain"), ("text/json", "a.json", "text/plain")),
    *(("text/csv; charset=utf-8; header=present", "a.csv", "text/csv"),),
    *(("text/plain", "a.csv", "text/csv"), ("image/avif", "a.avif", "image/avif")),
    # Clients that do not know
    *(("application/octet-stream", "a.PPTX", PPTX), ("", "a.b.mov", "video/quicktime")),
    *(("application/zip", "a.docx", DOCX), ("application/zip", "a.xlsx", XLSX)),
    *(("application/octet-stream", "a", None), ("application/octet-stream", "a.exe", None)),
    *(("", "pdf", None), ("binary/octet-stream", "a.pdf", "application/pdf")),
    # What browsers run or render
    *(("text/html", "a.txt", None), ("image/svg+xml", "a.png", None), ("text/xml", "a.csv", None)),
    *(("text/plain", "a.html", None), ("", "a.svg", None), ("application/pdf", "a.HTM", None)),
    *(("text/javascript", "a.txt", None), ("application/xhtml+xml", "a.md", None)),
)


@pytest.mark.parametrize(("said", "name", "own"), SAID)
def test_a_type_is_recognized_by_what_a_browser_says_and_by_the_name(said, name, own):
    assert type_of(said, name) == own


def test_every_name_and_extension_means_one_type():
    for names in (
        [name for own, accepted in ACCEPTED.items() for name in (own, *accepted.names)],
        [one for accepted in ACCEPTED.values() for one in accepted.extensions],
    ):
        assert len(names) == len(set(names))
    for own, accepted in ACCEPTED.items():
        assert accepted.guesses or accepted.kind == "image" or own in TEXTS


LATER = b"x" * (HEAD + 100)
WORDS = "Grüße – 5 €"
ENCODED = {
    "UTF-8": (WORDS.encode(), "utf-8"),
    "UTF-8 with a mark": (WORDS.encode("utf-8-sig"), "utf-8"),
    "UTF-8 after a long beginning": (LATER + WORDS.encode(), "utf-8"),
    "Windows-1252": (WORDS.encode("cp1252"), "windows-1252"),
    "Windows-1252 after a long beginning": (LATER + WORDS.encode("cp1252"), "windows-1252"),
    "UTF-16, little-endian": (codecs.BOM_UTF16_LE + WORDS.encode("utf-16le"), "utf-16le"),
    "UTF-16, big-endian": (codecs.BOM_UTF16_BE + WORDS.encode("utf-16be"), "utf-16be"),
    "UTF-32, little-endian": (codecs.BOM_UTF32_LE + WORDS.encode("utf-32le"), "utf-32le"),
    "UTF-32, big-endian": (codecs.BOM_UTF32_BE + WORDS.encode("utf-32be"), "utf-32be"),
    "a terminal's colours": (b"\x1b[31mfailed\x1b[0m 1\x08", "utf-8"),
}
MENTIONS = (
    *("GET / 200 <html><script>alert(1)</script>", "a\n<!DOCTYPE html>", "see %PDF-1.7"),
    *("<!-- a comment -->\n# Title", "<headlines>", "a <svg onload=x>", "# <?xml version='1.0'?>"),
)
PAGES = (
    *("<html>", " \n<!doctype html>", "\t<script>", "<svg xmlns='x'>", "<?xml version='1.0'?>"),
    *("<!-- x --> <!-- y -->\n< HTML >", "<body onload=x>", "<head>", "<iframe src=x>"),
)


@pytest.mark.parametrize("text", MENTIONS)
def test_a_text_may_mention_markup(text):
    for charset in ("utf-8", "utf-16", "utf-8-sig"):
        assert charset_of(text.encode(charset)) is not None


@pytest.mark.parametrize("text", PAGES)
def test_a_text_that_begins_as_a_page_is_none(text):
    for charset in ("utf-8", "utf-16", "utf-32", "utf-8-sig"):
        assert charset_of(text.encode(charset)) is None


def test_binary_data_is_no_text():
    jpeg = b"\xff\xd8\xff\xe0\x00\x10JFIF"
    for head in (jpeg, bytes(range(256)), b"\xff\xfe\x00\xdca\0", b"a\0b", "ab".encode("utf-16be")):
        assert charset_of(head) is None


@pytest.mark.parametrize("charset", ["utf-8", "utf-16le", "utf-16be", "utf-32le", "utf-32be"])
def test_a_text_is_recognized_wherever_it_is_cut_off(charset):
    marked = "\ufeffäöü€\U0001f600".encode(charset)
    for end in range(4, len(marked)):
        assert charset_of(marked[:end]) == charset


def test_hostile_beginnings_take_no_time():
    began = time.thread_time()
    for part in (b"<!--", b"<!-- -->", b" ", b"<", b"<!---->", b"<!-- --"):
        charset_of((part * HEAD)[:HEAD])
    assert time.thread_time() - began < 0.2


def test_a_video_of_a_brand_unknown_to_the_library_is_one():
    assert guess_type(b"\0\0\0\x18ftypXYZ \0\0\0\0").mime == "video/mp4"


# Uploads.


def office(first: str) -> bytes:
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w") as archive:
        archive.writestr("[Content_Types].xml", "<Types/>")
        archive.writestr(f"{first}/document.xml", "<a/>")
    return made.getvalue()


@with_server
@pytest.mark.parametrize(("content", "charset"), ENCODED.values(), ids=ENCODED)
async def test_a_text_is_served_unchanged_with_its_encoding(ana: Uploader, content, charset):
    view = await ana.upload(content, "text/x-log", name="a.log")
    assert (view["content_type"], view["kind"], view["name"]) == ("text/plain", "file", "a.log")
    answer, fetched = await ana.fetch(view["url"])
    assert fetched == content
    assert answer.headers["Content-Type"] == f"text/plain; charset={charset}"
    assert answer.headers["Content-Disposition"].startswith("attachment")
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert "sandbox" in answer.headers["Content-Security-Policy"]


@with_server
async def test_files_are_accepted_as_browsers_name_them(ana: Uploader):
    riff, m4a = b"RIFF\0\0\0\0WAVEfmt ", b"\0\0\0\x18ftypM4A \0\0\0\0isom" + bytes(50)
    for content, said, name, own in (
        (office("word"), "application/x-zip-compressed", "a.zip", "application/zip"),
        (office("word"), "application/x-zip-compressed", "a.docx", DOCX),
        (office("xl"), "", "a.xlsx", XLSX),
        (b"a;b\n", "application/vnd.ms-excel", "a.csv", "text/csv"),
        (m4a, "audio/x-m4a", "a.m4a", "audio/mp4"),
        (riff, "audio/x-wav", "a.wav", "audio/wav"),
        (b"ID3" + bytes(50), "audio/mp3", "a.mp3", "audio/mpeg"),
        (PDF, "application/octet-stream", "a.pdf", "application/pdf"),
    ):
        view = await ana.upload(content, said, name=name)
        assert (view["content_type"], view["name"]) == (own, name)
        assert view["kind"] == ACCEPTED[own].kind


@with_server
async def test_a_name_that_a_browser_would_run_is_not_allowed(ana: Uploader):
    with pytest.raises(RestRefused) as refused:
        await ana.start(b"hello <script>", "text/plain", name="a.html")
    assert refused.value.code == "TYPE_NOT_ALLOWED"
