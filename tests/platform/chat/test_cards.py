"""Booking cards: requested in a conversation, shown to its members and kept up to date."""

import asyncio

import pytest

from tests.platform.chat.scenes import Offer, offer, say, talk
from tests.world import Person, both_databases


@pytest.fixture
async def ana(world):
    """A student."""
    return await (await world.person("ana")).enter("/chat")


@pytest.fixture
async def ben(world):
    """A consultant."""
    return await (await world.person("ben", consultant=True)).enter("/chat")


@pytest.fixture
async def shop(world, ben) -> Offer:
    return await offer(world, ben)


@pytest.fixture
async def chat(ana, ben):
    return await talk(ana, ben)


async def request_booking(person: Person, conversation_id: str, **payload):
    return await person.call("/chat", "request_booking", conversation_id=conversation_id, **payload)


async def cards_in(person: Person, conversation_id: str):
    found = await person.call("/chat", "history", conversation_id=conversation_id)
    return [message for message in found["messages"] if message["kind"] == "card"]


async def test_a_booking_requested_in_a_conversation_is_shown_there_as_a_card(
    world, ana, ben, chat, shop
):
    await ben.enter("/booking")
    booking = await request_booking(ana, chat, **shop.ask(), note="My taxes")
    assert (booking["status"], booking["note"]) == ("requested", "My taxes")
    assert (booking["student_id"], booking["consultant_id"]) == (ana.id, ben.id)
    assert booking == await ana.call("/booking", "get", booking_id=booking["id"])
    for person in (ana, ben):
        heard = await person.event("MESSAGE_SENT")
        message = heard.data["message"]
        assert (message["kind"], message["text"], message["client_id"]) == ("card", "", None)
        assert (message["sender_id"], message["seq"]) == (ana.id, heard.meta["seq"])
        assert message["card"] == {"kind": "booking", "id": booking["id"], "data": booking}
    assert (await ben.event("BOOKING_REQUESTED")).data == {"booking": booking}
    assert await world.stored("CHAT_BOOKING_REQUESTED") == [
        {"conversation_id": chat, "booking": booking}
    ]
    assert ana.events("CHAT_BOOKING_REQUESTED") == []


async def test_a_card_shows_each_new_status_of_its_booking(world, ana, ben, chat, shop):
    booking = await request_booking(ana, chat, **shop.ask())
    [shown] = await cards_in(ana, chat)
    for number, (person, command) in enumerate([(ben, "approve"), (ana, "cancel")], start=1):
        now = await person.call("/booking", command, booking_id=booking["id"], reason="so")
        await world.settle()
        for reader in (ana, ben):
            await reader.client.until(lambda r=reader, n=number: len(edits(r)) == n)
            message = edits(reader)[-1].data["message"]
            assert message["card"] == shown["card"] | {"data": now}
            assert message["edited_at"] is not None
            assert (message["id"], message["seq"]) == (shown["id"], shown["seq"])
            assert await cards_in(reader, chat) == [message]
    await world.settle()
    assert len(edits(ana)) == 2, "BOOKING_CREATED says nothing new"


async def test_a_card_shows_the_rescheduling_and_expiry_of_its_booking(world, ana, ben, chat, shop):
    first = await request_booking(ana, chat, **shop.ask(0))
    moved = await ana.call(
        "/booking", "reschedule", booking_id=first["id"], block_id=shop.blocks[5]["id"]
    )
    await world.settle()
    assert (await cards_in(ben, chat))[0]["card"]["data"] == moved
    world.clock.advance(2 * 86_400)
    await world.settle()
    [shown] = await cards_in(ben, chat)
    assert shown["card"]["data"]["status"] == "expired"
    assert len(edits(ben)) == 2


def edits(person: Person):
    return person.events("MESSAGE_EDITED")


async def test_a_card_cannot_be_edited_or_deleted(ana, chat, shop):
    await request_booking(ana, chat, **shop.ask())
    [shown] = await cards_in(ana, chat)
    for command, more in [("edit", {"text": "t"}), ("delete", {})]:
        answer = await ana.client.ask("/chat", command, {"message_id": shown["id"], **more})
        assert answer["error"]["code"] == "NOT_FOUND"
    assert await cards_in(ana, chat) == [shown]


async def test_a_refused_booking_request_creates_no_card(world, ana, ben, chat, shop):
    cleo = await world.person("cleo", consultant=True)
    hers = await offer(world, cleo)
    dan = await world.person("dan")
    await request_booking(dan, await talk(dan, ben), **shop.ask(0))
    await request_booking(ana, chat, **shop.ask(1))
    past = shop.ask(2)
    elsewhere = {"block_id": hers.blocks[3]["id"], "topic_id": hers.topic["id"]}
    for person, payload, code in [
        (ana, shop.ask(0), "BLOCK_FULL"),
        (ana, shop.ask(3) | {"topic_id": hers.topic["id"]}, "TOPIC_NOT_OFFERED"),
        (ben, shop.ask(3), "OWN_BLOCK"),
        (ana, elsewhere, "NOT_FOUND"),
        (ana, shop.ask(3) | {"price": 1}, "INVALID"),
        (ana, shop.ask(3) | {"note": "x" * 2_001}, "INVALID"),
    ]:
        answer = await person.client.ask(
            "/chat", "request_booking", {"conversation_id": chat, **payload}
        )
        assert answer["error"]["code"] == code, payload
    group = await talk(ana, ben, cleo)
    clash = {"conversation_id": group, **hers.ask(1)}
    assert (await ana.client.ask("/chat", "request_booking", clash))["error"]["code"] == "OVERLAPS"
    world.clock.advance(86_400)
    late = {"conversation_id": chat, **past}
    assert (await ana.client.ask("/chat", "request_booking", late))["error"]["code"] == "BLOCK_PAST"
    assert len(await cards_in(ana, chat)) == 1
    assert len(await world.stored("CHAT_BOOKING_REQUESTED")) == 2


@both_databases
async def test_ten_concurrent_repeats_create_one_booking_and_one_card(world, ana, ben, chat, shop):
    devices = [await (await ana.device()).enter("/chat") for _ in range(5)]
    payload = {"conversation_id": chat, **shop.ask(), "request_id": "r1"}
    answers = await asyncio.gather(
        *[device.ask("/chat", "request_booking", payload) for device in devices * 2]
    )
    assert answers[0]["ok"]
    assert all(answer == answers[0] for answer in answers)
    assert len(await cards_in(ben, chat)) == 1
    assert len(await world.stored("BOOKING_REQUESTED")) == 1
    other = await ana.client.ask("/chat", "request_booking", payload | {"note": "another"})
    assert other["error"]["code"] == "CONFLICT"
    assert (await say(ana, chat, "t"))["seq"] == 3


@both_databases
async def test_a_request_during_a_removal_comes_before_it_or_is_refused(world, ana, ben, shop):
    cleo = await world.person("cleo")
    group = await talk(cleo, ana, ben)
    here = {"conversation_id": group, "user_id": ben.id}
    await ben.call("/availability", "set_terms", open_requests_max=8)
    for block in range(8):
        begun = await ana.client.begin(
            "/chat", "request_booking", {"conversation_id": group, **shop.ask(block)}
        )
        removed = await cleo.call("/chat", "remove_member", **here)
        answer = await begun
        if answer["ok"]:
            assert (await cards_in(ana, group))[-1]["seq"] < removed["seq"]
        else:
            assert answer["error"]["code"] == "NOT_FOUND"
        await cleo.call("/chat", "add_member", **here)
