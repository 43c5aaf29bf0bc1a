"""Consumers that are renamed, removed or switched off lose nothing and do not block others."""

import asyncio
from contextlib import AsyncExitStack
from datetime import timedelta

import pytest
from sqlalchemy import func, select, update
from structlog.testing import capture_logs

from handlers.kit.domain import Domain
from handlers.kit.ids import new_id
from handlers.kit.registry import Registry
from server import operator
from server.registration import SILENT_AFTER, names_served
from storage.engine.database import Queries
from storage.events import deliveries
from storage.events.consumers import consumers
from storage.events.deliveries import Queue, insert_deliveries
from storage.events.log import events
from tests.kit import probe as probes
from tests.kit.probe import ProbeSaid, Say, say_it, texts
from tests.world import World, both_databases, until

pytestmark = both_databases

LISTENER = "listener.hear_it"
RENAMED = "renamed.hear_it"
GONE = "gone.hear_it"
DAY_S = 86_400

renamed = Domain("renamed")
renamed.consumer(ProbeSaid, formerly=(LISTENER,))(probes.hear_it)


@pytest.fixture
def domains(switches):
    return (probes.probe,)


async def say(world: World, text: str, key: str = "one") -> None:
    await world.transact(say_it, Say(text=text, room="hall", key=key))


async def noted(world: World) -> list[str]:
    return texts(await world.stored("PROBE_NOTED"))


def forget_to_wake(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """Process no deliveries of this instance's commits, as if it had died after them."""
    monkeypatch.setattr(world.app.relay, "wake", lambda wake: None)


async def leave(world: World, count: int, consumer: str = GONE) -> None:
    """Add queues of a consumer that this version does not have."""
    at = world.clock.now() - timedelta(minutes=5)

    def work(tx: Queries) -> None:
        left = [(new_id(at), f"left:{number}", at, (consumer,)) for number in range(count)]
        insert_deliveries(tx, left)

    await world.transact(work)


async def count_of(world: World, consumer: str) -> int:
    counting = select(func.count()).where(deliveries.deliveries.c.consumer == consumer)
    return int(await world.read(lambda tx: tx.scalar(counting)))


async def silence(world: World, consumer: str) -> None:
    """Make the last confirmation of this consumer old."""
    at = world.clock.now() - 2 * SILENT_AFTER
    moved = update(consumers).where(consumers.c.name == consumer).values(served_at=at)
    await world.transact(lambda tx: tx.run(moved))


# Unserved consumers.


async def test_queues_of_a_removed_consumer_do_not_starve_the_sweep(make_world, monkeypatch):
    monkeypatch.setattr("server.due_queues.SWEEP_LIMIT", 50)
    world = await make_world((probes.listener,))
    await leave(world, 70)
    forget_to_wake(world, monkeypatch)
    await say(world, "left behind by a dead instance")
    await world.app.relay.sweep()
    await until(lambda: noted(world))
    assert await count_of(world, GONE) == 70, "kept for an operator"


async def test_the_start_and_the_metrics_report_unserved_deliveries(make_world):
    world = await make_world((probes.listener,))
    await leave(world, 3)
    await world.stop()
    with capture_logs() as logged:
        await world.start()
        await world.app.registration.confirm()
    told = [line for line in logged if line["event"] == "deliveries_unserved"]
    assert [(line["consumer"], line["deliveries"]) for line in told] == [(GONE, 3)]
    assert (await world.metrics())["parley_deliveries_unserved"] == 3


async def test_an_operator_sees_and_purges_unserved_deliveries(make_world, monkeypatch):
    monkeypatch.setattr("server.operator.PURGE_BATCH_SIZE", 20)
    world = await make_world((probes.listener,))
    await leave(world, 45)
    await leave(world, 2, "other.hear_it")
    (left, _) = await operator.list_unserved(world.app)
    assert (left.consumer, left.deliveries) == (GONE, 45)
    assert await operator.purge(world.app, GONE) == 45
    assert await count_of(world, "other.hear_it") == 2


async def test_a_served_consumer_cannot_be_purged(make_world, monkeypatch):
    world = await make_world((probes.listener,))
    forget_to_wake(world, monkeypatch)
    await say(world, "waits")
    with pytest.raises(operator.CannotDo, match="is served"):
        await operator.purge(world.app, LISTENER)
    assert await count_of(world, LISTENER) == 1


@pytest.mark.parametrize("database_kind", ["postgresql"], indirect=True)
async def test_a_consumer_of_another_instance_is_neither_reported_nor_purged(
    make_world, monkeypatch
):
    both = await make_world((probes.listener,))
    partial = await make_world()
    forget_to_wake(both, monkeypatch)
    await say(both, "waits")
    await partial.app.registration.confirm()
    assert (await partial.metrics())["parley_deliveries_unserved"] == 0
    with pytest.raises(operator.CannotDo):
        await operator.purge(partial.app, LISTENER)
    await silence(both, LISTENER)
    await partial.app.registration.confirm()
    assert (await partial.metrics())["parley_deliveries_unserved"] == 1


async def leave_undone(make_world, monkeypatch) -> World:
    """A consumer with an unprocessed event is switched off."""
    full = await make_world((probes.listener,))
    monkeypatch.setattr(full.app.relay, "serve", lambda queue: None)
    await say(full, "unheard")
    await full.stop()
    return full


async def tidy_after(world: World, days: float) -> None:
    world.clock.advance(days * DAY_S)
    await world.app.registration.confirm()
    await world.app.housekeeping.tidy()


async def count_events(world: World) -> int:
    counting = select(func.count()).where(events.c.name == "PROBE_SAID")
    return int(await world.read(lambda tx: tx.scalar(counting)))


async def test_a_domain_continues_after_being_switched_off(make_world, monkeypatch):
    full = await leave_undone(make_world, monkeypatch)
    partial = await make_world()
    await tidy_after(partial, 29)
    await partial.stop()
    await full.start()
    await until(lambda: noted(full))
    assert await noted(full) == ["unheard"]


async def test_long_unserved_deliveries_are_given_up_and_logged(make_world, monkeypatch):
    await leave_undone(make_world, monkeypatch)
    partial = await make_world()
    await tidy_after(partial, 29)
    assert await count_events(partial) == 1
    with capture_logs() as logged:
        await tidy_after(partial, 2)
    assert await count_events(partial) == 0
    assert await count_of(partial, LISTENER) == 0
    (line,) = [line for line in logged if line["event"] == "deliveries_given_up"]
    assert (line["consumer"], line["events"]) == (LISTENER, 1)


async def test_deliveries_of_a_served_consumer_are_never_given_up(make_world, switches):
    world = await make_world((probes.listener,), PARLEY_CONSUMER_TRIES="1")
    switches.broken.add("hard")
    await say(world, "hard")
    await world.settle()
    await tidy_after(world, 60)
    assert await count_events(world) == 1


async def test_never_served_deliveries_age_from_their_discovery(
    make_world,
):
    world = await make_world()
    await leave(world, 1)
    await tidy_after(world, 8)
    assert await count_of(world, GONE) == 1
    await tidy_after(world, 31)
    assert await count_of(world, GONE) == 0


# Former names.


@pytest.fixture
async def rename(old):
    """`await rename()` starts the next version, in which the listener has its new name."""
    async with AsyncExitStack() as stack:

        async def start(domain: Domain = renamed) -> World:
            later = World(old.settings, old.clock, (probes.probe, domain))
            stack.push_async_callback(later.close)
            return await later.start()

        yield start


@pytest.fixture
async def old(make_world) -> World:
    return await make_world((probes.listener,))


async def test_a_renamed_consumer_continues_its_queues(old, rename, monkeypatch):
    forget_to_wake(old, monkeypatch)
    await say(old, "before")
    await old.stop()
    new = await rename()
    await say(new, "after")
    await new.settle()
    assert await noted(new) == ["before", "after"]


async def test_a_renamed_consumer_keeps_the_order_of_a_key_over_both_names(old, rename, switches):
    switches.broken.add("hard")
    await say(old, "hard")
    await old.settle()
    await say(old, "behind it")
    await old.stop()
    new = await rename()
    await silence(new, LISTENER)
    await say(new, "after")
    await new.settle()
    assert await noted(new) == []
    switches.broken.clear()
    new.clock.advance(61)
    await new.settle()
    assert await noted(new) == ["hard", "behind it", "after"]


@pytest.mark.settings(PARLEY_CONSUMER_TRIES="1")
async def test_deliveries_get_the_present_name_when_the_former_is_unserved(old, rename, switches):
    switches.broken.add("hard")
    await say(old, "hard")
    await old.settle()
    await old.stop()
    new = await rename()
    await silence(new, LISTENER)
    await new.app.registration.confirm()
    (parked,) = await operator.list_parked(new.app)
    assert parked.consumer == RENAMED
    switches.broken.clear()
    assert await operator.retry_parked(new.app, Queue(RENAMED, "probe:one")) == 1
    await new.settle()
    assert await noted(new) == ["hard"]


@pytest.mark.parametrize("database_kind", ["postgresql"], indirect=True)
async def test_an_older_instance_beside_the_renamed_one_has_each_effect_once(old, rename):
    new = await rename()
    told = [f"{number}" for number in range(20)]

    async def speak(world: World, texts: list[str]) -> None:
        for text in texts:
            await say(world, text, key=f"{int(text) % 3}")

    await asyncio.gather(speak(old, told[::2]), speak(new, told[1::2]))
    for _ in range(3):
        await asyncio.gather(old.settle(), new.settle())
        await new.app.registration.confirm()
    assert sorted(await noted(new), key=int) == told


async def test_a_delivery_under_two_former_names_is_processed_once(old, rename, monkeypatch):
    forget_to_wake(old, monkeypatch)
    await leave(old, 1, LISTENER)
    now = old.clock.now()
    told = [("an event", "probe:one", now, (LISTENER, "earlier.hear_it"))]
    await old.transact(lambda tx: insert_deliveries(tx, told))
    await old.stop()
    both = Domain("both")
    both.consumer(ProbeSaid, formerly=(LISTENER, "earlier.hear_it"))(probes.hear_it)
    monkeypatch.setattr("server.relay.Relay.serve", lambda *_: None)
    new = await rename(both)
    for name in (LISTENER, "earlier.hear_it"):
        await silence(new, name)
    await new.app.registration.confirm()
    assert await count_of(new, "both.hear_it") == 2, "this one, and the one that was left"


def test_two_consumers_cannot_have_one_name():
    with pytest.raises(TypeError, match=LISTENER):
        names_served(Registry((probes.listener, renamed)))


# Order keys.


async def test_ended_subjects_leave_no_order_key(make_world):
    world = await make_world((probes.listener,))
    for number in range(5):
        await say(world, f"{number}", key=f"{number}")
    await world.settle()
    await leave(world, 1)
    await world.app.housekeeping.tidy()
    keys = await world.read(lambda tx: tx.scalars(select(deliveries.order_keys.c.order_key)))
    assert keys == ["left:0"]
