"""Mentions notify each named member once, without the text of the message."""

import pytest

from tests.platform.chat.scenes import refused, talk
from tests.world import Person, World


@pytest.fixture
async def people(world: World) -> list[Person]:
    return [await (await world.person(name)).enter("/chat") for name in ("ana", "ben", "cleo")]


async def mention(by: Person, group: str, *who: Person, text: str = "hear this"):
    named = [one.id for one in who]
    there = {"conversation_id": group, "client_id": text, "text": text}
    return await by.call("/chat", "send", **there, mentions=named)


async def mention_notices(world: World, person: Person) -> list[dict]:
    await world.settle()
    page = await person.call("/notifications", "list")
    return [one for one in page["notifications"] if one["kind"] == "mentioned"]


async def test_a_mention_notifies_the_member_without_the_text(world, people):
    ana, ben, cleo = people
    group = await talk(ana, ben, cleo)
    await ben.call("/chat", "mute", conversation_id=group, until="2031-01-01T00:00:00Z")
    said = await mention(ana, group, ben, ben, ana, text="a secret for Ben")
    assert said["mentions"] == [ben.id, ana.id]
    assert (await cleo.event("MESSAGE_SENT")).data["message"]["mentions"] == [ben.id, ana.id]
    [notice] = await mention_notices(world, ben)
    assert notice["data"] == {
        "conversation_id": group,
        "message_id": said["id"],
        "sender_id": ana.id,
    }
    assert "secret" not in str(notice)
    assert await mention_notices(world, cleo) == []
    assert await mention_notices(world, ana) == [], "nobody is told of themselves"


async def test_an_edit_notifies_only_newly_mentioned_members(world, people):
    ana, ben, cleo = people
    group = await talk(ana, ben, cleo)
    said = await mention(ana, group, ben)
    edited = await ana.call("/chat", "edit", message_id=said["id"], text="still")
    assert edited["mentions"] == [ben.id]
    named = [ben.id, cleo.id]
    await ana.call("/chat", "edit", message_id=said["id"], text="both", mentions=named)
    assert len(await mention_notices(world, ben)) == len(await mention_notices(world, cleo)) == 1
    gone = await ana.call("/chat", "delete", message_id=said["id"])
    assert gone["mentions"] == []


async def test_only_members_can_be_mentioned(world, people):
    ana, ben, _ = people
    eve = await world.person("eve")
    chat = await talk(ana, ben)
    there = {"conversation_id": chat, "client_id": "c", "text": "t"}
    assert await refused(ana, "send", **there, mentions=[eve.id]) == "INVALID"
    assert await refused(ana, "send", **there, mentions=[ben.id] * 21) == "INVALID"
    assert await mention_notices(world, eve) == []
    assert (await ana.call("/chat", "history", conversation_id=chat))["messages"] == []


async def test_a_member_who_blocked_the_sender_is_not_notified(world, people):
    ana, ben, cleo = people
    group = await talk(cleo, ana, ben)
    await ben.call("/chat", "block", user_id=ana.id)
    await mention(ana, group, ben, cleo)
    assert await mention_notices(world, ben) == []
    assert len(await mention_notices(world, cleo)) == 1
