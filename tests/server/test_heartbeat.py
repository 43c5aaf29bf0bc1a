"""Instances renew their heartbeats; only the loss of a dead one is published, and only once."""

import asyncio
from datetime import datetime, timedelta
from typing import Any

import pytest

from handlers.kit.rules import KitRules
from server.heartbeat import LOST_AGAIN_AFTER
from storage.engine.clock import SharedClock, SystemClock
from storage.events.instances import insert_instance
from storage.platform.presence import insert_holding, list_users_on
from tests.world import World, both_databases, one_database, until

pytestmark = both_databases

LOST = "INSTANCE_LOST"


@pytest.fixture(autouse=True)
def quick(monkeypatch):
    monkeypatch.setattr("server.heartbeat.CONFIRM_EVERY_S", 0.03)


async def lost(world: World) -> list[str]:
    """The ids of the instances whose loss was published."""
    return [event["instance_id"] for event in await world.stored(LOST)]


async def silence(world: World) -> str:
    """Stop the heartbeat of an instance, as if it were dead; returns its id."""
    await world.app.heartbeat._tasks.end()
    return str(world.app.kernel.instance_id)


async def test_an_orderly_stop_publishes_its_own_loss(world):
    gone = world.app.kernel.instance_id
    await world.restart()
    assert await lost(world) == [gone]


async def confirmed(*worlds: World) -> None:
    """Wait for two heartbeats of each: the second one started after this call."""
    for beat in [world.app.heartbeat for world in worlds] * 2:
        before = beat._confirmed_at
        await until(lambda beat=beat, before=before: beat._confirmed_at != before)


@one_database
async def test_with_sqlite_all_other_instances_are_dead_at_the_start(world):
    now = world.clock.now()
    await world.transact(lambda tx: insert_instance(tx, "an-instance-that-was-killed", now))
    own = world.app.kernel.instance_id
    await world.restart()
    assert set(await lost(world)) == {own, "an-instance-that-was-killed"}


async def take_for_dead(world: World, instance_id: str) -> None:
    """Declare an instance dead, even if it renews its heartbeat at this moment."""

    def take(tx: Any) -> None:
        world.app.heartbeat._lost(instance_id, tx.now + timedelta(seconds=1), tx)

    await world.transact(take)


@pytest.mark.parametrize("database_kind", ["postgresql"], indirect=True)
class TestWithOthers:
    """Several instances on one PostgreSQL database."""

    async def test_a_dead_instance_is_published_as_lost_once_and_soon(self, make_world):
        dead, one, two = [await make_world() for _ in range(3)]
        gone = await silence(dead)
        for _ in range(4):
            one.clock.advance(4.5)
            await confirmed(one, two)
        await until(lambda: lost(one))
        await confirmed(one, two)
        assert await lost(two) == [gone]

    async def test_a_dead_instance_ended_at_its_last_heartbeat(self, make_world):
        dead, one = [await make_world() for _ in range(2)]
        before = one.clock.now()
        await confirmed(dead)
        await silence(dead)
        after = one.clock.now()
        for _ in range(4):
            one.clock.advance(4.5)
            await confirmed(one)
        await until(lambda: lost(one))
        (told,) = await one.stored(LOST)
        assert before <= datetime.fromisoformat(told["at"]) <= after

    async def test_a_short_gap_in_heartbeats_is_tolerated(self, make_world):
        quiet, one = [await make_world() for _ in range(2)]
        await silence(quiet)
        for _ in range(3):
            one.clock.advance(3.3)
            await confirmed(one)
        assert await lost(one) == []

    async def test_no_instance_is_declared_dead_after_a_database_outage(self, make_world):
        """After a long outage all heartbeats are old; the first to return waits for the others."""
        slow, first = [await make_world() for _ in range(2)]
        gone = await silence(slow)
        for seconds in (60, 3, 3):  # an outage of a minute; then `slow` returns a bit later
            first.clock.advance(seconds)
            await confirmed(first)
        assert await lost(first) == []
        first.clock.advance(8)
        await until(lambda: lost(first))
        assert await lost(first) == [gone]

    async def test_a_new_instance_gives_silent_ones_time_to_return(self, make_world):
        """It may be the first to reach the database after an outage for all."""
        slow = await make_world()
        await silence(slow)
        slow.clock.advance(60)
        fresh = await make_world()
        await confirmed(fresh)
        assert await lost(fresh) == []

    @pytest.mark.settings(PARLEY_PRESENCE_GRACE_S="0.3")
    async def test_an_instance_declared_dead_restarts_and_its_users_return(self, make_world):
        cut_off, one = [await make_world() for _ in range(2)]
        ana, ben = await cut_off.person("ana"), await one.person("ben")
        await ana.enter("/presence")

        async def online() -> bool:
            seen = await ben.call("/presence", "watch", user_ids=[ana.id])
            return bool(seen["states"][ana.id]["online"])

        await until(online)
        old = cut_off.app.kernel.instance_id
        await take_for_dead(one, old)
        await until(lambda: cut_off.app.kernel.instance_id != old)
        await until(ana.client.closed.is_set)
        again = await ana.device()
        await again.enter("/presence", token=ana.token)
        await one.settle()
        await until(online)

    async def test_a_user_who_arrived_while_the_instance_was_declared_dead_leaves_normally(
        self, make_world
    ):
        cut_off, one = [await make_world() for _ in range(2)]
        old = cut_off.app.kernel.instance_id
        ben = await one.person("ben")

        async def held_by() -> list[str]:
            return await one.transact(lambda tx: list_users_on(tx, old, 9))

        await take_for_dead(one, old)
        await one.settle()
        await one.transact(lambda tx: insert_holding(tx, ben.id, old))
        await until(lambda: cut_off.app.kernel.instance_id != old)
        assert await held_by() == [ben.id]
        grace_s = one.app.kernel.rules.of(KitRules).presence_grace_s
        for seconds in (LOST_AGAIN_AFTER.total_seconds(), grace_s):
            one.clock.advance(seconds)
            await one.settle()
        assert await held_by() == []

    @pytest.mark.settings(PARLEY_PRESENCE_GRACE_S="0.2")
    async def test_a_departure_during_a_renewed_arrival_is_published(self, make_world, monkeypatch):
        world = await make_world()
        ana, told = await world.person("ana"), []
        people, presence = world.app.gate.people, world.app.gate.presence
        await ana.enter("/profile")
        await until(lambda: ana.id in presence._reported_as and not presence._reporting)
        back = await ana.device()
        hooks = presence._hooks
        run_first_device, run_last_device = hooks.run_first_device, hooks.run_last_device

        async def leave_meanwhile(actor):
            told.append("first_device")
            await back.close()
            await until(lambda: not people.count(ana.id))
            await run_first_device(actor)

        async def note_last_device(actor):
            told.append("last_device")
            await run_last_device(actor)

        monkeypatch.setattr(hooks, "run_first_device", leave_meanwhile)
        monkeypatch.setattr(hooks, "run_last_device", note_last_device)
        presence._reported_as[ana.id] = "an instance that was taken for dead"
        await ana.client.close()
        await until(lambda: ana.id in presence._reporting)
        await back.enter("/profile", token=ana.token)
        await until(lambda: told == ["first_device", "last_device"])

    async def test_instances_use_the_clock_of_their_database(self, make_world):
        world = await make_world()
        clock = SharedClock()
        clock._at += timedelta(hours=1)
        await clock.align(world.app.database)
        assert abs(clock.now() - SystemClock().now()) < timedelta(seconds=5)


async def fail_once(world: World, monkeypatch, owner: object, name: str) -> list[int]:
    """Make one method raise an unexpected exception once."""
    work, failures = getattr(owner, name), []

    async def run(*args):
        if not failures:
            failures.append(1)
            raise RuntimeError("what nobody foresaw")
        failures.append(2)
        return await work(*args)

    monkeypatch.setattr(owner, name, run)
    return failures


async def test_a_failed_heartbeat_is_followed_by_the_next(world, monkeypatch):
    failures = await fail_once(world, monkeypatch, world.app.heartbeat, "_confirm_and_check_others")
    await until(lambda: len(failures) > 2)


@one_database
async def test_a_hanging_heartbeat_is_cancelled_and_retried_at_once(make_world, monkeypatch):
    monkeypatch.setattr("server.heartbeat.CONFIRM_EVERY_S", 0.05)
    monkeypatch.setattr("server.heartbeat.BEAT_WITHIN_S", 0.05)
    world, beats = await make_world(), []

    async def hang_at_first():
        beats.append(1)
        if len(beats) < 4:
            await asyncio.sleep(60)

    monkeypatch.setattr(world.app.heartbeat, "_confirm_and_check_others", hang_at_first)
    await until(lambda: len(beats) > 4)
