"""Rooms of two instances, connected by a real Redis that is killed, frozen and flushed."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import suppress

import pytest
from redis.crc import key_slot

from rooms import gaps, redis_bus, redis_client
from rooms.packets import ephemeral_packet
from rooms.redis_bus import RedisBus, channel_of
from rooms.replay import Wanted
from rooms.rooms import Rooms
from tests.kit.proxy import Proxy
from tests.parts.redis import RedisServer, running_cluster
from tests.rooms.hall import HALL, NAMESPACE, Hall, Member, spin
from tests.world import until

NEVER_S = 3_600


@pytest.fixture(autouse=True)
def short_timeouts(monkeypatch):
    monkeypatch.setattr(redis_bus, "RECONNECT_AFTER_S", (0.05, 0.1))
    monkeypatch.setattr(redis_client, "PAUSE_S", (0.05, 0.1))
    monkeypatch.setattr(redis_bus, "ECHO_EVERY_S", 0.05)
    monkeypatch.setattr(redis_bus, "DEAF_AFTER_S", 0.5)
    monkeypatch.setattr(redis_bus, "READ_WITHIN_S", 0.1)


@pytest.fixture
def without_sweep(hall, monkeypatch):
    """Disable the sweep of rooms that start after `hall`, which sets a short one."""
    monkeypatch.setattr(gaps, "SWEEP_EVERY_S", NEVER_S)
    monkeypatch.setattr(gaps, "GAP_WAIT_S", NEVER_S)


@pytest.fixture
async def instances(hall: Hall, redis_server: RedisServer) -> AsyncIterator[tuple[Rooms, Rooms]]:
    """Two instances: the first commits the hall's events, the second gets them through Redis."""
    both = [Rooms(hall.database, RedisBus(redis_server.url), hall.clock) for _ in range(2)]
    for rooms in both:
        await rooms.start()
    hall.database.committed = both[0].committed
    await until(lambda: all(rooms._bus.well for rooms in both))
    yield both[0], both[1]
    for rooms in both:
        await rooms.stop()


async def enter_member(hall: Hall, rooms: Rooms, *streams: str) -> Member:
    member, usual = Member(), hall.rooms
    hall.rooms = rooms
    await hall.enter(member, *(Wanted(stream) for stream in streams))
    hall.rooms = usual
    return member


@pytest.mark.usefixtures("without_sweep")
async def test_events_reach_the_other_instance_at_once_and_in_order(hall, instances):
    here, there = [await enter_member(hall, rooms) for rooms in instances]
    await hall.say(count=50)
    await until(lambda: there.numbers() == list(range(1, 51)), within_s=2)
    assert here.numbers() == list(range(1, 51))


async def test_leaving_a_channel_has_a_time_limit(hall, instances, monkeypatch):
    async def hang(ear, channel: str) -> None:
        await asyncio.Event().wait()

    monkeypatch.setattr(redis_bus, "SUBSCRIBED_WITHIN_S", 0.05)
    monkeypatch.setattr(redis_bus.RedisSubscription, "unsubscribe", hang)
    bus = instances[0]._bus
    await enter_member(hall, instances[0], HALL)
    before = len(bus._tasks)
    bus.unsubscribe(HALL)
    assert len(bus._tasks) == before + 1
    await until(lambda: len(bus._tasks) == before, within_s=3)


@pytest.mark.usefixtures("without_sweep")
async def test_an_ephemeral_event_arrives_once_on_each_instance(hall, instances):
    here, there = [await enter_member(hall, rooms) for rooms in instances]
    instances[0].ephemeral.publish(NAMESPACE, "hall", "typing", {})
    await hall.say()
    await until(lambda: there.numbers() == [1])
    assert there.sent.count("typing") == here.sent.count("typing") == 1


async def test_a_stream_is_subscribed_while_it_has_members(hall, instances, redis_server):
    async def channels() -> int:
        ((_, count),) = await redis_server.client.pubsub_shardnumsub(channel_of(HALL))
        return int(count)

    first, second = [await enter_member(hall, instances[0]) for _ in range(2)]
    other = await enter_member(hall, instances[1])
    assert await channels() == 2, "entering waits for the subscription"
    instances[0].leave_all(first)
    instances[1].leave_all(other)
    await until(lambda: is_count(channels, 1))
    instances[0].leave_all(second)
    await until(lambda: is_count(channels, 0))


async def test_leaving_and_rejoining_at_once_keeps_the_subscription(hall, instances, logs):
    for _ in range(20):
        member = await enter_member(hall, instances[1])
        instances[1].leave_all(member)
        await spin(2)
    there = await enter_member(hall, instances[1])
    await hall.say()
    await until(lambda: there.numbers() == [1], within_s=2)
    assert "not_listening" not in logs.getvalue()


async def test_a_listener_gets_ephemeral_events_of_another_instance(hall, instances, redis_server):
    listener = Member()
    await instances[1].ephemeral.listen(listener, [f"{NAMESPACE}|{number}" for number in range(3)])
    for number in range(3):
        instances[0].ephemeral.publish(NAMESPACE, str(number), f"typing {number}", {})
    await until(lambda: len(listener.sent) == 3, within_s=2)
    instances[1].leave_all(listener)
    await until(lambda: is_quiet(redis_server))


async def is_quiet(server: RedisServer) -> bool:
    return not await server.client.pubsub_shardchannels(channel_of(f"{NAMESPACE}|*"))


async def is_count(channels, count: int) -> bool:
    return await channels() == count


async def test_events_are_read_from_the_database_while_redis_is_down(
    hall, instances, redis_server, monkeypatch
):
    there = await enter_member(hall, instances[1])
    redis_server.kill()
    await hall.say(count=3)
    await until(lambda: there.numbers() == [1, 2, 3], within_s=2)
    late = await enter_member(hall, instances[1])
    await until(lambda: not instances[1]._bus.well, within_s=2)
    await redis_server.start()
    await until(lambda: all(rooms._bus.well for rooms in instances), within_s=3)
    monkeypatch.setattr(gaps.Gaps, "_look", no_look)
    await hall.say(count=3)
    await until(lambda: late.numbers()[-3:] == [4, 5, 6], within_s=2)


async def no_look(self: gaps.Gaps, since: object) -> None:
    """Replaces the sweep, so that no events come from the database."""


async def test_a_frozen_redis_delays_nothing_and_is_reported(hall, instances, redis_server):
    there = await enter_member(hall, instances[1])
    redis_server.freeze()
    try:
        async with asyncio.timeout(1):
            await hall.say(count=20)
        await until(lambda: there.numbers() == list(range(1, 21)), within_s=2)
        await until(lambda: not any(rooms._bus.well for rooms in instances), within_s=2)
        late = await enter_member(hall, instances[0])
    finally:
        redis_server.thaw()
    await until(lambda: all(rooms._bus.well for rooms in instances), within_s=3)
    await hall.say()
    await until(lambda: there.numbers()[-1] == late.numbers()[-1] == 21)


async def test_a_lost_connection_that_was_never_closed_is_replaced(hall, redis_server, monkeypatch):
    monkeypatch.setattr(gaps, "SWEEP_EVERY_S", NEVER_S)
    proxy = Proxy(redis_server.url)
    await proxy.mend()
    rooms = Rooms(hall.database, RedisBus(proxy.url), hall.clock)
    await rooms.start()
    others = Rooms(hall.database, RedisBus(redis_server.url), hall.clock)
    await others.start()
    await until(lambda: rooms._bus.well and others._bus.well)
    there = await enter_member(hall, rooms)
    hall.database.committed = others.committed
    proxy.mute()
    await until(lambda: not rooms._bus.well, within_s=2)
    await until(lambda: rooms._bus.well, within_s=3)
    await hall.say()
    await until(lambda: there.numbers() == [1], within_s=2)
    for one in (rooms, others):
        await one.stop()
    await proxy.cut()


async def test_instances_start_and_run_without_redis(hall, redis_server):
    redis_server.kill()
    rooms = Rooms(hall.database, RedisBus(redis_server.url), hall.clock)
    await rooms.start()
    member = await enter_member(hall, rooms)
    await hall.say()
    await until(lambda: member.numbers() == [1], within_s=2)
    assert not rooms._bus.well
    await rooms.stop()


async def test_messages_of_another_release_are_ignored(hall, instances, redis_server):
    there = await enter_member(hall, instances[1])
    await redis_server.client.spublish(channel_of(HALL), b"\x93nonsense")
    await redis_server.client.spublish(
        channel_of(HALL), ephemeral_packet(NAMESPACE, "hall", "x", 1).text
    )
    await hall.say()
    await until(lambda: there.numbers() == [1])
    assert there.sent == ["greeted", ("hall", 1)]


@pytest.mark.parametrize("database_kind", ["sqlite"], indirect=True)
class TestCluster:
    """A Redis cluster of three servers."""

    @pytest.fixture
    async def servers(self) -> AsyncIterator[list[RedisServer]]:
        async with running_cluster(3) as servers:
            yield servers

    @pytest.fixture
    def redis_server(self, servers):
        return servers[0]

    @pytest.mark.usefixtures("without_sweep")
    async def test_each_channel_uses_the_server_that_owns_its_slot(self, hall, instances, servers):
        streams = [f"{NAMESPACE}|{number}" for number in range(30)]
        there = await enter_member(hall, instances[1], *streams)
        counts = [
            len(await server.client.pubsub_shardchannels(channel_of(f"{NAMESPACE}|*")))
            for server in servers
        ]
        assert sum(counts) == len(streams)
        assert all(counts)
        for stream in streams:
            await hall.say(stream)
        await until(lambda: len(there.sent) == len(streams) + 1, within_s=2)

    async def test_a_lost_server_is_detected_and_reconnected(self, hall, instances, servers):
        there = await enter_member(hall, instances[1])
        servers[1].kill()
        await until(lambda: not instances[1]._bus.well, within_s=2)
        await hall.say()
        await until(lambda: there.numbers() == [1], within_s=2)
        await servers[1].start()
        await until(lambda: all(rooms._bus.well for rooms in instances), within_s=10)

    async def test_a_moved_slot_is_followed(self, hall, instances, servers, monkeypatch):
        there = await enter_member(hall, instances[1])
        slot = key_slot(channel_of(HALL).encode())
        before, after = await owner_and_another(servers, slot)
        await move(slot, before, after, servers)
        await until(lambda: is_subscribed(after), within_s=5)
        monkeypatch.setattr(gaps.Gaps, "_look", no_look)
        await until(lambda: arrives_at_once(hall, there), within_s=5)


async def owner_and_another(servers, slot):
    for first, last, (_, port, *_), *_ in await servers[0].client.execute_command("CLUSTER SLOTS"):
        if first <= slot <= last:
            owner = next(server for server in servers if server.port == port)
    return owner, next(server for server in servers if server is not owner)


async def move(slot, before, after, servers):
    """Move an empty slot like an operator."""
    old, new = [await server.client.execute_command("CLUSTER MYID") for server in (before, after)]
    await after.client.execute_command("CLUSTER", "SETSLOT", slot, "IMPORTING", old)
    await before.client.execute_command("CLUSTER", "SETSLOT", slot, "MIGRATING", new)
    for server in (after, before, *servers):
        await server.client.execute_command("CLUSTER", "SETSLOT", slot, "NODE", new)


async def is_subscribed(server):
    ((_, count),) = await server.client.pubsub_shardnumsub(channel_of(HALL))
    return bool(count)


async def arrives_at_once(hall, member):
    """Whether a new event arrives at once; the sender first has to learn the slot's new server."""
    (event,) = await hall.say()
    with suppress(TimeoutError):
        await until(lambda: event.seq in member.numbers(), within_s=0.5)
    return event.seq in member.numbers()
