"""Who is out, or was for a time: what they read stays theirs, and nothing since is told of it."""

import pytest

from tests.platform.chat.scenes import refused, say, talk
from tests.world import Person, World

HEART = "\u2764\ufe0f"


@pytest.fixture
async def people(world: World) -> list[Person]:
    return [await (await world.person(name)).enter("/chat") for name in ("ana", "ben", "cleo")]


async def test_who_is_out_is_told_of_no_sign_put_since_wherever_they_look(people):
    ana, ben, cleo = people
    group = await talk(ana, ben, cleo)
    said = await say(ana, group, "word")
    await ana.call("/chat", "remove_member", conversation_id=group, user_id=ben.id)
    await cleo.call("/chat", "react", message_id=said["id"], emoji=HEART)
    assert (await ben.call("/chat", "get", message_id=said["id"]))["reactions"] == []
    [found] = (await ben.call("/chat", "search", text="word"))["messages"]
    assert (found["id"], found["reactions"]) == (said["id"], [])
    assert (await cleo.call("/chat", "get", message_id=said["id"]))["reactions"] != []


async def test_whom_an_edit_names_is_not_told_to_who_was_out(people, world):
    ana, ben, cleo = people
    dan = await world.person("dan")
    group = await talk(ana, ben, cleo)
    said = await say(ana, group, "word")
    await ana.call("/chat", "remove_member", conversation_id=group, user_id=ben.id)
    await ana.call("/chat", "add_member", conversation_id=group, user_id=dan.id)
    await ana.call("/chat", "edit", message_id=said["id"], text="@dan", mentions=[dan.id])
    shown = (await ben.call("/chat", "history", conversation_id=group))["messages"]
    assert [(one["text"], one["mentions"]) for one in shown if one["id"] == said["id"]] == [
        ("", [])
    ]


@pytest.mark.settings(PARLEY_READ_MARK_EVERY_S="0")
async def test_receipts_are_of_who_was_in_and_for_who_is(people, world):
    ana, ben, cleo = people
    dan = await (await world.person("dan")).enter("/chat")
    group = await talk(ana, ben, cleo)
    said = await say(ben, group, "word")
    await ana.call("/chat", "add_member", conversation_id=group, user_id=dan.id)
    later = await say(ana, group, "later")
    for person in (cleo, dan):
        await person.call("/chat", "mark_read", conversation_id=group, seq=later["seq"])
    told = await ben.call("/chat", "receipts", message_id=said["id"])
    assert [one["user_id"] for one in told["read"]] == [cleo.id], "dan cannot have read it"
    await ana.call("/chat", "remove_member", conversation_id=group, user_id=ben.id)
    assert await refused(ben, "receipts", message_id=said["id"]) == "NOT_FOUND"


async def test_what_one_removed_for_oneself_is_not_among_the_pinned(people):
    ana, ben, _ = people
    chat = await talk(ana, ben)
    said = await say(ana, chat, "word")
    await ana.call("/chat", "pin", message_id=said["id"])
    await ben.call("/chat", "delete_for_me", message_id=said["id"])
    assert (await ben.call("/chat", "pins", conversation_id=chat))["messages"] == []
    assert len((await ana.call("/chat", "pins", conversation_id=chat))["messages"]) == 1
