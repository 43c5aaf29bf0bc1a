"""Dates, durations, money, numbers and users' texts, formatted for a reader."""

from datetime import UTC, datetime, timedelta

import pytest

from handlers.kit.contract import Money
from handlers.kit.wording import (
    ANYBODY,
    PASSAGE_MAX,
    QUOTED_MAX,
    Code,
    Passage,
    Plain,
    Reader,
    in_words,
)

MORNING = datetime(2026, 11, 21, 7, 5, tzinfo=UTC)
GERMAN = Reader("de", "Europe/Berlin")


@pytest.mark.parametrize(
    ("value", "english", "german"),
    [
        (
            MORNING,
            "Saturday, 21 November 2026, 07:05 (UTC)",
            "Samstag, 21. November 2026, 08:05 (Europe/Berlin)",
        ),
        (timedelta(seconds=130), "2 minutes, 10 seconds", "2 Minuten, 10 Sekunden"),
        (timedelta(seconds=60), "1 minute", "1 Minute"),
        (timedelta(days=1, hours=2, minutes=3), "1 day, 2 hours", "1 Tag, 2 Stunden"),
        (timedelta(0), "0 seconds", "0 Sekunden"),
        (Money(amount=123_450, currency="EUR"), "€1,234.50", "1.234,50 €"),
        (Money(amount=1_234, currency="JPY"), "JP¥1,234", "1.234 ¥"),
        (12_345, "12,345", "12.345"),
        ("Ben ”King”", "“Ben 'King'”", "“Ben 'King'”"),
        (("Phone", Plain(""), "", Plain("Berlin")), "“Phone”, Berlin", "“Phone”, Berlin"),
    ],
    ids=str,
)
def test_a_value_is_formatted_in_the_readers_language_and_time_zone(value, english, german):
    assert in_words(value, ANYBODY) == english
    assert in_words(value, GERMAN) == german


def test_a_time_is_formatted_for_the_clock_that_the_reader_chose():
    assert "7:05 am" in in_words(MORNING, Reader(clock="12h"))


def test_text_of_a_user_is_quoted_and_shortened_to_one_line():
    assert in_words("a\nb\u202e" + "c" * 200, ANYBODY) == f"“a b{'c' * (QUOTED_MAX - 4)}…”"


def test_a_passage_of_a_user_is_quoted_too_and_shortened_later():
    assert in_words(Passage("a\nb“" + "c" * 1_000), ANYBODY) == f"“a b'{'c' * (PASSAGE_MAX - 5)}…”"
    assert in_words(Passage(""), ANYBODY) == ""


@pytest.mark.parametrize("kind", [Plain, Code])
def test_text_of_the_server_is_one_line_too(kind):
    assert in_words(kind("a\n\nb\u202e"), ANYBODY) == "a b"
