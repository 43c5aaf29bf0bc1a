"""Mentions: members that a message names are told of it, once, and not what it says."""

import pytest

from tests.platform.chat.scenes import refused, talk
from tests.world import Person, World


@pytest.fixture
async def people(world: World) -> list[Person]:
    return [await (await world.person(name)).enter("/chat") for name in ("ana", "ben", "cleo")]


async def name_them(by: Person, group: str, *who: Person, text: str = "hear this"):
    named = [one.id for one in who]
    there = {"conversation_id": group, "client_id": text, "text": text}
    return await by.call("/chat", "send", **there, mentions=named)


async def told(world: World, person: Person) -> list[dict]:
    await world.settle()
    page = await person.call("/notifications", "list")
    return [one for one in page["notifications"] if one["kind"] == "mentioned"]


async def test_who_is_named_is_told_where_and_not_what(world, people):
    ana, ben, cleo = people
    group = await talk(ana, ben, cleo)
    await ben.call("/chat", "mute", conversation_id=group, until="2031-01-01T00:00:00Z")
    said = await name_them(ana, group, ben, ben, ana, text="a secret for Ben")
    assert said["mentions"] == [ben.id, ana.id]
    assert (await cleo.event("MESSAGE_SENT")).data["message"]["mentions"] == [ben.id, ana.id]
    [notice] = await told(world, ben)
    assert notice["data"] == {
        "conversation_id": group,
        "message_id": said["id"],
        "sender_id": ana.id,
    }
    assert "secret" not in str(notice)
    assert await told(world, cleo) == []
    assert await told(world, ana) == [], "nobody is told of themselves"


async def test_an_edit_tells_only_who_was_not_named_before(world, people):
    ana, ben, cleo = people
    group = await talk(ana, ben, cleo)
    said = await name_them(ana, group, ben)
    edited = await ana.call("/chat", "edit", message_id=said["id"], text="still")
    assert edited["mentions"] == [ben.id]
    named = [ben.id, cleo.id]
    await ana.call("/chat", "edit", message_id=said["id"], text="both", mentions=named)
    assert len(await told(world, ben)) == len(await told(world, cleo)) == 1
    gone = await ana.call("/chat", "delete", message_id=said["id"])
    assert gone["mentions"] == []


async def test_only_members_are_named(world, people):
    ana, ben, _ = people
    eve = await world.person("eve")
    chat = await talk(ana, ben)
    there = {"conversation_id": chat, "client_id": "c", "text": "t"}
    assert await refused(ana, "send", **there, mentions=[eve.id]) == "INVALID"
    assert await refused(ana, "send", **there, mentions=[ben.id] * 21) == "INVALID"
    assert await told(world, eve) == []
    assert (await ana.call("/chat", "history", conversation_id=chat))["messages"] == []


async def test_who_blocked_the_sender_is_not_told(world, people):
    ana, ben, cleo = people
    group = await talk(cleo, ana, ben)
    await ben.call("/chat", "block", user_id=ana.id)
    await name_them(ana, group, ben, cleo)
    assert await told(world, ben) == []
    assert len(await told(world, cleo)) == 1
