"""Expensive commands are charged for their actual cost, and all answers have a maximum size."""

import asyncio
import json
import time
from pathlib import Path

import aiohttp
import pytest

from handlers.kit.cost import Cost
from handlers.kit.paging import PAGE_TEXT
from tests.wire_client import Client
from tests.world import Person, Process, World, one_database

pytestmark = one_database
DURATION_S = 3.0
LONG_TEXT = "\N{EURO SIGN}" * 8_000
"""The longest text that fits into a frame when it is escaped."""
CONSULTANT = {"about_me": "I listen.", "languages": ["en"], "country": "DE", "time_zone": "UTC"}


def written_bytes(pid: int) -> int:
    lines = Path(f"/proc/{pid}/io").read_text().splitlines()
    return next(int(one.split()[1]) for one in lines if one.startswith("wchar:"))


def full_week(max_calls: int) -> list[dict[str, int]]:
    return [
        {"weekday": number // 24, "hour": number % 24, "max_calls": max_calls}
        for number in range(168)
    ]


async def ask_repeatedly(client: Client, namespace: str, name: str, payloads) -> list[dict]:
    """Ask commands one after the other for `DURATION_S`, and return the answers."""
    answers, ends = [], time.monotonic() + DURATION_S
    while time.monotonic() < ends:
        answers.append(await client.ask(namespace, name, next(payloads)))
    return answers


@pytest.mark.settings(PARLEY_LIMITS="default")
async def test_repeated_updates_of_a_full_schedule_write_few_bytes(process: Process):
    ana = await process.sign_up("ana")
    await ana.call("/consultants", "become", **CONSULTANT)
    await ana.enter("/availability")
    weeks = ({"time_zone": "UTC", "blocks": full_week(1 + number % 2)} for number in range(10_000))
    before = written_bytes(process.pid)
    answers = await ask_repeatedly(ana.client, "/availability", "set_default_schedule", weeks)
    done = [one for one in answers if one["ok"]]
    assert 1 <= len(done) <= 6
    assert (written_bytes(process.pid) - before) / len(done) < 3_000_000
    refused = [one["error"] for one in answers if not one["ok"]]
    assert {one["code"] for one in refused} == {"RATE_LIMITED"}
    assert max(one["retry_after_s"] for one in refused) > 1


@pytest.mark.settings(PARLEY_LIMITS="default")
async def test_large_answers_are_charged_by_their_size(world: World):
    ana, ben = await world.person("ana"), await world.person("ben")
    chat = (await ana.call("/chat", "open", user_id=ben.id))["id"]
    for number in range(18):
        payload = {"conversation_id": chat, "client_id": f"{number}", "text": LONG_TEXT}
        await world.app.context(ana_actor(world, ana)).transact(say, payload)
    pages = iter(lambda: {"conversation_id": chat, "limit": 100}, None)
    await ben.enter("/chat")
    answers = await ask_repeatedly(ben.client, "/chat", "history", pages)
    received = sum(len(json.dumps(one, ensure_ascii=False).encode()) for one in answers)
    assert answers[0]["ok"]
    assert received < 8_000_000
    assert answers[-1]["error"]["code"] == "RATE_LIMITED"


def ana_actor(world: World, person: Person):
    (connection,) = [
        one for one in world.app.sockets.connections if one.actor and one.actor.id == person.id
    ]
    return connection.actor


def say(tx, payload):
    from handlers.platform.chat.contracts.messages import SendMessage
    from handlers.platform.chat.service.messages import send

    return send(tx, SendMessage(**payload))


@pytest.mark.settings(PARLEY_LIMITS="off")
async def test_a_page_of_messages_is_limited_by_its_text(world: World):
    ana, ben = await world.person("ana"), await world.person("ben")
    chat = (await ana.call("/chat", "open", user_id=ben.id))["id"]
    for number in range(40):
        payload = {"conversation_id": chat, "client_id": f"{number}", "text": LONG_TEXT}
        await ana.call("/chat", "send", **payload)
    read, before, pages = [], None, 0
    while True:
        page = await ben.call(
            "/chat", "history", conversation_id=chat, limit=100, before_seq=before
        )
        assert sum(len(one["text"]) for one in page["messages"]) <= PAGE_TEXT
        read = page["messages"] + read
        pages += 1
        if not page["has_more"]:
            break
        before = page["messages"][0]["seq"]
    assert [one["client_id"] for one in read] == [str(number) for number in range(40)]
    assert pages == 2


@pytest.mark.settings(PARLEY_LIMITS="off")
async def test_a_page_of_consultants_is_limited_by_the_text_of_their_topics(world: World):
    consultants = [await world.person(f"c{number}", consultant=True) for number in range(3)]
    for one in consultants:
        for number in range(20):
            topic = {
                "name": f"Topic {number}",
                "description": LONG_TEXT,
                "hourly_rate": {"amount": 100, "currency": "EUR"},
                "minimal_duration_minutes": 10,
            }
            await one.call("/consultants", "add_topic", **topic)
    visitor = await world.visitor("/consultants")
    found, before = [], None
    while True:
        page = await visitor.call("/consultants", "list", limit=100, before=before)
        found += page["consultants"]
        assert len(page["consultants"]) == 1
        before = page["next"]
        if before is None:
            break
    assert [one["id"] for one in found] == [one.id for one in reversed(consultants)]


@pytest.mark.settings(PARLEY_LIMITS="default", PARLEY_WORK_BURST="20", PARLEY_WORK_PER_S="20")
async def test_a_client_that_waits_for_retry_after_s_is_served_again(world: World):
    ana = await world.person("ana")
    await ana.enter("/profile")
    for _ in range(60):
        answer = await ana.client.ask("/profile", "update", {"first_name": "Ana"})
        if not answer["ok"]:
            break
    assert answer["error"]["code"] == "RATE_LIMITED"
    await asyncio.sleep(answer["error"]["retry_after_s"])
    assert (await ana.client.ask("/profile", "update", {"first_name": "Ana"}))["ok"]


@pytest.mark.settings(PARLEY_LIMITS="default", PARLEY_WORK_BURST="20", PARLEY_WORK_PER_S="0.1")
async def test_aborted_uploads_are_charged_for_their_rows(world: World):
    ana = await world.person("ana")
    file = {"name": "a.txt", "content_type": "text/plain", "size": 5, "sha256": "0" * 64}
    statuses: list[int] = []
    async with aiohttp.ClientSession(headers={"Authorization": f"Bearer {ana.token}"}) as http:
        while 429 not in statuses:
            async with http.post(f"{world.url}/uploads", json=file) as answer:
                statuses.append(answer.status)
                begun = await answer.json()
            if "id" in begun:
                async with http.delete(f"{world.url}/uploads/{begun['id']}") as answer:
                    statuses.append(answer.status)
    assert 4 <= len(statuses) < 40
    assert begun["error"]["retry_after_s"] > 1


async def test_every_command_declares_its_maximum_cost(world: World):
    for command in world.app.registry.commands.values():
        assert all(part >= 0 for part in command.costs), command.name
        assert command.costs.answer_kib >= 1, command.name


async def test_a_command_that_exceeds_its_declared_cost_is_recorded(world: World, monkeypatch):
    command = world.app.registry.commands["/profile", "me"]
    monkeypatch.setitem(
        world.app.dispatcher._commands,
        ("/profile", "me"),
        type(command)(**{**command.__dict__, "costs": Cost(reads=0)}),
    )
    ana = await world.person("ana")
    await ana.call("/profile", "me")
    assert world.app.dispatcher.exceeded.pop("/profile me")[0] > 0
