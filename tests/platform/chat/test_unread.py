"""Users mark messages as unread: on all their devices, and for nobody else."""

import pytest

from tests.platform.chat.crowd import gather_a_crowd
from tests.platform.chat.scenes import refused, say, talk
from tests.world import Person, World

pytestmark = pytest.mark.settings(PARLEY_READ_MARK_EVERY_S="0")


@pytest.fixture
async def people(world: World) -> list[Person]:
    return [await world.person(name) for name in ("ana", "ben")]


async def mark_read(person: Person, chat: str, message) -> None:
    await person.call("/chat", "mark_read", conversation_id=chat, seq=message["seq"])


async def mark_unread(person: Person, chat: str, message=None) -> None:
    ask = {"conversation_id": chat} | ({"seq": message["seq"]} if message else {})
    assert await person.call("/chat", "mark_unread", **ask) == {}


async def unread(person: Person) -> int:
    count: int = (await person.call("/chat", "list"))["conversations"][0]["unread"]
    return count


async def test_a_conversation_is_unread_on_all_devices_and_stays_read_for_others(people):
    ana, ben = people
    chat = await talk(ana, ben)
    said = [await say(ana, chat, text) for text in "abc"]
    await mark_read(ben, chat, said[2])
    await ana.event("MESSAGE_READ")
    receipts = await ana.call("/chat", "receipts", message_id=said[2]["id"])
    before = (await ana.call("/chat", "list"))["conversations"]
    phone = await (await ben.device()).enter("/chat")
    await mark_unread(ben, chat)
    heard = await phone.event("CONVERSATION_MARKED_UNREAD")
    assert heard.data == {"user_id": ben.id, "conversation_id": chat, "seq": said[2]["seq"]}
    assert heard.meta["room"] == f"user:{ben.id}"
    assert await unread(ben) == 1
    assert ana.events("CONVERSATION_MARKED_UNREAD") == []
    assert (await ana.call("/chat", "list"))["conversations"] == before
    assert await ana.call("/chat", "receipts", message_id=said[2]["id"]) == receipts
    await mark_read(ben, chat, said[2])
    assert (await phone.event("CONVERSATION_READ")).data["seq"] == said[2]["seq"]
    assert await unread(ben) == 0
    assert len(ana.events("MESSAGE_READ")) == 1


async def test_messages_are_unread_from_a_message_on_until_they_are_read(people):
    ana, ben = people
    chat = await talk(ana, ben)
    said = [await say(ana, chat, text) for text in "abcd"]
    await say(ben, chat, "mine")
    await mark_read(ben, chat, said[3])
    await mark_unread(ben, chat, said[1])
    assert await unread(ben) == 3
    await mark_unread(ben, chat, said[2])
    assert await unread(ben) == 3, "marking as unread reads nothing"
    await mark_read(ben, chat, said[0])
    assert await unread(ben) == 3
    await mark_read(ben, chat, said[1])
    assert await unread(ben) == 2
    later = await say(ana, chat, "later")
    assert await unread(ben) == 3
    await mark_read(ben, chat, later)
    assert await unread(ben) == 0
    assert await unread(ana) == 1, "only what Ben said"


async def test_marking_what_is_unread_changes_nothing(world, people):
    ana, ben = people
    chat = await talk(ana, ben)
    for text in "ab":
        await say(ana, chat, text)
    await mark_unread(ben, chat)
    assert await unread(ben) == 2
    assert await world.stored("CONVERSATION_MARKED_UNREAD") == []


async def test_only_messages_of_others_can_be_marked(people):
    ana, ben = people
    chat = await talk(ana, ben)
    assert await refused(ben, "mark_unread", conversation_id=chat) == "NOTHING_TO_MARK"
    await say(ben, chat, "mine")
    gone = await say(ana, chat, "gone")
    await ana.call("/chat", "delete", message_id=gone["id"])
    removed = await say(ana, chat, "removed")
    await ben.call("/chat", "delete_for_me", message_id=removed["id"])
    assert await refused(ben, "mark_unread", conversation_id=chat) == "NOTHING_TO_MARK"
    said = await say(ana, chat, "said")
    beyond = {"conversation_id": chat, "seq": said["seq"] + 1}
    assert await refused(ben, "mark_unread", **beyond) == "NOTHING_TO_MARK"
    assert await refused(ben, "mark_unread", conversation_id=chat, seq=-1) == "INVALID"
    await mark_read(ben, chat, said)
    await ben.call("/chat", "mark_unread", conversation_id=chat, seq=0)
    assert await unread(ben) == 1


async def test_users_who_share_no_receipts_mark_as_unread_too(people):
    ana, ben = people
    chat = await talk(ana, ben)
    said = await say(ana, chat, "said")
    await ben.call("/profile", "update", settings={"read_receipts": False})
    await mark_read(ben, chat, said)
    await mark_unread(ben, chat)
    assert await unread(ben) == 1
    await mark_read(ben, chat, said)
    assert await unread(ben) == 0
    await say(ben, chat, "done")
    await ana.event("MESSAGE_SENT", lambda data: data["message"]["text"] == "done")
    assert ana.events("MESSAGE_READ") == []


async def test_a_large_group_can_be_marked_from_the_time_of_joining_on(world, people):
    ana, ben = people
    crowd = await gather_a_crowd(world, 40, ana)
    await say(ana, crowd.chat, "before")
    await ana.call("/chat", "add_member", conversation_id=crowd.chat, user_id=ben.id)
    said = [await say(ana, crowd.chat, text) for text in "ab"]
    await mark_read(ben, crowd.chat, said[1])
    await ben.call("/chat", "mark_unread", conversation_id=crowd.chat, seq=1)
    assert await unread(ben) == 2
    await mark_read(ben, crowd.chat, said[1])
    assert await unread(ben) == 0
