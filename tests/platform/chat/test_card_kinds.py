"""A domain can show its own cards in conversations without changes to chat."""

from pathlib import Path

import msgspec
import pytest
from msgspec.structs import replace

from handlers.platform.chat.public import refresh_cards
from handlers.platform.chat.service import cards
from handlers.platform.chat.service.erasure import clear_cards
from handlers.platform.moderation.filter import Filter
from handlers.platform.moderation.words import WordList
from tests.parts.ports import free_port
from tests.platform.chat import polls
from tests.platform.chat.scenes import refused, talk
from tests.platform.uploads.uploading import PDF, uploader
from tests.wire_client import Refused
from tests.world import Person, World, with_server

ROOT = Path(__file__).parents[3]


@pytest.fixture
async def world(make_world) -> World:
    port = free_port()
    return await make_world((polls.polls,), port=port, PARLEY_PUBLIC_URL=f"http://127.0.0.1:{port}")


@pytest.fixture
async def ana(world) -> Person:
    return await (await world.person("ana")).enter("/chat")


@pytest.fixture
async def ben(world) -> Person:
    return await (await world.person("ben")).enter("/chat")


@pytest.fixture
async def chat(ana, ben) -> str:
    return await talk(ana, ben)


async def show(person: Person, conversation_id: str, **payload):
    return await person.call("/chat", "show_poll", conversation_id=conversation_id, **payload)


async def cards_of(person: Person, conversation_id: str):
    found = await person.call("/chat", "history", conversation_id=conversation_id)
    return [message["card"] for message in found["messages"] if message["kind"] == "card"]


async def test_a_card_of_a_new_kind_is_shown_to_all_members(ana, ben, chat):
    poll = await show(ana, chat, question="Tea?")
    for person in (ana, ben):
        heard = await person.event("MESSAGE_SENT")
        message = heard.data["message"]
        assert (message["kind"], message["sender_id"]) == ("card", ana.id)
        assert message["card"] == {"kind": "poll", "id": poll["id"], "data": poll}
        assert await cards_of(person, chat) == [message["card"]]


async def test_only_users_who_can_send_messages_can_show_a_card(world, ana, ben, chat):
    cleo = await (await world.person("cleo")).enter("/chat")
    assert await refused(cleo, "show_poll", conversation_id=chat) == "NOT_FOUND"
    await ben.call("/chat", "block", user_id=ana.id, on=True)
    assert await refused(ana, "show_poll", conversation_id=chat) == "BLOCKED"
    assert await cards_of(ben, chat) == []


async def test_votes_refresh_every_card_of_a_poll_until_it_closes(world, ana, ben, chat):
    poll = await show(ana, chat, question="Tea?")
    group = await talk(ben, ana, await world.person("cleo"))
    await show(ben, group, poll_id=poll["id"])
    for voter, votes in ((ana, 1), (ben, 2)):
        now = await voter.call("/polls", "vote", poll_id=poll["id"])
        await world.settle()
        assert (now["votes"], now["version"]) == (votes, votes + 1)
        for place in (chat, group):
            assert await cards_of(ben, place) == [{"kind": "poll", "id": poll["id"], "data": now}]
    with pytest.raises(Refused) as late:
        await ben.call("/polls", "vote", poll_id=poll["id"])
    assert late.value.code == "POLL_CLOSED"


async def test_an_older_view_does_not_replace_a_newer_one(world, ana, chat):
    poll = msgspec.convert(await show(ana, chat, question="Tea?"), polls.PollView)
    await world.transact(refresh_cards, polls.CARD, replace(poll, votes=3, version=4))
    await world.transact(refresh_cards, polls.CARD, replace(poll, votes=1, version=2))
    [card] = await cards_of(ana, chat)
    assert (card["data"]["votes"], card["data"]["version"]) == (3, 4)


async def test_erasing_a_user_clears_the_personal_fields_of_their_cards(world, ana, ben, chat):
    hers = await show(ana, chat, question="Tea?")
    his = await show(ben, chat, question="Cake?")
    assert await world.transact(clear_cards, ana.id, "", 50) is None
    assert [card["data"] for card in await cards_of(ben, chat)] == [hers | {"question": ""}, his]


async def test_the_number_of_cards_of_one_object_is_limited(ana, chat, monkeypatch):
    monkeypatch.setattr(cards, "CARDS_OF_ONE_MAX", 2)
    poll = await show(ana, chat)
    await show(ana, chat, poll_id=poll["id"])
    again = {"conversation_id": chat, "poll_id": poll["id"]}
    assert await refused(ana, "show_poll", **again) == "TOO_MANY"
    await show(ana, chat)
    assert len(await cards_of(ana, chat)) == 3


async def test_the_filter_checks_cards_like_any_text(world, ana, ben, chat):
    world.app.kernel.filter = Filter(WordList(["refuse: rotten", "flag: fishy"]))
    asking = {"conversation_id": chat, "question": "so r0tten"}
    assert await refused(ana, "show_poll", **asking) == "TEXT_REFUSED"
    await show(ana, chat, question="fishy?")
    await world.settle()
    mo = await world.person("mo", "moderator")
    [case] = (await mo.call("/moderation", "queue"))["cases"]
    assert case["hit"] == "fishy"


@with_server
async def test_a_card_of_a_kind_called_upload_is_not_a_file(world, ana, ben, chat):
    async with uploader(world, ana) as files:
        file = await files.upload(PDF, "application/pdf", name="a.pdf")
    sending = {"conversation_id": chat, "client_id": "c", "upload_id": file["id"]}
    sent = await ana.call("/chat", "send_media", **sending)
    await show(ben, chat, id=file["id"])
    card = (await ana.event("MESSAGE_SENT", lambda data: data["message"]["card"])).data["message"]
    assert card["card"]["kind"] == "upload"
    assert await refused(ben, "media", message_id=card["id"]) == "NOT_FOUND"
    await ben.call("/polls", "vote", poll_id=file["id"])
    await world.settle()
    assert [one["data"]["votes"] for one in await cards_of(ana, chat)] == [1]
    assert await ana.call("/chat", "get", message_id=sent["id"]) == sent


@with_server
async def test_a_card_stays_readable_when_its_domain_is_not_served(world, ana, ben, chat):
    poll = await show(ana, chat, question="Tea?")
    await world.stop()
    world.domains = ()
    await world.start(world.port)
    reader = await world.another_session(ben)
    assert await cards_of(reader, chat) == [{"kind": "poll", "id": poll["id"], "data": poll}]
    assert await refused(reader, "show_poll", conversation_id=chat) == "UNKNOWN_COMMAND"
