"""The words that the filter finds in any spelling, and the texts that it allows."""

from itertools import cycle, islice
from time import process_time

import pytest

from handlers.kit import filter as port
from handlers.kit.filter import TextRefused
from handlers.kit.rules import Rules
from handlers.platform.moderation.filter import Filter, open_filter
from handlers.platform.moderation.rules import ModerationRules
from handlers.platform.moderation.words import WordList

LISTED = """
# what the tests take for bad
refuse: rotten
refuse: mean fool
refuse: ass
flag: fishy
"""


@pytest.fixture(scope="module")
def word_filter():
    return Filter(WordList(LISTED.splitlines()))


def verdict(word_filter: port.Filter, text: str) -> str:
    try:
        return word_filter.check(text) or "allowed"
    except TextRefused:
        return "refused"


@pytest.mark.parametrize(
    "text",
    [
        "rotten",
        "That is ROTTEN!",
        "(rotten)",
        "rooootten",
        "r.o.t.t.e.n",
        "r o t t e n",
        "ro-tten",
        "ro_t/ten",
        "r0tt3n",
        "ｒｏｔｔｅｎ",
        "𝖗𝖔𝖙𝖙𝖊𝖓",
        "ⓡⓞⓣⓣⓔⓝ",
        "ʀᴏᴛᴛᴇɴ",
        "🆁🅾\ufe0f🆃🆃🅴🅽",
        "🅡🅞🅣🅣🅔🅝",
        "🇷🇴🇹🇹🇪🇳",
        "ɹoʇʇǝn",
        "ɍoŧŧɛƞ",
        "rоttеn",  # Cyrillic letters for o and e
        "rοtten",  # a Greek letter for o
        "r\u0336o\u0336t\u0336t\u0336e\u0336n",
        "rót̀ten",
        "rot\u200bten",
        "rot\u00adten",
        "\u202erot\u2069ten",
        "rot\u2060\ufe0ften",
        "rot\u3164ten",
        "rotten.txt",
        "you@rotten.example",
        "a mean,\n fool",
        "mean  f00l",
        "m.e.a.n f.o.o.l",
        "an a$$",
        "An ASS.",
    ],
)
def test_listed_words_are_refused_in_every_disguise(word_filter, text):
    assert verdict(word_filter, text) == "refused"


@pytest.mark.parametrize(
    "text",
    [
        "",
        "Good morning",
        "assess the class in Scunthorpe",
        "as good as new",
        "455 of 5000, at 45$",
        "rottenness",
        "a fool, and mean",
        "mean to fool",
        "grotten",
        "p.a.s.s",
        "🙂🙂🙂",
        "🇫🇮 🇸🇭, from 🅰️ to 🅱️",
    ],
)
def test_texts_that_only_resemble_listed_words_are_allowed(word_filter, text):
    assert verdict(word_filter, text) == "allowed"


def test_a_flagged_word_is_returned_unless_another_is_refused(word_filter):
    assert verdict(word_filter, "this is f1shy") == "fishy"
    assert word_filter.check("fine", "fishy.pdf") == "fishy"
    assert verdict(word_filter, "fishy and rotten") == "refused"


def test_without_a_word_list_everything_is_allowed():
    assert verdict(open_filter(Rules(ModerationRules())), "rotten fishy") == "allowed"


@pytest.mark.parametrize(
    "line", ["rotten", "forbid: rotten", "refuse:", "flag: ...", "flag: a b c d e f g h i"]
)
def test_an_invalid_line_is_named_in_the_error(line):
    with pytest.raises(ValueError, match="line 2 is not"):
        WordList(["flag: fishy", line])


def test_the_number_of_entries_is_limited(monkeypatch):
    monkeypatch.setattr("handlers.platform.moderation.words.ENTRIES_MAX", 2)
    assert WordList(["flag: a", "", "flag: b"])
    with pytest.raises(ValueError, match="more than 2"):
        WordList(["flag: a", "flag: b", "flag: c"])


def seconds(word_filter: Filter, text: str) -> float:
    """The minimum CPU time of a check, in seconds."""
    times = []
    for _ in range(5):
        began = process_time()
        word_filter.check(text)
        times.append(process_time() - began)
    return min(times)


@pytest.mark.parametrize(
    "piece", ["a quiet day ", "w0rd1 w0rd2 ", "a ", "a.", "\ufdfa", "㌀", "a\u0301", "привет как "]
)
def test_a_check_takes_little_time_proportional_to_the_text(piece):
    words = (f"flag: word{number} and {number} more" for number in range(10_000))
    word_filter = Filter(WordList(words))
    text = "".join(islice(cycle(piece), 8_000))
    short, long = seconds(word_filter, text[:2_000]), seconds(word_filter, text)
    assert long < 0.2
    assert long < 4 * short * 2.5 + 0.002
