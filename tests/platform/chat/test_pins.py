"""Pinned messages, and the time limits for editing and deleting messages."""

from datetime import timedelta

import pytest

from handlers.platform.chat.public import hide
from handlers.platform.chat.service import pins
from tests.platform.chat.scenes import refused, say, talk
from tests.world import Person, World


@pytest.fixture
async def people(world: World) -> list[Person]:
    return [await (await world.person(name)).enter("/chat") for name in ("ana", "ben", "cleo")]


async def pinned(person: Person, conversation_id: str) -> list[str]:
    found = await person.call("/chat", "pins", conversation_id=conversation_id)
    return [message["text"] for message in found["messages"]]


async def test_a_hidden_message_can_be_unpinned_but_not_pinned(people, world):
    ana, ben, _ = people
    chat = await talk(ana, ben)
    up, down = await say(ana, chat, "up"), await say(ana, chat, "down")
    await ben.call("/chat", "pin", message_id=up["id"])
    for one in (up, down):
        await world.transact(hide, one["id"])
    assert await refused(ben, "pin", message_id=down["id"]) == "CONFLICT"
    assert await refused(ben, "pin", message_id=up["id"], on=False) is None
    assert await pinned(ana, chat) == []


async def test_both_users_pin_in_a_direct_conversation_newest_pin_first(people, world):
    ana, ben, _ = people
    chat = await talk(ana, ben)
    one, two = await say(ana, chat, "one"), await say(ben, chat, "two")
    await ben.call("/chat", "pin", message_id=one["id"])
    world.clock.advance(1)
    for _ in range(2):
        await ana.call("/chat", "pin", message_id=two["id"])
    assert await pinned(ben, chat) == ["two", "one"]
    heard = await ana.event("MESSAGE_PINNED")
    assert heard.data == {
        "conversation_id": chat,
        "message_id": one["id"],
        "user_id": ben.id,
        "pinned": True,
    }
    await ben.call("/chat", "pin", message_id=two["id"], on=False)
    assert await pinned(ana, chat) == ["one"]
    assert len(await world.stored("MESSAGE_PINNED")) == 3, "what changed nothing was not told"
    await ana.call("/chat", "delete", message_id=one["id"])
    assert await pinned(ana, chat) == []


async def test_only_owners_pin_in_a_group_and_members_see_only_readable_pins(people, world):
    ana, ben, cleo = people
    eve = await world.person("eve")
    group = (await ana.call("/chat", "create_group", name="G", member_ids=[ben.id]))["id"]
    early = await say(ben, group, "early")
    assert await refused(ben, "pin", message_id=early["id"]) == "FORBIDDEN"
    await ana.call("/chat", "pin", message_id=early["id"])
    await ana.call("/chat", "add_member", conversation_id=group, user_id=cleo.id)
    assert (await pinned(ben, group), await pinned(cleo, group)) == (["early"], [])
    await ana.call("/chat", "remove_member", conversation_id=group, user_id=ben.id)
    for person in (ben, eve):
        assert await refused(person, "pins", conversation_id=group) == "NOT_FOUND"
        assert await refused(person, "pin", message_id=early["id"]) == "NOT_FOUND"


async def test_the_number_of_pinned_messages_is_limited(people, monkeypatch):
    ana, ben, _ = people
    monkeypatch.setattr(pins, "PINNED_MAX", 2)
    chat = await talk(ana, ben)
    said = [await say(ana, chat, str(number)) for number in range(3)]
    codes = [await refused(ana, "pin", message_id=message["id"]) for message in said]
    assert codes == [None, None, "TOO_MANY"]
    assert len(await pinned(ana, chat)) == 2


@pytest.mark.stopped_clock
@pytest.mark.settings(PARLEY_MESSAGE_EDIT_S="60", PARLEY_MESSAGE_DELETE_S="120")
async def test_messages_cannot_be_edited_or_deleted_after_the_time_limits(people, world):
    ana, ben, _ = people
    chat = await talk(ana, ben)
    said = await say(ana, chat, "as it is")
    world.clock.advance(timedelta(seconds=59).total_seconds())
    edited = await ana.call("/chat", "edit", message_id=said["id"], text="as it became")
    assert edited["edited_at"] is not None
    world.clock.advance(2)
    assert await refused(ana, "edit", message_id=said["id"], text="no") == "TOO_LATE"
    world.clock.advance(60)
    assert await refused(ana, "delete", message_id=said["id"]) == "TOO_LATE"
    await ana.call("/chat", "delete_for_me", message_id=said["id"])
    shown = (await ben.call("/chat", "history", conversation_id=chat))["messages"]
    assert [(one["text"], one["edited_at"] is not None) for one in shown] == [
        ("as it became", True)
    ]
