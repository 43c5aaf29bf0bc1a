"""A block stops direct messages, new conversations and receipts between two users."""

import asyncio

import pytest

from tests.platform.chat.scenes import refused, say, talk, texts
from tests.world import Person, both_databases, with_server


@pytest.fixture
async def people(world) -> list[Person]:
    return [await (await world.person(name)).enter("/chat") for name in ("ana", "ben", "cleo")]


async def block(by: Person, who: Person, on: bool = True):
    return await by.call("/chat", "block", user_id=who.id, on=on)


@with_server
async def test_users_cannot_message_each_other_after_one_blocks_the_other(people):
    ana, ben, _ = people
    chat = await talk(ana, ben)
    mine = await say(ben, chat, "before")
    theirs = await say(ana, chat, "answer")
    await block(ana, ben)
    there = {"conversation_id": chat}
    for person in (ana, ben):
        sending = {**there, "client_id": "c", "text": "hello?"}
        assert await refused(person, "send", **sending) == "BLOCKED"
        assert await refused(person, "typing", **there) == "BLOCKED"
        reaction = {"message_id": theirs["id"], "emoji": "\U0001f44d"}
        assert await refused(person, "react", **reaction) == "BLOCKED"
        assert await refused(person, "pin", message_id=theirs["id"]) == "BLOCKED"
    assert await refused(ben, "edit", message_id=mine["id"], text="hello?") == "BLOCKED"
    again = await ben.call("/chat", "send", **there, client_id="before", text="before")
    assert again["id"] == mine["id"], "a repeat gets what was sent before"
    await ben.call("/chat", "delete", message_id=mine["id"])
    assert await texts(ana, chat) == ["", "answer"]
    await block(ana, ben, on=False)
    await say(ben, chat, "again")
    assert (await ana.event("MESSAGE_SENT")).data["message"]["text"] == "before"


@both_databases
async def test_a_conversation_stays_blocked_until_both_users_unblock(people):
    ana, ben, _ = people
    chat = await talk(ana, ben)
    await asyncio.gather(block(ana, ben), block(ben, ana))
    await block(ana, ben, on=False)
    sending = {"conversation_id": chat, "client_id": "c", "text": "t"}
    assert await refused(ana, "send", **sending) == "BLOCKED"
    await block(ben, ana, on=False)
    assert await refused(ana, "send", **sending) is None


async def test_a_block_prevents_new_conversations_and_adding_to_groups(people):
    ana, ben, cleo = people
    await block(ana, ben)
    for one, other in ((ana, ben), (ben, ana)):
        assert await refused(one, "open", user_id=other.id) == "BLOCKED"
        members = [other.id, cleo.id]
        assert await refused(one, "create_group", name="G", member_ids=members) == "BLOCKED"
    group = (await ben.call("/chat", "create_group", name="G", member_ids=[cleo.id]))["id"]
    there = {"conversation_id": group, "user_id": ana.id}
    assert await refused(ben, "add_member", **there) == "BLOCKED"
    await cleo.call("/chat", "add_member", **there)
    await say(ben, group, "in a group both are heard")
    await ana.event("MESSAGE_SENT")


@both_databases
async def test_a_block_applies_to_a_conversation_opened_at_the_same_time(people):
    ana, ben, _ = people
    answers = await asyncio.gather(refused(ben, "open", user_id=ana.id), block(ana, ben))
    if answers[0] is None:
        [listed] = (await ben.call("/chat", "list"))["conversations"]
        sending = {"conversation_id": listed["id"], "client_id": "c", "text": "t"}
        assert await refused(ben, "send", **sending) == "BLOCKED"
    else:
        assert answers[0] == "BLOCKED"


async def test_only_the_blocking_user_sees_whom_they_blocked(people):
    ana, ben, cleo = people
    phone = await (await ana.device()).enter("/chat")
    await block(ana, cleo)
    for _ in range(2):
        await block(ana, ben)
    assert (await ana.call("/chat", "blocked"))["user_ids"] == sorted([ben.id, cleo.id])
    await phone.until(lambda: len(phone.events("PERSON_BLOCKED")) == 2)
    assert (await ben.call("/chat", "blocked"))["user_ids"] == []
    assert ben.events("PERSON_BLOCKED") == []
    assert await refused(ana, "block", user_id=ana.id) == "INVALID"
    assert await refused(ana, "block", user_id=ana.id[:-4] + "0000") == "NOT_FOUND"


@with_server
@pytest.mark.parametrize("kind", ["read", "delivered"])
async def test_a_blocked_user_gets_no_read_or_delivery_receipts(world, people, kind):
    ana, ben, _ = people
    phone = await (await ana.device()).enter("/chat")
    chat = await talk(ana, ben)
    said = await say(ben, chat, "are you there?")
    await block(ana, ben)
    marking = {"conversation_id": chat, "seq": said["seq"]}
    await ana.call("/chat", f"mark_{kind}", **marking)
    if kind == "read":
        own = await phone.event("CONVERSATION_READ")
        assert own.data["seq"] == said["seq"]
    await world.settle()
    await ben.call("/chat", "history", conversation_id=chat)
    assert not ben.events("MESSAGE_READ") + ben.events("MESSAGE_DELIVERED")
    receipts = await ben.call("/chat", "receipts", message_id=said["id"])
    assert receipts == {"read": [], "delivered": []}
    [listed] = (await ben.call("/chat", "list"))["conversations"]
    assert ana.id not in listed[kind]
    await block(ana, ben, on=False)
    later = await say(ben, chat, "and now?")
    await ana.call("/chat", f"mark_{kind}", conversation_id=chat, seq=later["seq"])
    await ben.event("MESSAGE_READ" if kind == "read" else "MESSAGE_DELIVERED")
