"""What the filter finds, however it is written, and what it leaves alone."""

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
def looking():
    return Filter(WordList(LISTED.splitlines()))


def verdict(looking: port.Filter, text: str) -> str:
    try:
        return looking.check(text) or "allowed"
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
        "rоttеn",  # an о and an е of another alphabet
        "rοtten",  # and a Greek ο
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
def test_what_is_listed_is_refused_in_every_guise(looking, text):
    assert verdict(looking, text) == "refused"


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
def test_what_only_looks_a_little_like_it_is_allowed(looking, text):
    assert verdict(looking, text) == "allowed"


def test_a_flagged_word_is_named_and_a_refused_one_outweighs_it(looking):
    assert verdict(looking, "this is f1shy") == "fishy"
    assert looking.check("fine", "fishy.pdf") == "fishy"
    assert verdict(looking, "fishy and rotten") == "refused"


def test_without_a_list_everything_may_be_said():
    assert verdict(open_filter(Rules(ModerationRules())), "rotten fishy") == "allowed"


@pytest.mark.parametrize(
    "line", ["rotten", "forbid: rotten", "refuse:", "flag: ...", "flag: a b c d e f g h i"]
)
def test_a_line_that_is_not_understood_is_named(line):
    with pytest.raises(ValueError, match="line 2 is not"):
        WordList(["flag: fishy", line])


def test_a_list_has_an_end(monkeypatch):
    monkeypatch.setattr("handlers.platform.moderation.words.ENTRIES_MAX", 2)
    assert WordList(["flag: a", "", "flag: b"])
    with pytest.raises(ValueError, match="more than 2"):
        WordList(["flag: a", "flag: b", "flag: c"])


def seconds(looking: Filter, text: str) -> float:
    """The least time of the processor that a look takes."""
    times = []
    for _ in range(5):
        began = process_time()
        looking.check(text)
        times.append(process_time() - began)
    return min(times)


@pytest.mark.parametrize(
    "said", ["a quiet day ", "w0rd1 w0rd2 ", "a ", "a.", "\ufdfa", "㌀", "a\u0301", "привет как "]
)
def test_a_look_takes_time_in_proportion_to_the_text_and_little_of_it(said):
    words = (f"flag: word{number} and {number} more" for number in range(10_000))
    looking = Filter(WordList(words))
    text = "".join(islice(cycle(said), 8_000))
    short, long = seconds(looking, text[:2_000]), seconds(looking, text)
    assert long < 0.2
    assert long < 4 * short * 2.5 + 0.002
