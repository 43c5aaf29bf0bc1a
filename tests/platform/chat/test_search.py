"""Search finds readable messages by word prefixes, newest first, page by page."""

import pytest
from sqlalchemy import text as sql

from handlers.platform.chat.public import hide
from handlers.platform.chat.service.messages import new_message, post
from tests.platform.chat.scenes import refused, say, talk
from tests.world import Person, World, both_databases, one_database

pytestmark = both_databases


@pytest.fixture
async def people(world: World) -> list[Person]:
    return [await (await world.person(name)).enter("/chat") for name in ("ana", "ben", "cleo")]


async def search(person: Person, words: str, **more) -> list[str]:
    found = await person.call("/chat", "search", text=words, **more)
    return [message["text"] for message in found["messages"]]


async def test_search_matches_word_prefixes_in_any_order_and_case(people):
    ana, ben, _ = people
    chat = await talk(ana, ben)
    for text in (
        "The Garden is green",
        "gardening, in the green-house",
        "Grüße aus Köln",
        "see https://example.com/path_to?x=1",
        "it's 3.14",
    ):
        await say(ana, chat, text)
    assert await search(ben, "garden") == ["gardening, in the green-house", "The Garden is green"]
    assert await search(ben, "GREEN Gard") == [
        "gardening, in the green-house",
        "The Garden is green",
    ]
    assert await search(ben, "house") == ["gardening, in the green-house"]
    assert await search(ben, "grü köln") == ["Grüße aus Köln"]
    assert await search(ben, "example path") == ["see https://example.com/path_to?x=1"]
    assert await search(ben, "3.14 it's") == ["it's 3.14"]
    assert await search(ben, "arden") == await search(ben, "garden missing") == []


async def test_query_syntax_in_a_search_text_is_not_interpreted(people):
    ana, ben, _ = people
    chat = await talk(ana, ben)
    await say(ana, chat, "plain and simple")
    for query in (
        'plain" OR text : "x',
        "plain:* & 'simple'",
        "plain) OR (1",
        "plain AND * simple",
    ):
        assert await search(ben, query) in ([], ["plain and simple"]), query
    for query in ('"', "'", "*", "- - -", "@", "\u200b", "\\"):
        assert await refused(ben, "search", text=query) == "INVALID", query
    assert await refused(ben, "search", text="x" * 201) == "INVALID"


async def test_search_finds_only_messages_that_the_user_can_read(people, world):
    ana, ben, cleo = people
    eve = await world.person("eve")
    group = (await ana.call("/chat", "create_group", name="G", member_ids=[ben.id]))["id"]
    old = await say(ana, group, "secret before")
    await ana.call("/chat", "add_member", conversation_id=group, user_id=cleo.id)
    await say(ana, group, "secret between")
    await ana.call("/chat", "remove_member", conversation_id=group, user_id=cleo.id)
    await say(ana, group, "secret after")
    assert await search(cleo, "secret") == ["secret between"]
    assert await search(ben, "secret") == ["secret after", "secret between", "secret before"]
    assert await search(eve, "secret") == []
    assert await refused(eve, "search", text="secret", conversation_id=group) == "NOT_FOUND"
    await ana.call("/chat", "edit", message_id=old["id"], text="secret changed")
    assert "secret changed" not in await search(cleo, "secret")


async def test_a_page_of_results_reveals_no_unreadable_matches(people, world):
    ana, ben, cleo = people
    group = await talk(ana, ben, cleo)
    for text in ("apples", "pears"):
        await say(ana, group, text)
    hidden = await say(ana, group, "hidden apples")
    await world.transact(hide, hidden["id"])
    removed = await say(ana, group, "removed apples")
    await cleo.call("/chat", "delete_for_me", message_id=removed["id"])
    await ana.call("/chat", "remove_member", conversation_id=group, user_id=cleo.id)
    await say(ana, group, "apples among us")
    for word in ("apples", "pears"):
        found = await cleo.call("/chat", "search", text=word, limit=1)
        assert ([one["text"] for one in found["messages"]], found["next"]) == ([word], None)


async def test_search_finds_the_current_text_and_no_deleted_messages(people):
    ana, ben, _ = people
    chat = await talk(ana, ben)
    said = await say(ana, chat, "apples")
    gone, mine = await say(ana, chat, "apples gone"), await say(ana, chat, "apples mine")
    await ana.call("/chat", "edit", message_id=said["id"], text="pears")
    await ana.call("/chat", "delete", message_id=gone["id"])
    await ben.call("/chat", "delete_for_me", message_id=mine["id"])
    assert (await search(ana, "apples"), await search(ben, "apples")) == (["apples mine"], [])
    assert await search(ben, "pears") == ["pears"]


async def test_result_pages_lead_back_to_the_first_match(people):
    ana, ben, cleo = people
    chat, other = await talk(ana, ben), await talk(ana, cleo)
    for number in range(5):
        await say(ana, chat, f"word {number}")
        await say(ana, other, f"word elsewhere {number}")
    await ana.call("/chat", "edit", message_id=(await say(ana, chat, "late"))["id"], text="word 5")
    seen, before = [], None
    while True:
        page = await ben.call("/chat", "search", text="word", limit=2, before=before)
        seen += [message["text"] for message in page["messages"]]
        if (before := page["next"]) is None:
            break
    assert seen == [f"word {number}" for number in (5, 4, 3, 2, 1, 0)]
    assert len(await search(ana, "word", limit=100)) == 11
    assert len(await search(ana, "word", conversation_id=other)) == 5


@one_database
async def test_housekeeping_removes_deleted_text_from_the_index(people, world):
    ana, ben, _ = people
    chat = await talk(ana, ben)
    for number in range(3):
        await say(ana, chat, f"other {number}")
    said = await say(ana, chat, "canaryword")
    assert await search(ben, "canaryword") == ["canaryword"]
    await ana.call("/chat", "delete", message_id=said["id"])
    assert await world.read(index_parts_with, "aryword")
    await world.app.housekeeping.tidy()
    assert await world.read(index_parts_with, "aryword") == []
    assert await search(ben, "other") == ["other 2", "other 1", "other 0"]


@one_database
async def test_text_replaced_before_indexing_is_never_indexed(people, world):
    ana, ben, _ = people
    chat = await talk(ana, ben)
    said = await say(ana, chat, "canaryword")
    await ana.call("/chat", "edit", message_id=said["id"], text="another")
    assert await search(ben, "another") == ["another"]
    assert await world.read(index_parts_with, "aryword") == []


@one_database
async def test_messages_are_indexed_in_batches_or_before_the_next_search(people, world):
    ana, ben, _ = people
    chat = await talk(ana, ben)
    await world.transact(send_many, ana.id, chat, range(BATCH - 1))
    assert await world.read(noted_and_indexed) == (BATCH - 1, 0)
    assert await search(ben, "many 7") == [f"many {n}" for n in (*range(79, 69, -1), 7)]
    assert await world.read(noted_and_indexed) == (0, BATCH - 1)
    await world.transact(send_many, ana.id, chat, range(1000, 1000 + BATCH))
    assert await world.read(noted_and_indexed) == (0, 2 * BATCH - 1)


BATCH = 256
"""The batch size in the migrations."""


def send_many(tx, sender_id: str, conversation_id: str, numbers: range) -> None:
    for number in numbers:
        row = new_message(tx, conversation_id, str(number), "text", f"many {number}", sender_id)
        post(tx, row)


def noted_and_indexed(tx) -> tuple[int, int]:
    return tx.scalar(_NOTED), tx.scalar(_INDEXED)


_NOTED = sql("SELECT count(*) FROM message_search_noted")
_INDEXED = sql("SELECT count(*) FROM message_search")


def index_parts_with(tx, letters: str) -> list[int]:
    """The ids of index blocks with these letters; SQLite stores a shared prefix only once."""
    return tx.scalars(_PARTS, letters=letters)


_PARTS = sql("SELECT id FROM message_search_data WHERE instr(block, CAST(:letters AS BLOB))")
