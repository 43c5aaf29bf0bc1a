"""Somebody who floods a conversation is slowed, and the conversation goes on as before."""

import asyncio
from time import monotonic

import pytest

from handlers.kit.ids import new_id
from tests.wire_client import Client
from tests.world import Person, World, one_database, until

pytestmark = [one_database, pytest.mark.settings(PARLEY_LIMITS="default")]
SPAM = 400
WORDS = 20
HEARD_WITHIN_S = 1.0
"""As long as it may take on a machine that does much else; alone it is some milliseconds."""


async def flood(device: Client, group: str, name: str) -> list[dict]:
    """Say very much as fast as the connection takes it; the answers."""
    asked = [
        await device.begin(
            "/chat",
            "send",
            {"conversation_id": group, "client_id": f"{name} {number}", "text": "spam"},
        )
        for number in range(SPAM)
    ]
    return [await answer for answer in asked]


async def talk_on(one: Person, other: Person, group: str) -> float:
    """Say something now and then; how long the slowest took to be heard by the other."""
    slowest = 0.0
    for number in range(WORDS):
        words, began = f"word {number}", monotonic()
        there = {"conversation_id": group, "client_id": words, "text": words}
        await one.call("/chat", "send", **there)
        await other.client.until(lambda words=words: words in heard_by(other))
        slowest = max(slowest, monotonic() - began)
        await asyncio.sleep(0.05)  # people pause; this is no waiting for anything
    return slowest


def heard_by(person: Person) -> set[str]:
    return {heard.data["message"]["text"] for heard in person.client.events("MESSAGE_SENT")}


async def test_a_spammer_on_three_devices_is_slowed_and_not_the_room(world: World):
    ana, ben, eve = [await (await world.person(n)).enter("/chat") for n in ("ana", "ben", "eve")]
    members = [ben.id, eve.id]
    group = (await ana.call("/chat", "create_group", name="G", member_ids=members))["id"]
    devices = [await (await eve.device()).enter("/chat") for _ in range(3)]
    began = monotonic()
    floods = [
        asyncio.ensure_future(flood(device, group, str(number)))
        for number, device in enumerate(devices)
    ]
    await until(lambda: "spam" in heard_by(ben))
    assert await talk_on(ana, ben, group) < HEARD_WITHIN_S
    answers = [answer for one in await asyncio.gather(*floods) for answer in one]
    took_s = monotonic() - began
    said = sum(answer["ok"] for answer in answers)
    rate = world.settings.declared
    assert said <= rate["messages_burst"] + rate["messages_per_s"] * took_s + 1
    refused = {answer["error"]["code"] for answer in answers if not answer["ok"]}
    assert refused == {"RATE_LIMITED"}
    assert all(a["error"]["retry_after_s"] > 0 for a in answers if not a["ok"])


async def test_who_does_not_wait_is_heard_no_faster_than_they_may_speak(world: World):
    eve = await (await world.person("eve")).enter("/chat")
    ana = await world.person("ana")
    chat = (await eve.call("/chat", "open", user_id=ana.id))["id"]
    typing = {"conversation_id": chat}
    counted = world.settings.declared["reactions_burst"] + 50
    asked = [await eve.client.begin("/chat", "typing", typing) for _ in range(counted)]
    began = monotonic()
    answers = [await answer for answer in asked]
    refused = [answer for answer in answers if not answer["ok"]]
    # Ten are told at once; each of the others waits until the next could be said.
    slowed = (len(refused) - 10) / world.settings.declared["reactions_per_s"] / 2
    assert len(refused) > 10
    assert monotonic() - began > slowed
    me = await eve.call("/profile", "me")
    assert me["id"] == eve.id, "what else one does is not slowed"


@pytest.mark.settings(
    PARLEY_LIMITS="default", PARLEY_CONTACT_BURST="4", PARLEY_CONTACT_PER_S="0.01"
)
async def test_who_takes_many_people_into_a_group_pays_for_each(world: World):
    eve = await (await world.person("eve")).enter("/chat")
    strangers = [(await world.person(f"p{number}")).id for number in range(9)]

    async def wait_after(member_ids: list[str]) -> float:
        """Seconds to wait for the next group; 0.0 when this was made."""
        payload = {"name": "G", "member_ids": member_ids, "request_id": new_id(world.clock.now())}
        answer = await eve.client.ask("/chat", "create_group", payload)
        return 0.0 if answer["ok"] else answer["error"]["retry_after_s"]

    assert await wait_after(strangers[:3]) == 0.0
    assert await wait_after(strangers) == 0.0  # one was left, and more is owed
    waits = [await wait_after(strangers[:1]) for _ in range(2)]
    assert all(480 < wait <= 501 for wait in waits), "no more is owed than can be had at once"
