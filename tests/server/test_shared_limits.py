"""Limits that two instances share in Redis, and their local limits while Redis is unavailable."""

import pytest

from rooms import redis_client
from server import devices
from tests.kit.probe import NAMESPACE
from tests.wire_client import Client, Refused
from tests.world import Person, World, until

pytestmark = pytest.mark.parametrize("database_kind", ["postgresql"], indirect=True)

BURST = 6
CAP = 3
SETTINGS = {
    "PARLEY_LIMITS": "default",
    "PARLEY_COMMANDS_BURST": str(BURST),
    "PARLEY_COMMANDS_PER_S": "0.01",
    "PARLEY_SOCKETS_PER_PERSON": str(CAP),
}


@pytest.fixture
async def both(make_world, redis_server, monkeypatch) -> tuple[World, World]:
    monkeypatch.setattr(redis_client, "PAUSE_S", (0.05, 0.1))
    monkeypatch.setattr(devices, "WRITE_EVERY_S", 0.05)
    one = await make_world(PARLEY_REDIS_URL=redis_server.url, **SETTINGS)
    other = await make_world(PARLEY_REDIS_URL=redis_server.url, **SETTINGS)
    await until(lambda: one.app.bus.well and other.app.bus.well)
    return one, other


async def enter(world: World, person: Person) -> Client:
    device = await world.connect(person.token)
    return await device.enter(NAMESPACE)


async def answered(device: Client) -> int:
    """The number of commands that pass if many are sent at once."""
    codes = [await device.ask(NAMESPACE, "echo", {"text": "?"}) for _ in range(BURST + 2)]
    return sum(answer["ok"] for answer in codes)


async def is_admitted(world: World, person: Person) -> bool:
    try:
        await enter(world, person)
    except Refused as refused:
        if refused.code != "RATE_LIMITED":
            raise
        return False
    return True


class TestRates:
    async def test_a_person_has_one_rate_on_all_instances(self, both):
        ana = await both[0].person("ana")
        here, there = [await enter(world, ana) for world in both]
        assert await answered(here) + await answered(there) == BURST

    async def test_an_expensive_use_of_a_rate_counts_on_all_instances(self, both):
        limits = [world.app.limits for world in both]
        assert await limits[0].take("commands", "ana", BURST - 1) == 0.0
        assert await limits[1].take("commands", "ana", 3 * BURST) == 0.0  # as a debt
        for one in limits:
            wait = await one.take("commands", "ana")
            assert BURST * 100 < wait <= (BURST + 1) * 100 + 1, "no more than another burst"

    async def test_without_redis_each_instance_keeps_the_rate(self, both, redis_server):
        ana = await both[0].person("ana")
        here, there = [await enter(world, ana) for world in both]
        redis_server.kill()
        assert await answered(here) == BURST
        assert await answered(there) == BURST

    async def test_a_frozen_redis_delays_no_command_for_long(self, both, redis_server):
        ana = await both[0].person("ana")
        here = await enter(both[0], ana)
        redis_server.freeze()
        try:
            answer = await here.ask(NAMESPACE, "echo", {"text": "?"})
        finally:
            redis_server.thaw()
        assert answer["ok"]


class TestDevices:
    async def test_a_person_has_one_cap_on_all_instances(self, both):
        one, other = both
        ana = await one.person("ana")  # connected, but has sent nothing yet
        first = await enter(one, ana)
        await enter(other, ana)
        await enter(other, ana)
        assert not await is_admitted(one, ana)
        assert not await is_admitted(other, ana)
        await first.close()
        await until(lambda: is_admitted(other, ana))

    async def test_counts_of_a_dead_instance_are_ignored(self, both, redis_server):
        ana = await both[0].person("ana")
        await redis_server.client.hset(devices.PREFIX + ana.id, "dead", CAP)
        assert await is_admitted(both[0], ana)

    async def test_counts_that_redis_lost_are_written_again(self, both, redis_server, monkeypatch):
        monkeypatch.setattr(devices, "WRITE_ALL_EVERY_S", 0.1)
        ana = await both[0].person("ana")
        for _ in range(CAP):
            await enter(both[0], ana)
        await redis_server.client.flushall()
        await until(lambda: redis_server.client.exists(devices.PREFIX + ana.id))
        assert not await is_admitted(both[1], ana)

    async def test_without_redis_connections_stay_and_each_instance_keeps_the_cap(
        self, both, redis_server
    ):
        one, other = both
        ana = await one.person("ana")
        here = [await enter(one, ana) for _ in range(CAP)]
        redis_server.kill()
        assert not await is_admitted(one, ana)
        assert [await is_admitted(other, ana) for _ in range(CAP + 1)] == [True] * CAP + [False]
        assert not any(device.closed.is_set() for device in here)

    async def test_connections_opened_during_a_redis_outage_are_counted_after_it(
        self, both, redis_server
    ):
        one, other = both
        ana = await one.person("ana")
        redis_server.freeze()
        for _ in range(CAP):
            await enter(one, ana)
        redis_server.thaw()
        await until(lambda: redis_server.client.exists(devices.PREFIX + ana.id))
        assert not await is_admitted(other, ana)

    async def test_connections_that_ended_during_a_redis_outage_are_written_after_it(
        self, both, redis_server
    ):
        one, other = both
        ana = await one.person("ana")
        here = [await enter(one, ana) for _ in range(CAP)]
        redis_server.freeze()
        for device in here:
            await device.close()
        await until(lambda: not one.app.gate.people.count(ana.id))
        redis_server.thaw()
        await until(lambda: is_admitted(other, ana))
