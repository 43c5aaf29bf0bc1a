"""Reactions: added once per user, published, shown in the history, deleted with the message."""

import asyncio

import pytest
from sqlalchemy import text as sql

from tests.platform.chat.scenes import say, talk
from tests.wire_client import Refused
from tests.world import Person, World, both_databases, one_database

UP, HEART = "\U0001f44d\U0001f3fd", "❤️"


@pytest.fixture
async def ana(world: World) -> Person:
    return await (await world.person("ana")).enter("/chat")


@pytest.fixture
async def ben(world: World) -> Person:
    return await (await world.person("ben")).enter("/chat")


async def react(who: Person, message: dict, emoji: str = UP, **more):
    answer = await who.call("/chat", "react", message_id=message["id"], emoji=emoji, **more)
    return answer["reactions"]


async def code_of(who: Person, message: dict, emoji: str = UP) -> str:
    with pytest.raises(Refused) as refused:
        await react(who, message, emoji)
    return refused.value.code


async def shown(who: Person, chat: str) -> list:
    history = await who.call("/chat", "history", conversation_id=chat)
    return [one["reactions"] for one in history["messages"]]


async def test_a_reaction_is_added_published_and_removed(world, ana, ben):
    chat = await talk(ana, ben)
    message = await say(ana, chat, "Hello", "c1")
    one = [{"emoji": UP, "count": 1, "user_ids": [ben.id]}]
    assert await react(ben, message) == one
    assert await react(ben, message) == one  # a repeat changes nothing
    heard = await ana.event("MESSAGE_REACTED")
    assert heard.data == {
        "conversation_id": chat,
        "message_id": message["id"],
        "user_id": ben.id,
        "reactions": one,
    }
    two = [*one, {"emoji": HEART, "count": 1, "user_ids": [ana.id]}]
    assert await react(ana, message, HEART) == two
    assert await react(ana, message) == [
        {"emoji": UP, "count": 2, "user_ids": [ben.id, ana.id]},
        two[1],
    ]
    assert await react(ana, message, on=False) == two
    assert await shown(ben, chat) == [two]
    listed = await ben.call("/chat", "list")
    assert listed["conversations"][0]["last_message"]["reactions"] == two
    edited = await ana.call("/chat", "edit", message_id=message["id"], text="Hallo")
    assert edited["reactions"] == two
    assert len(await world.stored("MESSAGE_REACTED")) == 4
    late = await ben.device()
    await late.enter("/chat", since={f"chat:{chat}": heard.meta["seq"] - 1})
    assert [one.data["reactions"] for one in late.events("MESSAGE_REACTED")][-1] == two


@both_databases
async def test_concurrent_reactions_are_all_kept(world, ana, ben):
    chat = await talk(ana, ben)
    message = await say(ana, chat, "Hello", "c1")
    emojis = [chr(0x1F600 + number) for number in range(8)]
    await asyncio.gather(
        *(react(who, message, emoji) for who in (ana, ben) for emoji in emojis),
    )
    (reactions,) = await shown(ana, chat)
    assert {one["emoji"]: one["count"] for one in reactions} == dict.fromkeys(emojis, 2)
    last = (await ana.event("MESSAGE_REACTED", lambda d: sum_of(d) == 16)).data
    assert last["reactions"] == reactions


def sum_of(data: dict) -> int:
    return sum(one["count"] for one in data["reactions"])


@one_database
async def test_a_reaction_must_be_an_emoji(ana, ben):
    message = await say(ana, await talk(ana, ben), "Hello", "c1")
    for emoji in ("a", "ok", " ", "<b>", "1", "\U0001f44d!x", "\U0001f44d\n", "\0", "x" * 17):
        assert await code_of(ben, message, emoji) == "INVALID", emoji
    for emoji in (
        "\U0001f44d1",
        "\U0001f44d\U0001f44d",
        "\U0001f1e9",
        "\U0001f3fb",
        "\u20e3",
        "©x",
    ):
        assert await code_of(ben, message, emoji) == "INVALID", emoji
    for emoji in ("1️⃣", "\U0001f469‍\U0001f4bb", "\U0001f1e9\U0001f1ea", "✅"):
        await react(ben, message, emoji)


@one_database
@pytest.mark.parametrize(
    ("sent", "shown"),
    [
        ("❤", HEART),
        (HEART, HEART),
        ("1\u20e3", "1️⃣"),
        ("\U0001f3f3\u200d\U0001f308", "\U0001f3f3\ufe0f\u200d\U0001f308"),
        ("\U0001fae8", "\U0001fae8"),
        ("\U0001f642\u200d\u2195", "\U0001f642\u200d\u2195\ufe0f"),
        ("\U0001fae9", "\U0001fae9"),
        *[("\U0001f468\U0001f3ff\u200d\U0001faef\u200d\U0001f468\U0001f3fb",) * 2],
    ],
    ids=ascii,
)
async def test_an_emoji_is_stored_in_its_full_form(ana, ben, sent, shown):
    """The last four are newer than this Python: of Unicode 15.0, 15.1, 16 and 17."""
    message = await say(ana, await talk(ana, ben), "Hello", "c1")
    await react(ana, message, shown)
    both = [{"emoji": shown, "count": 2, "user_ids": [ana.id, ben.id]}]
    assert await react(ben, message, sent) == both
    assert await react(ben, message, sent, on=False) == [
        {"emoji": shown, "count": 1, "user_ids": [ana.id]}
    ]


_LEGACY = sql("UPDATE message_reactions SET emoji = :emoji")


async def test_a_reaction_of_an_earlier_version_can_be_removed(world, ana, ben):
    message = await say(ana, await talk(ana, ben), "Hello", "c1")
    await react(ben, message)
    await world.transact(lambda tx: tx.run(_LEGACY, emoji="\U0001f44d1"))
    assert await react(ben, message, "\U0001f44d1", on=False) == []


@one_database
async def test_a_message_has_at_most_twenty_different_reactions(ana, ben):
    message = await say(ana, await talk(ana, ben), "Hello", "c1")
    for number in range(20):
        await react(ben, message, chr(0x1F600 + number))
        await react(ana, message, chr(0x1F600 + number))
    assert await code_of(ben, message, chr(0x1F640)) == "CONFLICT"


async def test_only_members_can_react_and_only_to_messages_they_can_read(world, ana, ben):
    cem = await (await world.person("cem")).enter("/chat")
    group = await ana.call("/chat", "create_group", name="Garden", member_ids=[ben.id])
    early = await say(ana, group["id"], "early", "c1")
    await ana.call("/chat", "add_member", conversation_id=group["id"], user_id=cem.id)
    assert await code_of(cem, early) == "NOT_FOUND"
    await cem.event("MEMBER_ADDED")
    await react(ben, early)
    heard = await cem.event("MESSAGE_REACTED")
    assert "early" not in str(heard.data)  # Cem joined later and never saw the text
    await ana.call("/chat", "remove_member", conversation_id=group["id"], user_id=ben.id)
    assert await code_of(ben, early, HEART) == "NOT_FOUND"
    await react(ana, early, HEART)
    assert await shown(ben, group["id"]) == [
        [],
        [],
        [],
    ]  # the message and two system notes
    stranger = await world.person("eve")
    assert await code_of(stranger, early) == "NOT_FOUND"


async def test_deleting_a_message_deletes_its_reactions(ana, ben):
    chat = await talk(ana, ben)
    message = await say(ana, chat, "Hello", "c1")
    await react(ben, message)
    gone = await ana.call("/chat", "delete", message_id=message["id"])
    assert gone["reactions"] == []
    assert await shown(ben, chat) == [[]]
    assert await code_of(ben, message) == "NOT_FOUND"
