"""Titles, descriptions and site names of pages are reduced to short plain text."""

import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from handlers.kit.visible import shortened
from handlers.platform.previews.page import DESCRIPTION_MAX, SITE_MAX, TITLE_MAX, Page, read_page


def read(html: str) -> Page | None:
    return read_page(html.encode(), None)


def test_open_graph_tags_take_precedence():
    html = """<TITLE>Plain</TITLE><meta name=description content=plain>
    <META content='It &amp; more' property="og:title"/><meta property=og:description content="Long">
    <meta property="og:site_name" content="Site">
    <meta property="og:image" content="https://i.example/1">"""
    assert read(html) == Page("It & more", "Long", "Site")


def test_title_and_description_tags_are_the_fallback():
    html = '<title lang="en">\n A &lt;b&gt; \n title</title><meta name="Description" content="d">'
    assert read(html) == Page("A <b> title", "d", None)


@pytest.mark.parametrize(
    "html",
    ["", "<p>words", "<title></title>", "<title>  \u200b\u202e </title>", "<title>never closed",
     "<titles>a</titles>", '<meta property="og:title" content="">', "<meta property=og:title>",
     '<meta property="og:title" content="a', '<meta property="og:description" content="a">',
     f'<meta property="og:title" content="{"a" * 5_000}">'],
)  # fmt: skip
def test_a_page_without_a_title_has_no_preview(html: str):
    assert read(html) is None


def test_the_first_of_several_equal_tags_is_used():
    assert read('<meta property="og:title" content="1"><meta property="og:title" content="2">') == (
        Page("1", None, None)
    )


def test_long_texts_are_truncated():
    long = "word " * 300
    page = read(
        f'<title>{long}</title><meta property="og:site_name" content="{long}">'
        f'<meta name="description" content="{long}">'
    )
    assert page is not None
    assert len(page.title) <= TITLE_MAX
    assert page.title.endswith("word…")
    assert len(page.description or "") <= DESCRIPTION_MAX
    assert len(page.site_name or "") <= SITE_MAX


def test_control_and_bidi_characters_are_removed():
    hidden = "\x00\x07\x1b[31m\u202e\u2066\u200f\ufeff\u00ad\U000e0041\ue000"
    assert read(f"<title>a{hidden}b&#x202e;c&#0;\nd\u2028e</title>") == (
        Page("a[31mbc\ufffd d e", None, None)
    )


def test_joiners_within_emoji_and_words_are_kept():
    assert shortened("👩\u200d🚀 نمی\u200cخواهم", 50) == "👩\u200d🚀 نمی\u200cخواهم"


@settings(deadline=None)
@given(st.text())
def test_any_shortened_text_is_one_line_within_the_limit(text: str):
    shown = shortened(text, 40)
    assert len(shown) <= 40
    assert shown == " ".join(shown.split())
    assert shortened(shown, 40) == shown


@pytest.mark.parametrize(
    ("content", "declared", "title"),
    [
        ("<title>Grüße</title>".encode(), "utf-8", "Grüße"),
        ("<title>Grüße</title>".encode("latin-1"), "ISO-8859-1", "Grüße"),
        ('<meta charset="windows-1252"><title>Grüße</title>'.encode("cp1252"), None, "Grüße"),
        ("<title>日本</title>".encode("shift_jis"), "Shift_JIS", "日本"),
        ("<title>Grüße</title>".encode("latin-1"), None, "Gr\ufffd\ufffde"),
        (b"<title>Tvfg</title>", "rot13", "Tvfg"),
        (b"<title>\\u0041</title>", "unicode_escape", "\\u0041"),
        (b"<title>a</title>", "no such thing", "a"),
        (b"<title>a</title>", "idna", "a"),
    ],
)
def test_only_web_encodings_are_used(content, declared, title):
    page = read_page(content, declared)
    assert page is not None
    assert page.title == title


HOSTILE = ["<", "<a ", "<!--", "<!", "<?", "</", "</a", "<![CDATA[", '<a b="', "<a a=", "&", "&a",
           "<script>", "<meta ", "<meta", "<meta a=", "<meta '", '<meta content="', "<title>",
           "<title", "<title ", "</title", "<meta og:>", "<meta og: a a a a a>", "<meta charset",
           "<meta og:" + " a" * 1_000 + ">", "\x00", "\u202e"]  # fmt: skip


@pytest.mark.parametrize("piece", HOSTILE)
def test_hostile_markup_is_parsed_quickly(piece: str):
    html = (piece * (262_144 // len(piece))).encode()
    began = time.process_time()
    read_page(html, None)
    assert time.process_time() - began < 1


@settings(deadline=None)
@given(st.lists(st.sampled_from([*HOSTILE, "og:title", ' content="x"', "'", '"', ">", "</title>"])))
def test_no_markup_causes_an_error(pieces: list[str]):
    page = read("".join(pieces))
    assert page is None or page.title
