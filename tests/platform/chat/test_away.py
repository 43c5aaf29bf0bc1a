"""Former and returning members, and hidden messages: later changes are not shown to them."""

import pytest

from tests.platform.chat.scenes import refused, say, talk
from tests.world import Person, World

HEART = "\u2764\ufe0f"


@pytest.fixture
async def people(world: World) -> list[Person]:
    return [await (await world.person(name)).enter("/chat") for name in ("ana", "ben", "cleo")]


async def test_a_removed_member_sees_no_later_reactions(people):
    ana, ben, cleo = people
    group = await talk(ana, ben, cleo)
    said = await say(ana, group, "word")
    await ana.call("/chat", "remove_member", conversation_id=group, user_id=ben.id)
    await cleo.call("/chat", "react", message_id=said["id"], emoji=HEART)
    assert (await ben.call("/chat", "get", message_id=said["id"]))["reactions"] == []
    [found] = (await ben.call("/chat", "search", text="word"))["messages"]
    assert (found["id"], found["reactions"]) == (said["id"], [])
    assert (await cleo.call("/chat", "get", message_id=said["id"]))["reactions"] != []


async def test_a_removed_member_sees_no_text_or_mentions_of_a_later_edit(people, world):
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
async def test_receipts_are_of_members_at_the_time_and_for_current_members(people, world):
    ana, ben, cleo = people
    dan = await (await world.person("dan")).enter("/chat")
    group = await talk(ana, ben, cleo)
    said = await say(ben, group, "word")
    await ana.call("/chat", "add_member", conversation_id=group, user_id=dan.id)
    later = await say(ana, group, "later")
    for person in (cleo, dan):
        await person.call("/chat", "mark_read", conversation_id=group, seq=later["seq"])
    receipts = await ben.call("/chat", "receipts", message_id=said["id"])
    assert [one["user_id"] for one in receipts["read"]] == [cleo.id], "dan cannot have read it"
    await ana.call("/chat", "remove_member", conversation_id=group, user_id=ben.id)
    assert await refused(ben, "receipts", message_id=said["id"]) == "NOT_FOUND"


async def test_a_message_deleted_for_oneself_is_not_listed_as_pinned(people):
    ana, ben, _ = people
    chat = await talk(ana, ben)
    said = await say(ana, chat, "word")
    await ana.call("/chat", "pin", message_id=said["id"])
    await ben.call("/chat", "delete_for_me", message_id=said["id"])
    assert (await ben.call("/chat", "pins", conversation_id=chat))["messages"] == []
    assert len((await ana.call("/chat", "pins", conversation_id=chat))["messages"]) == 1
