"""A database that refuses writes: clear errors, no partial writes, and automatic recovery.

Each test runs with a full disk and with a read-only database, on SQLite and PostgreSQL.
"""

import asyncio
import re
import resource
import sqlite3
from collections import Counter
from datetime import datetime
from typing import Any

import pytest
from sqlalchemy import select, text

from storage.engine.columns import metadata
from storage.engine.database import StorageUnavailable
from storage.events.instances import list_silent
from tests.faults.database_faults import FAULTS, size_of_log
from tests.kit.probe import NAMESPACE
from tests.platform.chat.scenes import say, talk, texts
from tests.wire_client import Client, Refused
from tests.world import Person, World, both_databases, one_database, until

pytestmark = both_databases

HEARTBEATS = "instances"
"""The only table that changes while the server is idle."""
CHANGES = "command=(send|create_group|mark_read) "


@pytest.fixture(params=list(FAULTS))
def fault(request, world):
    """`async with fault():` – the database refuses writes inside the block."""
    return lambda: FAULTS[request.param](world)


@pytest.fixture(autouse=True)
def quick(monkeypatch):
    monkeypatch.setattr("server.heartbeat.CONFIRM_EVERY_S", 0.1)
    monkeypatch.setattr("server.relay.SWEEP_EVERY_S", 0.1)
    monkeypatch.setattr("server.timers.LOOK_EVERY_S", 0.1)


async def everything(world: World) -> dict[str, Counter[Any]]:
    """All rows of all tables."""

    def read(tx) -> dict[str, Counter[Any]]:
        return {name: Counter(map(str, tx.all(row_of, every))) for name, every in TABLES.items()}

    return await world.read(read)


TABLES = {table.name: select(table) for table in metadata.sorted_tables if table.name != HEARTBEATS}


def row_of(*values: Any) -> tuple[Any, ...]:
    return values


async def wait_until_idle(world: World) -> None:
    """Wait until the server has no work left."""
    await until(lambda: not world.app.gate.presence._reporting)
    await world.settle()


async def readable(person: Person, conversation_id: str) -> bool:
    """Whether reads are answered; the read-only fault closes PostgreSQL's connections."""
    ask = {"conversation_id": conversation_id}
    return bool((await person.client.ask("/chat", "history", ask))["ok"])


async def refusal(person: Person, command: str, **payload: Any) -> dict[str, Any]:
    with pytest.raises(Refused) as refused:
        await person.call("/chat", command, **payload)
    return refused.value.error


# During the fault.


async def test_writes_are_refused_as_unavailable_and_store_nothing(world, ana, ben, fault, logs):
    here = await talk(ana, ben)
    await say(ana, here, "before")
    await wait_until_idle(world)
    before = await everything(world)
    message = {"conversation_id": here, "client_id": "1", "text": "x" * 2_000}
    async with fault():
        await until(lambda: readable(ben, here))
        refusals = [
            await refusal(ana, "send", **message),
            await refusal(ana, "send", request_id="a", **message),
            await refusal(ana, "create_group", name="Group", member_ids=[ben.id]),
            await refusal(ben, "mark_read", conversation_id=here, seq=2),
        ]
        assert await everything(world) == before
    assert {(one["code"], one["retry_after_s"]) for one in refusals} == {("UNAVAILABLE", 1)}
    assert {field for one in refusals for field in one} == {"code", "message", "retry_after_s"}
    assert await everything(world) == before
    lines = [line for line in logs.getvalue().splitlines() if re.search(CHANGES, line)]
    assert len(lines) == len(refusals)
    assert all(re.search("I/O error|readonly|read-only|No space", line) for line in lines)
    assert "Traceback" not in logs.getvalue()


async def test_stored_messages_can_be_read_also_on_new_connections(world, ana, ben, fault):
    here = await talk(ana, ben)
    await say(ana, here, "before")
    await wait_until_idle(world)
    async with fault():
        await until(lambda: readable(ben, here))
        newcomer = await (await ana.device()).enter("/chat")
        for one in (ana, newcomer):
            assert await texts(one, here) == ["before"]


@pytest.mark.parametrize("database_kind", ["postgresql"], indirect=True)
@pytest.mark.parametrize(
    ("code", "unavailable"),
    [(code, True) for code in ("08006", "53100", "53400", "57014", "57P03", "58030")]
    + [(code, False) for code in ("22012", "42P01")],
)
async def test_only_errors_of_the_database_server_count_as_unavailable(world, code, unavailable):
    raising = text(f"DO $$ BEGIN RAISE EXCEPTION 'trouble' USING ERRCODE = '{code}'; END $$")
    for ask in (world.app.database.transact, world.app.database.read):
        with pytest.raises(Exception, match="trouble") as raised:
            await ask(lambda queries: queries.run(raising))
        assert isinstance(raised.value, StorageUnavailable) == unavailable


# After the fault.


async def test_a_retried_message_is_stored_once_and_published_in_order(world, ana, ben, fault):
    here = await talk(ana, ben)
    first = await say(ana, here, "before")
    await wait_until_idle(world)
    async with fault():
        await until(lambda: readable(ben, here))
        for _ in range(3):
            await refusal(ana, "send", conversation_id=here, client_id="1", text="x" * 2_000)
    again = await until(lambda: sent(ana, here, "1", "x" * 2_000))
    assert again["seq"] == first["seq"] + 1
    assert await texts(ben, here) == ["before", "x" * 2_000]
    await ben.event("MESSAGE_SENT", lambda data: data["message"]["id"] == again["id"])
    assert [one.meta["seq"] for one in ben.events("MESSAGE_SENT")] == [first["seq"], again["seq"]]


async def sent(person: Person, conversation_id: str, client_id: str, text: str) -> Any:
    """The message, or None while it is refused."""
    message = {"conversation_id": conversation_id, "client_id": client_id, "text": text}
    answer = await person.client.ask("/chat", "send", message)
    return answer.get("data")


async def test_timers_and_consumers_pause_and_then_run_once(world, ana, fault, logs):
    await ana.call(NAMESPACE, "say_later", text="later", after_s=5)
    await wait_until_idle(world)
    async with fault():
        world.clock.advance(5)
        await until(lambda: logs.getvalue().count("database_away") >= 3)
        await asyncio.sleep(0.5)
        assert logs.getvalue().count("database_away") < 30, "it retries without a pause"
        assert await world.stored("PROBE_SAID") == []
    await ana.event("PROBE_SAID")
    await until(lambda: world.stored("PROBE_NOTED"))
    await world.settle()
    assert [one["text"] for one in await world.stored("PROBE_SAID")] == ["later"]
    assert [one["text"] for one in await world.stored("PROBE_NOTED")] == ["later"]


async def test_the_instance_is_not_declared_dead_and_renews_its_heartbeat(world, ana, fault, logs):
    own = world.app.kernel.instance_id
    async with fault():
        await until(lambda: "not_confirmed" in logs.getvalue())
    ended_at = world.clock.now()
    await until(lambda: confirmed_since(world, ended_at))
    assert world.app.kernel.instance_id == own
    assert await world.stored("INSTANCE_LOST") == []
    assert not ana.client.closed.is_set()


async def confirmed_since(world: World, moment: datetime) -> bool:
    """Whether this instance has renewed its heartbeat since then."""
    own = world.app.kernel.instance_id
    silent = await world.read(lambda tx: list_silent(tx, moment, ""))
    return own not in [one.id for one in silent]


@pytest.mark.settings(PARLEY_PRESENCE_GRACE_S="0")
async def test_a_user_who_disconnects_during_the_fault_goes_offline_after_it(
    world, ana, ben, fault, logs, monkeypatch
):
    monkeypatch.setattr("server.domain_hooks.RETRY_AFTER_S", 0.05)
    await ana.call("/presence", "watch", user_ids=[ben.id])
    await ben.enter("/profile")
    await ana.event("USER_ONLINE")
    await wait_until_idle(world)
    async with fault():
        await ben.client.close()
        await until(lambda: "not_told" in logs.getvalue())
        assert ana.events("USER_OFFLINE") == []
    await ana.event("USER_OFFLINE")


# A real server process with a limit on the size of its files.


@one_database
async def test_acknowledged_writes_survive_a_full_disk_and_a_kill(process, database_url):
    ana = await process.sign_up("ana")
    ben = await process.sign_up("ben")
    here = await talk(ana, ben)
    size = size_of_log(database_url) + 200_000
    before = limit_files(process._running.pid, size)
    devices = [ana.client, *[await (await ana.device()).enter("/chat") for _ in range(3)]]
    answers = dict(
        await asyncio.gather(*(attempt(devices[n % 4], here, f"{n}") for n in range(300)))
    )
    kept = {client_id for client_id, answer in answers.items() if answer["ok"]}
    refused = [answer["error"]["code"] for answer in answers.values() if not answer["ok"]]
    assert kept
    assert set(refused) == {"UNAVAILABLE"}
    assert await count_of(ben, here) == len(kept)
    limit_files(process._running.pid, before)
    assert (await attempt(ana.client, here, "after"))[1]["ok"]
    assert "Traceback" not in process.log
    process.kill()
    file = sqlite3.connect(database_url.removeprefix("sqlite:///"))
    assert file.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    stored = [client_id for (client_id,) in file.execute("SELECT client_id FROM messages")]
    file.close()
    assert sorted(stored) == sorted({*kept, "after"})


def limit_files(pid: int, size: int) -> int:
    """Limit the file size of a process, in bytes, and return the previous limit."""
    soft, hard = resource.prlimit(pid, resource.RLIMIT_FSIZE)
    resource.prlimit(pid, resource.RLIMIT_FSIZE, (size, hard))
    return soft


async def attempt(device: Client, conversation_id: str, client_id: str) -> tuple[str, Any]:
    message = {"conversation_id": conversation_id, "client_id": client_id, "text": "x" * 2_000}
    return client_id, await device.ask("/chat", "send", message)


async def count_of(person: Person, conversation_id: str) -> int:
    """How many messages history shows."""
    count, before = 0, None
    while True:
        page = await person.call(
            "/chat", "history", conversation_id=conversation_id, limit=100,
            **({} if before is None else {"before_seq": before}),
        )  # fmt: skip
        count += len(page["messages"])
        if not page["has_more"]:
            return count
        before = page["messages"][0]["seq"]
