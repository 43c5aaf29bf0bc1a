"""Read receipts: who read a message and when; users who turn them off do not see others'."""

from datetime import datetime, timedelta

import pytest

from tests.platform.chat.scenes import refused, say, talk
from tests.world import Person, World

pytestmark = pytest.mark.settings(PARLEY_READ_MARK_EVERY_S="0")


@pytest.fixture
async def people(world: World) -> list[Person]:
    return [await (await world.person(name)).enter("/chat") for name in ("ana", "ben", "cleo")]


async def mark(person: Person, conversation_id: str, seq: int, kind: str = "read"):
    await person.call("/chat", f"mark_{kind}", conversation_id=conversation_id, seq=seq)


async def receipts(person: Person, message) -> dict:
    return await person.call("/chat", "receipts", message_id=message["id"])


def time_of(receipt) -> datetime:
    return datetime.fromisoformat(receipt["at"])


async def test_the_sender_sees_when_each_member_first_read_a_message(people, world):
    ana, ben, cleo = people
    group = await talk(ana, ben, cleo)
    one, two = await say(ana, group, "one"), await say(ana, group, "two")
    await mark(ben, group, one["seq"])
    first = world.clock.now()
    world.clock.advance(60)
    await mark(ben, group, two["seq"])
    await mark(cleo, group, two["seq"], "delivered")
    shown = await receipts(ana, one)
    [read] = shown["read"]
    assert read["user_id"] == ben.id
    assert time_of(read) <= first
    assert [r["user_id"] for r in shown["delivered"]] == [cleo.id]
    [read] = (await receipts(ana, two))["read"]
    assert time_of(read) >= first + timedelta(seconds=60)


async def test_only_the_sender_gets_receipts_and_only_of_current_members(people, world):
    ana, ben, cleo = people
    eve = await world.person("eve")
    group = await talk(ana, ben, cleo)
    said = await say(ana, group, "said")
    await mark(ben, group, said["seq"])
    for person in (ben, eve):
        assert await refused(person, "receipts", message_id=said["id"]) == "NOT_FOUND"
    await ana.call("/chat", "remove_member", conversation_id=group, user_id=ben.id)
    assert await receipts(ana, said) == {"read": [], "delivered": []}


async def test_users_who_turn_off_read_receipts_neither_share_nor_see_them(people):
    ana, ben, _ = people
    chat = await talk(ana, ben)
    said = await say(ana, chat, "said")
    phone = await (await ben.device()).enter("/chat")
    await ben.call("/profile", "update", settings={"read_receipts": False})
    await mark(ben, chat, said["seq"])
    heard = await phone.event("CONVERSATION_READ")
    assert heard.data == {"user_id": ben.id, "conversation_id": chat, "seq": said["seq"]}
    answer = await say(ben, chat, "answer")
    await ana.client.until(lambda: len(ana.events("MESSAGE_SENT")) == 2)
    assert ana.events("MESSAGE_READ") == ana.events("CONVERSATION_READ") == []
    [listed] = (await ana.call("/chat", "list"))["conversations"]
    assert listed["read"] == {}
    assert (await receipts(ana, said))["read"] == []
    assert [one["unread"] for one in (await ben.call("/chat", "list"))["conversations"]] == [0]
    assert await refused(ben, "receipts", message_id=answer["id"]) == "RECEIPTS_OFF"
    await ben.call("/profile", "update", settings={"read_receipts": True})
    await mark(ben, chat, answer["seq"])
    assert (await ana.event("MESSAGE_READ")).data["seq"] == answer["seq"]
