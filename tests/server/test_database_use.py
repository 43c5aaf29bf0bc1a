"""The kind of a transaction and its declared isolation reach the database."""

import asyncio
import json
from dataclasses import replace
from types import SimpleNamespace

import pytest
from sqlalchemy import text
from sqlalchemy.util import await_only

from server.periodic import run_job
from server.rest import Rest
from storage.engine import postgres
from storage.engine.database import OutcomeUnknown
from storage.engine.isolation import serializable
from tests.kit import probe as probes
from tests.kit.probe import Say, say_it
from tests.world import World, both_databases, until

pytestmark = both_databases

LISTENER = "listener.hear_it"
CARRIER = "carrier.carry_outside"
_LEVEL = text("SELECT current_setting('transaction_isolation')")
_COLLIDE = text("DO $$ BEGIN RAISE SQLSTATE '40001'; END $$")

on_postgres = pytest.mark.parametrize("database_kind", ["postgresql"], indirect=True)


@pytest.fixture
def domains(switches):
    return (probes.probe, probes.listener, probes.carrier)


async def say(world: World, what: str) -> None:
    await world.transact(say_it, Say(text=what, room="hall"))


async def noted(world: World) -> list[str]:
    return probes.texts(await world.stored("PROBE_NOTED"))


async def noted_all(world: World, count: int) -> bool:
    return len(await noted(world)) >= count


def serve_soon(world: World, queue) -> None:
    asyncio.get_running_loop().call_later(0.01, world.app.relay.serve, queue)


def run_instead(world: World, consumer: str, run) -> None:
    consumers = world.app.relay._consumers
    consumers[consumer] = replace(consumers[consumer], run=run)


def lose_outcomes(world: World, monkeypatch, kind: str, count: int = 2) -> list[str]:
    """Commit the next transactions of a kind, but report an unknown outcome to their callers."""
    transact, lost = world.app.database.transact, []

    async def keep_and_lose(work, **options):
        value = await transact(work, **options)
        if options.get("kind", "commands") == kind and len(lost) < count:
            lost.append(kind)
            raise OutcomeUnknown("COMMIT was not answered")
        return value

    monkeypatch.setattr(world.app.database, "transact", keep_and_lose)
    return lost


async def test_a_consumer_whose_outcome_is_unknown_has_its_effect_once(world, monkeypatch):
    monkeypatch.setattr(world.app.relay, "_later", lambda queue, seconds: serve_soon(world, queue))
    lost = lose_outcomes(world, monkeypatch, "consumers")
    await say(world, "hello")
    await say(world, "there")
    await until(lambda: len(lost) == 2)
    await until(lambda: noted_all(world, 2))
    await world.settle()
    assert await noted(world) == ["hello", "there"]


async def test_a_timer_whose_outcome_is_unknown_fires_once(world, monkeypatch):
    await world.app.heartbeat._tasks.end()
    await world.app.housekeeping.stop()
    ana = await world.person("ana")
    await ana.call("/probe", "say_later", text="later", after_s=60, timer="one")
    lost = lose_outcomes(world, monkeypatch, "upkeep", count=1)
    world.clock.advance(61)
    for _ in range(2):
        await run_job(world.app.timers._fire_until_next())
    await world.settle()
    assert lost
    assert len(await world.stored("PROBE_SAID")) == 1


async def test_a_heartbeat_whose_outcome_is_unknown_is_confirmed_by_the_next(world, monkeypatch):
    await world.app.heartbeat._tasks.end()
    own = world.app.kernel.instance_id
    lose_outcomes(world, monkeypatch, "upkeep", count=1)
    with pytest.raises(OutcomeUnknown):
        await world.app.heartbeat._confirm_and_check_others()
    await world.app.heartbeat._confirm_and_check_others()
    assert world.app.kernel.instance_id == own


async def test_a_route_reports_an_unknown_outcome(world, monkeypatch):
    async def ask(context, request):
        return await context.transact(lambda tx: None)

    lose_outcomes(world, monkeypatch, "commands", count=1)
    route = SimpleNamespace(method="GET", path="/odd")
    rest = Rest(world.app)
    monkeypatch.setattr(rest, "_answer", lambda route, request: ask(world.app.context(), request))
    answer = await rest._serve(route, None)
    error = json.loads(answer.body)["error"]
    assert (answer.status, error["code"]) == (503, "UNAVAILABLE")
    assert error["details"] == {"outcome": "unknown"}


async def test_plain_and_outbound_consumers_wait_as_kind_consumers(world, monkeypatch):
    kinds = []
    monkeypatch.setattr(world.app.database.waits, "waited", lambda kind, s: kinds.append(kind))

    async def act(ctx, event) -> None:
        kinds.append("acts")
        await ctx.transact(lambda tx: None)
        await ctx.read(lambda tx: None)
        await ctx.keep_up(lambda tx: None)
        kinds.append("acted")

    run_instead(world, CARRIER, act)
    await say(world, "hello")
    await until(lambda: "acted" in kinds)
    await world.settle()
    acting = kinds[kinds.index("acts") + 1 : kinds.index("acted")]
    assert acting.count("consumers") >= 3
    assert "commands" not in acting


async def test_waiting_is_shown_by_kind(world):
    ana = await world.person("ana")
    await ana.call("/probe", "say", text="hello")
    await world.settle()
    metrics = await world.metrics()
    for kind in ("commands", "consumers", "upkeep"):
        assert metrics[f'parley_database_waiting{{kind="{kind}"}}'] == 0
        assert metrics[f'parley_database_wait_seconds_count{{kind="{kind}"}}'] > 0


@on_postgres
async def test_commands_are_answered_while_consumers_are_at_their_limit(world):
    ana, hold, holding = await world.person("ana"), asyncio.Event(), []

    def wait(tx, event) -> None:
        holding.append(event.text)
        await_only(hold.wait())

    run_instead(world, LISTENER, wait)
    for number in range(postgres.POOL):
        await world.transact(say_it, Say(text="hello", room="hall", key=f"{number}"))
    await until(lambda: len(holding) == postgres.CONSUMERS_MAX)
    async with asyncio.timeout(2):
        for number in range(5):
            assert await ana.call("/probe", "say", text=f"{number}")
    assert world.app.database.waits.now["consumers"] > 0
    hold.set()
    await world.settle()


@on_postgres
async def test_a_declared_function_is_serializable_by_context_and_relay(world):
    levels = []

    @serializable
    def look(tx, *event) -> None:
        levels.append(tx.scalar(_LEVEL))

    await world.transact(look)
    run_instead(world, LISTENER, look)
    await say(world, "hello")
    await until(lambda: len(levels) == 2)
    await world.transact(lambda tx: levels.append(tx.scalar(_LEVEL)))
    assert levels == ["serializable", "serializable", "read committed"]


@on_postgres
async def test_a_command_with_permanent_conflicts_is_unavailable(world, monkeypatch):
    @serializable
    def collide(tx, ask) -> None:
        tx.run(_COLLIDE)

    monkeypatch.setattr(postgres, "RERUNS_MAX", 3)
    monkeypatch.setattr(probes, "say_it", collide)
    ana = await world.person("ana")
    await ana.enter("/probe")
    answer = await ana.client.ask("/probe", "say", {"text": "hello"})
    assert answer["error"]["code"] == "UNAVAILABLE"
    assert await world.stored("PROBE_SAID") == []
