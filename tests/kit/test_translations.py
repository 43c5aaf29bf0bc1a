"""Messages of a domain: found by name, language and plural form, and filled with values."""

from pathlib import Path

import pytest

from handlers.kit.translations import Translations, placeholders_in
from handlers.kit.wording import ANYBODY, Plain, Reader

GERMAN, FRENCH = Reader("de", "Europe/Berlin"), Reader("fr")
HEAD = """
msgid ""
msgstr ""
"Language: {language}\\n"
"Content-Type: text/plain; charset=UTF-8\\n"
"Plural-Forms: nplurals=2; plural=({plural});\\n"
"""
ENGLISH_TEXT = """
msgid "hello"
msgstr "Hello {name}"

msgid "tries"
msgid_plural "tries"
msgstr[0] "once"
msgstr[1] "{count} times"

msgid "letter"
msgstr ""
"One {name}.\\n"
"\\n"
"Two."

msgid "answer"
msgstr ""
"No.\\n"
"\\n"
"Reason: {reason} {more}\\n"
"\\n"
"Sorry."
"""
GERMAN_TEXT = """
msgid "hello"
msgstr "Guten Tag {name}"

msgid "tries"
msgid_plural "tries"
msgstr[0] "einmal"
msgstr[1] "{count}-mal"

#, fuzzy
msgid "letter"
msgstr "Brief"
"""


@pytest.fixture
def messages(tmp_path: Path) -> Translations:
    write(tmp_path, "en", ENGLISH_TEXT)
    write(tmp_path, "de", GERMAN_TEXT)
    found = Translations()
    found.read(tmp_path)
    return found


def write(folder: Path, language: str, text: str, plural: str = "n != 1") -> None:
    head = HEAD.format(language=language, plural=plural)
    (folder / f"{language}.po").write_text(head + text, encoding="utf-8")


@pytest.mark.parametrize(
    ("reader", "said"),
    [(ANYBODY, "Hello “Ana”"), (GERMAN, "Guten Tag “Ana”"), (FRENCH, "Hello “Ana”")],
)
def test_a_message_is_in_the_readers_language_or_in_english(messages, reader, said):
    assert messages.say("hello", reader, {"name": "Ana"}) == said


@pytest.mark.parametrize(
    ("count", "english", "german"),
    [(1, "once", "einmal"), (0, "0 times", "0-mal"), (1_200, "1,200 times", "1.200-mal")],
)
def test_the_plural_form_is_chosen_by_the_count(messages, count, english, german):
    assert messages.say("tries", ANYBODY, {"count": count}) == english
    assert messages.say("tries", GERMAN, {"count": count}) == german


@pytest.mark.parametrize(
    ("reason", "more", "said"),
    [("", "", ["No.", "Sorry."]), ("ill", "", ["No.", "Reason: ill ", "Sorry."])],
)
def test_a_paragraph_is_left_out_if_all_its_values_are_empty(messages, reason, more, said):
    values = {"reason": Plain(reason), "more": Plain(more)}
    assert messages.paragraphs("answer", ANYBODY, values) == said


def test_values_add_no_paragraphs_to_a_message(messages):
    said = messages.paragraphs("letter", ANYBODY, {"name": Plain("a\n\nb\u2029c {name}")})
    assert said == ["One a b c {name}.", "Two."]


@pytest.mark.parametrize(
    ("name", "reader", "values"),
    [("nothing", ANYBODY, {}), ("hello", ANYBODY, {}), ("letter", GERMAN, {"name": "Ana"})],
    ids=["no such message", "no such value", "fuzzy"],
)
def test_a_missing_message_value_or_translation_is_an_error(messages, name, reader, values):
    with pytest.raises(KeyError):
        messages.say(name, reader, values)


@pytest.mark.parametrize("pattern", ["{}", "{0}", "{a.b}", "{a[0]}", "{a!r}", "{a:>9}", "{a"])
def test_a_placeholder_must_be_a_plain_name(pattern):
    with pytest.raises(ValueError, match=r"not a valid name|expected"):
        placeholders_in(pattern)


def test_the_placeholders_of_a_text_are_found():
    assert placeholders_in("{a} and {b_c}, {{not}} {a}") == {"a", "b_c"}
