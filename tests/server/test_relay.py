"""Stored events take effect in consumers once, in the order of their key, despite failures."""

import asyncio
import json
from collections import Counter
from dataclasses import replace
from datetime import datetime, timedelta

import pytest
from sqlalchemy import select

from handlers.kit.transaction import Transaction
from rooms.names import stream
from server.outbound import LEASE_S
from server.relay import LONG_MAX, OUTSIDE_MAX, WORKERS_MAX
from storage.events import deliveries, timers
from storage.events.deliveries import Queue, list_parked, retry_parked, skip_parked
from storage.events.log import events, list_since
from tests.kit import probe as probes
from tests.kit.probe import ProbeSaid, Say, Switches, say_it, texts
from tests.storage.scratch import keys
from tests.world import World, address_of, both_databases, until

pytestmark = both_databases

LISTENER = "listener.hear_it"
CARRIER = "carrier.carry_outside"
PARKED = "parley_deliveries_parked"
WAITING = "parley_deliveries_waiting"


@pytest.fixture
def domains(switches):
    return (probes.probe, probes.listener)


async def say(world: World, text: str, key: str = "one", count: int = 1):
    """Publish events without a user."""
    await world.transact(say_it, Say(text=text, room="hall", key=key, count=count))


async def noted(world: World) -> list[str]:
    return texts(await world.stored("PROBE_NOTED"))


def forget_to_wake(world: World, monkeypatch):
    """Process no deliveries of this instance's commits, as if it had died after them."""
    monkeypatch.setattr(world.app.relay, "wake", lambda wake: None)


async def lowest(world: World, consumer: str = LISTENER, key: str = "one"):
    """The lowest delivery of a queue, or None."""
    queue = Queue(consumer, f"probe:{key}")
    return await world.transact(lambda tx: deliveries.find_lowest(tx, queue))


# Once, and in order.


async def test_an_event_reaches_its_consumer_automatically(world):
    await say(world, "hello")
    await until(lambda: noted(world))
    assert await noted(world) == ["hello"]


async def test_concurrent_processing_has_each_effect_once(world, monkeypatch):
    forget_to_wake(world, monkeypatch)
    await say(world, "x", count=20)
    take = world.app.relay._take_turn
    await asyncio.gather(*(take(Queue(LISTENER, "probe:one")) for _ in range(60)))
    await world.settle()
    assert Counter(await noted(world)) == Counter(f"x {n}" for n in range(20))


@pytest.mark.parametrize("database_kind", ["postgresql"], indirect=True)
async def test_two_instances_have_each_effect_once_and_in_order(make_world, monkeypatch):
    one, two = [await make_world() for _ in range(2)]
    for world in (one, two):
        forget_to_wake(world, monkeypatch)
    keys = ["a", "b", "c"]
    for key in keys:
        await say(one, key, key=key, count=15)
    for world in (one, two):
        for key in keys:
            world.app.relay.serve(Queue(LISTENER, f"probe:{key}"))
    await asyncio.gather(one.settle(), two.settle())
    heard = await noted(one)
    assert len(heard) == 45
    for key in keys:
        assert [text for text in heard if text[0] == key] == [f"{key} {n}" for n in range(15)]


async def test_events_of_one_key_are_processed_in_commit_order(world):
    speakers = (say(world, f"{n}", key="one") for n in range(30))
    await asyncio.gather(*speakers)
    await world.settle()
    hall = stream(probes.NAMESPACE, "hall")
    committed = await world.read(lambda tx: list_since(tx, hall, 0, 30, 30))
    assert await noted(world) == [json.loads(event.data)["text"] for event in committed]


async def test_the_sweep_finds_deliveries_of_a_dead_instance(world, monkeypatch):
    forget_to_wake(world, monkeypatch)
    await say(world, "left behind")
    assert await noted(world) == []
    await world.app.relay.sweep()
    await until(lambda: noted(world))


async def test_a_restarted_instance_processes_remaining_deliveries(world, monkeypatch):
    forget_to_wake(world, monkeypatch)
    await say(world, "left behind")
    await world.restart()
    await until(lambda: noted(world))


# Failures.


@pytest.mark.parametrize("database_kind", ["postgresql"], indirect=True)
async def test_a_failure_is_not_counted_on_the_next_delivery(make_world, monkeypatch, switches):
    """Another instance may have processed the failed delivery meanwhile."""
    one, two = [await make_world() for _ in range(2)]
    for world in (one, two):
        forget_to_wake(world, monkeypatch)
    await say(one, "hard")
    await say(one, "next")
    failed = one.app.relay._failed

    async def after_the_other_had_its_turn(*args):
        switches.broken.clear()
        assert await two.app.relay._take_turn(Queue(LISTENER, "probe:one"))
        return await failed(*args)

    monkeypatch.setattr(one.app.relay, "_failed", after_the_other_had_its_turn)
    switches.broken.add("hard")
    await one.app.relay._take_turn(Queue(LISTENER, "probe:one"))
    assert await noted(one) == ["hard"]
    assert (await lowest(one)).attempts == 0


@pytest.mark.stopped_clock
async def test_a_failing_consumer_has_no_effect_and_is_retried(world, switches: Switches):
    switches.broken.add("hard")
    await say(world, "hard")
    await world.settle()
    assert await noted(world) == []
    assert (await lowest(world)).attempts == 1
    switches.broken.clear()
    world.clock.advance(0.5)
    await world.settle()
    assert await noted(world) == ["hard"]
    assert await lowest(world) is None


async def test_a_failure_is_logged_with_the_correlation_id_of_its_command(
    world, ana, switches: Switches, logs
):
    switches.broken.add("hard")
    await ana.call("/probe", "say", text="hard", room="hall")
    await world.settle()
    (cause,) = await world.transact(
        lambda tx: tx.scalars(select(events.c.correlation_id).where(events.c.name == "PROBE_SAID"))
    )
    (line,) = [line for line in logs.getvalue().splitlines() if "delivery_failed" in line]
    assert cause in line


async def test_a_failed_delivery_is_retried_after_the_pause(make_world, switches: Switches):
    world = await make_world(PARLEY_CONSUMER_BACKOFF_S="0.05")
    switches.broken.add("hard")
    await say(world, "hard")
    await until(lambda: switches.attempts["hard"] >= 2)
    switches.broken.clear()
    await until(lambda: noted(world))


async def test_pauses_double_up_to_a_cap(make_world, switches: Switches):
    world = await make_world(PARLEY_CONSUMER_TRIES="20", PARLEY_CONSUMER_BACKOFF_S="4")
    switches.broken.add("hard")
    await say(world, "hard")
    pauses = []
    for _ in range(6):
        await world.settle()
        pauses.append(((await lowest(world)).ready_at - world.clock.now()).total_seconds())
        world.clock.advance(pauses[-1] + 0.01)
    assert pauses == pytest.approx([4, 8, 16, 32, 60, 60], abs=0.5)


async def park(world: World, switches: Switches, text: str, key: str = "one"):
    """Make a consumer fail on `text` until its delivery is parked."""
    switches.broken.add(text)
    await say(world, text, key=key)
    for _ in range(world.settings.environment.consumer_tries):
        await world.settle()
        world.clock.advance(61)


@pytest.mark.settings(PARLEY_CONSUMER_TRIES="3")
async def test_a_delivery_without_retries_left_is_parked_and_in_the_metrics(world, switches):
    await park(world, switches, "hopeless")
    await world.settle()
    metrics = await world.metrics()
    assert (metrics[PARKED], metrics[WAITING]) == (1, 0)
    assert metrics[f'parley_deliveries_failed_total{{consumer="{LISTENER}"}}'] == 3
    parked = await world.read(list_parked, 10)
    assert [(one.consumer, one.order_key, one.attempts) for one in parked] == [
        (LISTENER, "probe:one", 3)
    ]


@pytest.mark.settings(PARLEY_CONSUMER_TRIES="2")
async def test_a_parked_delivery_blocks_only_its_own_key(world, switches):
    await park(world, switches, "hopeless")
    await say(world, "behind it")
    await say(world, "beside it", key="other")
    await world.settle()
    assert await noted(world) == ["beside it"]
    await world.app.relay.sweep()
    assert (await world.metrics())[WAITING] == 1


@pytest.mark.settings(PARLEY_CONSUMER_TRIES="2")
async def test_a_parked_delivery_is_not_retried_automatically(world, switches):
    await park(world, switches, "hopeless")
    switches.broken.clear()
    world.clock.advance(3_600)
    await say(world, "behind it")
    await world.settle()
    assert await noted(world) == []


@pytest.mark.settings(PARLEY_CONSUMER_TRIES="8")
async def test_a_failing_delivery_blocks_only_its_own_key(world, switches):
    switches.broken.add("hard")
    await say(world, "hard")
    await say(world, "behind it")
    await say(world, "beside it", key="other")
    await world.settle()
    assert await noted(world) == ["beside it"]
    switches.broken.clear()
    world.clock.advance(1)
    await world.settle()
    assert await noted(world) == ["beside it", "hard", "behind it"]


@pytest.mark.settings(PARLEY_CONSUMER_TRIES="2")
async def test_a_retried_parked_queue_continues(world, switches):
    await park(world, switches, "hopeless")
    await say(world, "behind it")
    switches.broken.clear()
    now = world.clock.now()
    touched = await world.transact(lambda tx: retry_parked(tx, Queue(LISTENER, "probe:one"), now))
    assert touched == 1
    await world.settle()
    assert await noted(world) == ["hopeless", "behind it"]
    assert (await world.metrics())[PARKED] == 0


@pytest.mark.settings(PARLEY_CONSUMER_TRIES="2")
async def test_skipping_a_parked_delivery_continues_with_the_next(world, switches):
    await park(world, switches, "hopeless")
    await say(world, "behind it")
    await world.transact(skip_parked, Queue(LISTENER, "probe:one"))
    await world.settle()
    assert await noted(world) == ["behind it"]


async def test_an_event_is_not_deleted_before_it_is_processed(world, monkeypatch):
    forget_to_wake(world, monkeypatch)
    await say(world, "old")
    world.clock.advance(8 * 86_400)
    await world.app.housekeeping.tidy()
    await say(world, "new")
    await world.settle()
    assert await noted(world) == ["old", "new"]


# Outbound.


@pytest.fixture
async def outbound(make_world):
    return await make_world((probes.carrier,))


async def test_an_outbound_consumer_acts_outside_any_transaction(outbound, switches: Switches):
    await say(outbound, "slow parcel")
    await until(lambda: switches.waiting)
    await say(outbound, "the writer is free", key="other")
    await until(lambda: switches.outside == ["the writer is free"])
    assert (await lowest(outbound, CARRIER)).attempts == 1, "its lease is committed"
    switches.open.set()
    await until(lambda: switches.outside == ["the writer is free", "slow parcel"])
    await outbound.settle()
    assert await lowest(outbound, CARRIER) is None


async def test_a_lease_is_renewed_while_its_worker_acts(outbound, switches, monkeypatch):
    monkeypatch.setattr("server.outbound.RENEW_EVERY_S", 0.2)  # also the time of a renewal
    await say(outbound, "slow parcel")
    await until(lambda: leased_until(outbound, outbound.clock.now()))
    for _ in range(3):
        outbound.clock.advance(LEASE_S - 1)
        await until(lambda: leased_until(outbound, outbound.clock.now() + timedelta(seconds=2)))
    switches.open.set()
    await outbound.settle()
    assert switches.outside == ["slow parcel"]
    assert await lowest(outbound, CARRIER) is None


async def test_a_worker_without_its_lease_stops_and_leaves_the_delivery(
    outbound, switches, monkeypatch, logs
):
    monkeypatch.setattr("server.outbound.RENEW_EVERY_S", 0.02)
    await say(outbound, "slow parcel")
    await until(lambda: leased_until(outbound, outbound.clock.now()))
    await outbound.transact(take_over)
    await until(lambda: "lease_lost" in logs.getvalue())
    assert switches.outside == []
    assert (await lowest(outbound, CARRIER)).attempts == 2, "the other worker's"


async def leased_until(world: World, moment: datetime) -> bool:
    leased = await lowest(world, CARRIER)
    return leased is not None and leased.attempts == 1 and leased.ready_at > moment


def take_over(tx: Transaction) -> None:
    """Act like another instance that found the lease expired."""
    queue = Queue(CARRIER, "probe:one")
    found = deliveries.find_lowest(tx, queue)
    later = found.ready_at + timedelta(seconds=LEASE_S)
    deliveries.postpone(tx, queue, found.number, attempts=found.attempts + 1, ready_at=later)


@pytest.mark.stopped_clock
async def test_a_leased_delivery_is_not_taken_before_the_lease_expires(outbound, switches):
    await say(outbound, "slow parcel")
    await until(lambda: switches.waiting)
    await outbound.restart()  # as if it had died while acting
    outbound.clock.advance(LEASE_S - 1)
    await outbound.app.relay.sweep()
    await outbound.app.relay.idle()
    assert switches.waiting == ["slow parcel"]
    switches.open.set()
    outbound.clock.advance(2)
    await outbound.settle()
    assert switches.outside == ["slow parcel"]
    assert await lowest(outbound, CARRIER) is None


@pytest.mark.settings(PARLEY_CONSUMER_TRIES="3")
async def test_an_outbound_failure_is_tried_again_and_parked_in_the_end(outbound, switches):
    switches.broken.add("parcel")
    await say(outbound, "parcel")
    attempts = []
    for _ in range(4):
        await outbound.settle()
        attempts.append(switches.waiting.count("parcel"))
        outbound.clock.advance(59)
    assert attempts == [1, 2, 3, 3]
    parked = await outbound.read(list_parked, 10)
    assert [(one.consumer, one.attempts) for one in parked] == [(CARRIER, 3), (LISTENER, 3)]


def let_carry(world: World, monkeypatch: pytest.MonkeyPatch, within_s: float) -> None:
    """Set the time limit of the outbound consumer."""
    consumers = world.app.relay._consumers
    monkeypatch.setitem(consumers, CARRIER, replace(consumers[CARRIER], within_s=within_s))


async def test_a_hanging_outbound_consumer_is_stopped_within_its_lease_and_retried(
    outbound, switches, monkeypatch
):
    let_carry(outbound, monkeypatch, within_s=0.05)
    await say(outbound, "slow parcel")
    await until(lambda: len(switches.waiting) == 2)
    again = await lowest(outbound, CARRIER)
    assert (again.attempts, again.parked) == (2, False)


async def test_a_hanging_outbound_consumer_delays_no_plain_one(outbound, switches):
    for number in range(WORKERS_MAX):
        await say(outbound, "slow parcel", key=f"key {number}")
    await until(lambda: len(switches.waiting) == OUTSIDE_MAX)

    async def all_noted() -> bool:
        return len(await noted(outbound)) == WORKERS_MAX

    await until(all_noted)


async def test_long_outbound_consumers_have_their_own_slots(outbound, switches, monkeypatch):
    let_carry(outbound, monkeypatch, within_s=3_600)
    for number in range(OUTSIDE_MAX):
        await say(outbound, "slow parcel", key=f"key {number}")
    await until(lambda: len(switches.waiting) == LONG_MAX)
    door = await outbound.visitor("/signup")
    await door.call("/signup", "start", email=address_of("ana"))
    await outbound.mails.wait_for(address_of("ana"))
    assert len(switches.waiting) == LONG_MAX


async def test_a_backward_clock_step_delays_no_new_delivery(world, monkeypatch):
    forget_to_wake(world, monkeypatch)
    await say(world, "said before the step")
    world.clock.advance(-3600)
    world.app.relay.serve(Queue(LISTENER, "probe:one"))
    await until(lambda: noted(world))


# Timers.
# Timers.


async def set_timer(world: World, text: str, after_s: float, timer: str = "t"):
    def work(tx: Transaction):
        event = ProbeSaid(text=text, room="hall", by_key="one")
        tx.publish_later(event, tx.now + timedelta(seconds=after_s), timer)

    await world.transact(work)


async def said(world: World) -> list[str]:
    return texts(await world.stored("PROBE_SAID"))


async def test_a_timer_fires_automatically_when_it_is_due(world):
    await set_timer(world, "later", 0.15)
    assert await said(world) == []
    await until(lambda: said(world), within_s=2)


async def test_a_sooner_timer_does_not_wait_for_a_later_one(world):
    await set_timer(world, "later", 3600, "a")
    await until(lambda: world.app.timers._next is not None)
    await set_timer(world, "soon", 0.1, "b")
    await until(lambda: said(world), within_s=2)
    assert await said(world) == ["soon"]


async def test_a_timer_that_is_checked_concurrently_fires_once(world):
    await set_timer(world, "later", 60)
    world.clock.advance(61)
    await asyncio.gather(*(world.app.timers.fire() for _ in range(10)))
    await world.settle()
    assert await said(world) == ["later"]
    assert await noted(world) == ["later"]


@pytest.mark.parametrize("database_kind", ["postgresql"], indirect=True)
async def test_a_timer_that_two_instances_check_fires_once(make_world):
    one, two = [await make_world() for _ in range(2)]
    for number in range(20):
        await set_timer(one, f"{number}", 60, f"t{number}")
    one.clock.advance(61)
    await asyncio.gather(*(w.app.timers.fire() for w in (one, two, one, two)))
    assert sorted(await said(one), key=int) == [f"{n}" for n in range(20)]


async def test_a_timer_survives_a_restart(world):
    await set_timer(world, "later", 3600)
    await world.restart()
    world.clock.advance(3601)
    await world.settle()
    assert await said(world) == ["later"]


async def test_a_timer_due_during_a_downtime_fires_at_the_start(world):
    await set_timer(world, "later", 3600)
    await world.stop()
    world.clock.advance(3601)
    await world.start(world.port)
    await until(lambda: said(world))


async def test_more_timers_than_are_fired_at_once_all_fire(world):
    for number in range(250):
        await set_timer(world, f"{number}", 60, f"t{number}")
    world.clock.advance(61)
    await world.settle()
    assert len(await said(world)) == 250


async def test_setting_a_timer_again_replaces_its_time_and_event(world):
    await set_timer(world, "old", 60)
    await set_timer(world, "new", 120)
    world.clock.advance(61)
    await world.settle()
    assert await said(world) == []
    world.clock.advance(60)
    await world.settle()
    assert await said(world) == ["new"]


async def test_a_cancelled_timer_publishes_nothing(world):
    await set_timer(world, "never", 60)
    await world.transact(lambda tx: tx.cancel_timer("t"))
    world.clock.advance(61)
    await world.settle()
    assert await said(world) == []
    assert not await world.read(keys)


async def test_an_unreadable_timer_delays_no_other(world):
    now = world.clock.now()
    await world.transact(lambda tx: timers.set_timer(tx, "odd", now, "REMOVED_EVENT", "{}"))
    await set_timer(world, "sound", 0.05)
    await until(lambda: said(world), within_s=2)


async def test_a_timer_that_was_cancelled_while_it_failed_stays_cancelled(world):
    now = world.clock.now()
    odd = timers.Timer("odd", now, "REMOVED_EVENT", "{}")
    await world.transact(lambda tx: world.app.timers._postpone(odd, tx))
    assert not await world.read(keys)


async def test_a_sweep_that_failed_is_followed_by_the_next(world, monkeypatch):
    monkeypatch.setattr("server.relay.SWEEP_EVERY_S", 0.01)
    await world.restart()
    sweep, failures = world.app.relay.sweep, []

    async def fail_once():
        if not failures:
            failures.append(1)
            raise RuntimeError("what nobody foresaw")
        await sweep()

    monkeypatch.setattr(world.app.relay, "sweep", fail_once)
    await until(lambda: failures)
    forget_to_wake(world, monkeypatch)
    await say(world, "left behind")
    await until(lambda: noted(world), within_s=2)


# New consumers.


async def test_a_new_consumer_with_backfill_gets_earlier_events(world, make_world):
    await say(world, "before", count=3)
    await world.settle()
    await world.stop()
    later = World(world.settings, world.clock, (*world.domains, probes.latecomer))
    await later.start()
    await later.settle()
    assert await noted(later) == ["before 0", "before 1", "before 2"] * 2
    await later.restart()
    await later.settle()
    assert len(await noted(later)) == 6, "it is new only once"
    await later.stop()
    await world.start()


async def test_a_new_consumer_without_backfill_gets_only_later_events(world):
    await say(world, "before")
    await world.settle()
    await world.stop()
    later = World(world.settings, world.clock, (*world.domains, probes.carrier))
    await later.start()
    await say(later, "after")
    await later.settle()
    assert probes.switches.outside == ["after"]
    await later.stop()
    await world.start()
