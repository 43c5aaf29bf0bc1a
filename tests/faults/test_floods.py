"""A user who floods a conversation is rate limited, and its other members are not affected."""

import asyncio
from time import monotonic

import pytest

from handlers.kit.ids import new_id
from tests.wire_client import Client
from tests.world import Person, World, one_database, until

pytestmark = [one_database, pytest.mark.settings(PARLEY_LIMITS="default")]
SPAM = 150
WORDS = 20
RECEIVED_WITHIN_S = 2.5
"""A limit for a busy machine; an idle one needs some milliseconds."""


async def flood(device: Client, group: str, name: str) -> list[dict]:
    """Send many messages as fast as the connection takes them, and return the answers."""
    asked = [
        await device.begin(
            "/chat",
            "send",
            {"conversation_id": group, "client_id": f"{name} {number}", "text": "spam"},
        )
        for number in range(SPAM)
    ]
    return [await answer for answer in asked]


async def send_now_and_then(one: Person, other: Person, group: str) -> float:
    """Send some messages, and return the longest time until the other user received one."""
    slowest = 0.0
    for number in range(WORDS):
        words, began = f"word {number}", monotonic()
        there = {"conversation_id": group, "client_id": words, "text": words}
        await one.call("/chat", "send", **there)
        await other.client.until(lambda words=words: words in received_by(other))
        slowest = max(slowest, monotonic() - began)
        await asyncio.sleep(0.05)  # a user's pause; it waits for nothing
    return slowest


def received_by(person: Person) -> set[str]:
    return {event.data["message"]["text"] for event in person.client.events("MESSAGE_SENT")}


async def test_a_spammer_on_three_devices_is_limited_and_other_members_are_not(world: World):
    ana, ben, eve = [await (await world.person(n)).enter("/chat") for n in ("ana", "ben", "eve")]
    members = [ben.id, eve.id]
    group = (await ana.call("/chat", "create_group", name="G", member_ids=members))["id"]
    devices = [await (await eve.device()).enter("/chat") for _ in range(3)]
    began = monotonic()
    floods = [
        asyncio.ensure_future(flood(device, group, str(number)))
        for number, device in enumerate(devices)
    ]
    await until(lambda: "spam" in received_by(ben))
    assert await send_now_and_then(ana, ben, group) < RECEIVED_WITHIN_S
    answers = [answer for one in await asyncio.gather(*floods) for answer in one]
    took_s = monotonic() - began
    accepted = sum(answer["ok"] for answer in answers)
    rate = world.settings.declared
    assert accepted <= rate["messages_burst"] + rate["messages_per_s"] * took_s + 1
    refused = {answer["error"]["code"] for answer in answers if not answer["ok"]}
    assert refused == {"RATE_LIMITED"}
    assert all(a["error"]["retry_after_s"] > 0 for a in answers if not a["ok"])


async def test_a_client_that_ignores_its_rate_limit_gets_delayed_answers(world: World):
    eve = await (await world.person("eve")).enter("/chat")
    ana = await world.person("ana")
    chat = (await eve.call("/chat", "open", user_id=ana.id))["id"]
    typing = {"conversation_id": chat}
    counted = world.settings.declared["reactions_burst"] + 50
    asked = [await eve.client.begin("/chat", "typing", typing) for _ in range(counted)]
    began = monotonic()
    answers = [await answer for answer in asked]
    refused = [answer for answer in answers if not answer["ok"]]
    # Ten refusals come at once; each further one waits until the rate allows a command.
    slowed = (len(refused) - 10) / world.settings.declared["reactions_per_s"] / 2
    assert len(refused) > 10
    assert monotonic() - began > slowed
    me = await eve.call("/profile", "me")
    assert me["id"] == eve.id, "other commands are not slowed"


@pytest.mark.settings(
    PARLEY_LIMITS="default", PARLEY_CONTACT_BURST="4", PARLEY_CONTACT_PER_S="0.01"
)
async def test_creating_a_group_is_charged_for_each_member(world: World):
    eve = await (await world.person("eve")).enter("/chat")
    strangers = [(await world.person(f"p{number}")).id for number in range(9)]

    async def wait_after(member_ids: list[str]) -> float:
        """Create a group, and return 0.0, or the seconds to wait if it is refused."""
        payload = {"name": "G", "member_ids": member_ids, "request_id": new_id(world.clock.now())}
        answer = await eve.client.ask("/chat", "create_group", payload)
        return 0.0 if answer["ok"] else answer["error"]["retry_after_s"]

    assert await wait_after(strangers[:3]) == 0.0
    assert await wait_after(strangers) == 0.0  # one was left, so the rest becomes debt
    waits = [await wait_after(strangers[:1]) for _ in range(2)]
    assert all(480 < wait <= 501 for wait in waits), "the debt is at most one burst"
