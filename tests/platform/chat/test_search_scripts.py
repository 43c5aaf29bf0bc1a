"""Search finds what was said, in every script and spelling, and nothing else."""

import pytest
from sqlalchemy import text as sql

from storage.platform.chat import search_index
from tests.platform.chat.scenes import say, talk
from tests.world import Person, World, both_databases

pytestmark = both_databases
LONG_WORD = "x" * 63 + "y" * 80
SAID = (
    "今日はいい天気ですね",
    "天と気",
    "iPhoneを買う 3月",
    "오늘날씨가 좋아요",
    "สวัสดีครับ",
    "मैं किताब पढ़ता हूँ",
    "Un café, s'il te plaît",
    "Marienstraße 7",
    "İstanbul'a gidiyoruz",
    "Łódź",
    "Ｆｕｌｌ width and 𝐛𝐨𝐥𝐝",
    "I ❤ it",
    "well done 👍🏽",
    "at work 👩‍💻",
    "🇩🇪🇪🇸🇦🇷",
    "new \U0001fae9",
    f"token {LONG_WORD}",
    "soft\u00adware",
    "γλώσσα ὈΔΥΣΣΕΎΣ",
)
FOUND = (
    ("天気", "今日はいい天気ですね"),
    ("いい天気で", "今日はいい天気ですね"),
    ("ね", "今日はいい天気ですね"),
    ("iphone 買", "iPhoneを買う 3月"),
    ("날씨", "오늘날씨가 좋아요"),
    ("\u110b\u1169\u1102\u1173\u11af", "오늘날씨가 좋아요"),
    ("สดี", "สวัสดีครับ"),
    ("किताब", "मैं किताब पढ़ता हूँ"),
    ("cafe PLAIT", "Un café, s'il te plaît"),
    ("cafe\u0301", "Un café, s'il te plaît"),
    ("strasse", None),
    ("marienstrasse", "Marienstraße 7"),
    ("MARIENSTRASSE", "Marienstraße 7"),
    ("İstanbul'a", "İstanbul'a gidiyoruz"),
    ("istanbul", "İstanbul'a gidiyoruz"),
    ("lodz", "Łódź"),
    ("full bold", "Ｆｕｌｌ width and 𝐛𝐨𝐥𝐝"),
    ("❤️", "I ❤ it"),
    ("👍", "well done 👍🏽"),
    ("👍🏽", "well done 👍🏽"),
    ("👍🏿", None),
    ("👩‍💻", "at work 👩‍💻"),
    ("🇪🇸", "🇩🇪🇪🇸🇦🇷"),
    ("🇸🇦", None),
    ("\U0001fae9", "new \U0001fae9"),
    (LONG_WORD, f"token {LONG_WORD}"),
    (LONG_WORD[:100], f"token {LONG_WORD}"),
    (LONG_WORD[:70] + "z", None),
    ("software", "soft\u00adware"),
    ("γλωσσα οδυσσευς", "γλώσσα ὈΔΥΣΣΕΎΣ"),
    ("天 気", "天と気", "今日はいい天気ですね"),
)


async def search(person: Person, words: str, **more) -> list[str]:
    found = await person.call("/chat", "search", text=words, **more)
    return [message["text"] for message in found["messages"]]


@pytest.fixture
async def people(world: World) -> list[Person]:
    return [await (await world.person(name)).enter("/chat") for name in ("ana", "ben")]


async def test_search_finds_words_in_every_script_and_spelling(people):
    ana, ben = people
    chat = await talk(ana, ben)
    for number, text in enumerate(SAID):
        await say(ana, chat, text, str(number))
    for wanted, *expected in FOUND:
        assert await search(ben, wanted) == [one for one in expected if one], wanted


async def test_every_word_of_a_long_query_counts(people):
    ana, ben = people
    chat = await talk(ana, ben)
    numbers = [f"w{n}" for n in range(40)]
    await say(ana, chat, " ".join(numbers), "all")
    await say(ana, chat, " ".join(numbers[:-1]), "but one")
    assert await search(ben, " ".join(numbers)) == [" ".join(numbers)]
    assert await search(ben, "\u3316" * 100) == []


async def test_single_letters_in_a_long_query_are_words(people):
    ana, ben = people
    chat = await talk(ana, ben)
    letters = "a b c d e f g h"
    await say(ana, chat, f"{letters} it", "begins")
    await say(ana, chat, f"{letters} i", "letter")
    assert await search(ben, f"{letters} i") == [f"{letters} i"]
    assert await search(ben, "a b i") == [f"{letters} i", f"{letters} it"]


_UNINDEX = sql("UPDATE messages SET terms = NULL")
_CHANGE = sql("UPDATE messages SET text = 'pears' WHERE text = 'apples'")


async def test_a_text_that_other_code_changes_is_no_longer_found(people, world):
    ana, ben = people
    chat = await talk(ana, ben)
    await say(ana, chat, "apples")
    assert await search(ben, "apples") == ["apples"]
    await world.transact(lambda tx: tx.run(_CHANGE))
    assert await search(ben, "apples") == []
    assert await search(ben, "pears") == ["pears"]


_NOTE_ALL = sql(
    """INSERT INTO message_search_noted (number, message_id)
        SELECT rowid, substr(message, 1, 8) || '-' || substr(message, 9, 4) || '-' ||
            substr(message, 13, 4) || '-' || substr(message, 17, 4) || '-' || substr(message, 21)
        FROM message_search"""
)
_EMPTY = sql("DELETE FROM message_search")


def forget_index(tx) -> None:
    """Leave the index as a migration does."""
    search_index.catch_up(tx)
    for statement in [_UNINDEX] if tx.dialect == "postgresql" else [_NOTE_ALL, _EMPTY]:
        tx.run(statement)


async def test_an_index_is_rebuilt_page_by_page_from_the_newest_message(people, world):
    ana, ben = people
    chat = await talk(ana, ben)
    for number in range(6):
        await say(ana, chat, f"word {number}")
    await world.transact(forget_index)
    assert await world.transact(search_index.catch_up, 2) == 2
    await say(ana, chat, "word 6")
    await world.transact(lambda tx: search_index.catch_up(tx, 1))
    page = await ben.call("/chat", "search", text="word", limit=2)
    assert [one["text"] for one in page["messages"]] == ["word 6", "word 5"]
    assert await search(ben, "word", before=page["next"]) == [f"word {n}" for n in (4, 3, 2, 1, 0)]
    assert not await world.read(search_index.is_behind)
