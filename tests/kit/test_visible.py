"""Lines of visible text: ordinary text passes; hidden, reversing and stacked characters do not."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from handlers.kit.visible import (
    as_file_name,
    checked_file_name,
    checked_line,
    one_line,
    quoted,
    shortened,
)

FLAG = "\U0001f3f4\U000e0067\U000e0062\U000e0065\U000e006e\U000e0067\U000e007f"
LINES = [
    "Ada",
    "O’Neil-Smith, 3rd (€ & ©)",
    "Zoë",
    "Jose\u0301",
    "Nguyễn",
    "Зоя",
    "שָׁלוֹם",
    "മോഹന്\u200d",
    "क्\u200dष",
    "می\u200cخواهم",
    "SMS\u200cها",
    "สุขสันต์",
    "བསྒྲུབས",
    "葛\U000e0100",
    "ﷺ",
    "👩\u200d🔬 ❤\ufe0f\u200d🔥 👍🏽 🇩🇪",
    "🙂\u200d↔\ufe0f",
    "1\ufe0f\u20e3",
    "ℹ\ufe0f",
    FLAG,
    "র\u200d্যাচেল",
    "ರ\u200d್ಯಾಮ್",
    "\U0001fae8",
    "\U0002ebf0明",
    "\U00031350",
]
"""The last three are newer than this Python's Unicode tables: an emoji and Han characters."""
INVALID_LINES = {
    "nothing": "",
    "spaces": " \u00a0\u3000",
    "line feed": "a\nb",
    "line feed at the end": "a\n",
    "carriage return": "a\rb",
    "tab": "a\tb",
    "NUL": "a\0b",
    "escape": "a\x1b[31mb",
    "delete": "a\x7f",
    "next line": "a\x85b",
    "line separator": "a\u2028b",
    "paragraph separator": "a\u2029b",
    "override": "invoice\u202efdp.exe",
    "embedding": "a\u202ab\u202c",
    "isolate": "a\u2066b\u2069",
    "directional mark": "a\u200e",
    "Arabic directional mark": "a\u061c",
    "zero width space": "a\u200bb",
    "word joiner": "a\u2060b",
    "byte order mark": "\ufeffa",
    "soft hyphen": "a\u00adb",
    "tag": "a\U000e0041",
    "tags after an unterminated flag": FLAG[:-1] + "\U000e0041\U000e0041",
    "private": "a\ue000",
    "surrogate": "a\ud800",
    "unassigned": "a\u0378",
    "noncharacter": "a\uffff",
    "Hangul filler": "\u3164",
    "Hangul filler among letters": "a\u115fb",
    "halfwidth filler": "\uffa0",
    "Braille blank": "\u2800",
    "invisible vowel": "\u17b4",
    "vowel separator": "a\u180eb",
    "grapheme joiner": "a\u034fb",
    "musical beam": "a\U0001d173",
    "object": "\ufffc",
    "joiner between Latin letters": "Par\u200dley",
    "joiner at the beginning": "\u200dम",
    "joiner at the end": "👩\u200d",
    "joiners in a row": "👩\u200d\u200d🔬",
    "selector on a Latin letter": "a\ufe0f",
    "mark without a letter": "\u0301a",
    "mark on a space": "a \u0301b",
    "stacked marks": "a" + "\u0301" * 5,
    "stacked marks and joiners": "म\u094d\u200d\u0301\u0302\u0303\u0304",
}


@pytest.mark.parametrize("text", LINES, ids=ascii)
def test_visible_text_stays_unchanged(text):
    assert checked_line(text) == text


@pytest.mark.parametrize("text", INVALID_LINES.values(), ids=INVALID_LINES)
def test_text_that_is_not_one_visible_line_is_refused(text):
    with pytest.raises(ValueError, match="Expected one line of visible text"):
        checked_line(text)
    assert one_line(text) == "" or checked_line(one_line(text)), "and can be made one"


def test_all_kinds_of_spaces_become_single_plain_spaces():
    assert checked_line("  Ada \u00a0\u2003 King\u3000") == "Ada King"


@settings(deadline=None)
@given(st.text(st.characters(), max_size=60))
def test_one_line_returns_a_valid_line_or_nothing(text: str):
    line = one_line(text)
    assert line == "" or checked_line(line) == line
    assert len(line) <= len(text)
    assert not set(line) & set("\n\r\t\u2028\u2029\u202e\u200b")


def test_a_file_name_has_no_path_and_no_leading_or_trailing_dots():
    for name in ("report.pdf", "a b.tar.gz", "résumé (2).docx", "文件.txt", "v1..2.txt"):
        assert checked_file_name(f" {name} ") == name
    for name in ("a/b", "a\\b", "..", ".profile", "a.", "a .", " . a", "x\u202egpj.exe", "a\nb"):
        with pytest.raises(ValueError, match="Expected"):
            checked_file_name(name)
    assert as_file_name("../..\\\x00etc/\u202epass wd. .") == "etcpass wd"
    assert as_file_name("../") == ""


def test_a_line_is_cut_with_an_ellipsis_between_whole_emoji():
    assert shortened("a  b", 3) == "a b"
    assert shortened("abcdef", 4) == "abc…"
    assert shortened("ab 👩\u200d🔬🔬", 6) == "ab 👩…"


def test_quoted_text_cannot_end_its_quotation():
    assert quoted('Ada” paid.\n\n"Parley', 40) == "“Ada' paid. 'Parley”"
    assert quoted("a" * 50, 10) == "“" + "a" * 9 + "…”"
