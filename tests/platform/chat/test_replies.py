"""Replies contain the id of the original message and none of its content."""

import pytest

from tests.platform.chat.scenes import say, talk
from tests.wire_client import Refused
from tests.world import Person, World


@pytest.fixture
async def ana(world: World) -> Person:
    return await (await world.person("ana")).enter("/chat")


@pytest.fixture
async def ben(world: World) -> Person:
    return await (await world.person("ben")).enter("/chat")


async def reply(who: Person, chat: str, to: str, client_id: str = "r1") -> dict:
    payload = {"conversation_id": chat, "client_id": client_id, "text": "Yes", "reply_to": to}
    return await who.call("/chat", "send", **payload)


async def refused(who: Person, command: str, **payload) -> str:
    with pytest.raises(Refused) as error:
        await who.call("/chat", command, **payload)
    return error.value.code


async def test_a_reply_has_the_id_of_the_original_and_no_copy_of_it(ana, ben):
    chat = await talk(ana, ben)
    asked = await say(ana, chat, "A secret question", "c1")
    answer = await reply(ben, chat, asked["id"])
    assert answer["reply_to"] == asked["id"]
    heard = await ana.event("MESSAGE_SENT", lambda data: data["message"]["text"] == "Yes")
    assert heard.data["message"] == answer
    assert "secret" not in str(heard.data)
    assert await ben.call("/chat", "get", message_id=asked["id"]) == asked
    edited = await ben.call("/chat", "edit", message_id=answer["id"], text="No")
    assert edited["reply_to"] == asked["id"]
    await ana.call("/chat", "delete", message_id=asked["id"])
    gone = await ben.call("/chat", "get", message_id=asked["id"])
    assert (gone["deleted"], gone["text"]) == (True, "")
    history = await ben.call("/chat", "history", conversation_id=chat)
    assert "secret" not in str(history)


async def test_a_reply_needs_a_readable_message_of_the_same_conversation(world, ana, ben):
    cem = await (await world.person("cem")).enter("/chat")
    group = (await ana.call("/chat", "create_group", name="G", member_ids=[ben.id]))["id"]
    early = await say(ana, group, "early", "c1")
    elsewhere = await say(ana, await talk(ana, ben), "elsewhere", "c1")
    await ana.call("/chat", "add_member", conversation_id=group, user_id=cem.id)
    for who, to in ((cem, early["id"]), (ana, elsewhere["id"]), (ana, group)):
        payload = {"conversation_id": group, "client_id": "x", "text": "?", "reply_to": to}
        assert await refused(who, "send", **payload) == "NOT_FOUND"
    assert await refused(cem, "get", message_id=early["id"]) == "NOT_FOUND"
    answer = await reply(ben, group, early["id"])
    assert (await cem.event("MESSAGE_SENT")).data["message"] == answer
    await ana.call("/chat", "remove_member", conversation_id=group, user_id=ben.id)
    late = await say(ana, group, "late", "c2")
    assert (await ben.call("/chat", "get", message_id=early["id"]))["text"] == "early"
    assert await refused(ben, "get", message_id=late["id"]) == "NOT_FOUND"
