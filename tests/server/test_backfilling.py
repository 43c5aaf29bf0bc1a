"""A new consumer gets earlier events: page by page, in order, beside live deliveries."""

import asyncio
import time
from collections import Counter
from contextlib import AsyncExitStack

import pytest
from structlog.testing import capture_logs

from handlers.kit.backfill import Page
from handlers.kit.domain import Domain
from handlers.kit.transaction import Transaction
from server import operator
from storage.engine.database import StorageUnavailable
from storage.events import backfills
from storage.events.log import forget_events
from tests.kit import probe as probes
from tests.kit.probe import ProbeSaid, Say, say_it, texts
from tests.world import World, both_databases, until

pytestmark = both_databases

LATECOMER = "latecomer.hear_it"
TABLE = "library.hear_it"
BOOKS: list[str] = []
"""The rows of an invented library domain, from which a consumer can be rebuilt."""


def tell_books(tx: Transaction, after: str, limit: int) -> Page:
    """The next books after a position; odd ones raise an error."""
    first = int(after or 0)
    told = BOOKS[first : first + limit]
    if "odd" in told:
        raise ValueError("odd")
    events = [ProbeSaid(text=text, room="", by_key=text[0]) for text in told]
    end = first + len(told)
    return Page(events, None if end >= len(BOOKS) else str(end))


def only_first(rules: object, event: ProbeSaid) -> bool:
    return not event.text.startswith("unheeded")


library = Domain("library")
library.consumer(ProbeSaid, rebuild=tell_books)(probes.hear_it)
picky = Domain("picky")
picky.consumer(ProbeSaid, backfill=True, filter=only_first)(probes.hear_it)
moved = Domain("moved")
moved.consumer(ProbeSaid, backfill=True, formerly=(LATECOMER,))(probes.hear_it)
moved_on = Domain("moved_on")
moved_on.consumer(ProbeSaid, backfill=True, formerly=(LATECOMER, "moved.hear_it"))(probes.hear_it)
carried = Domain("carried")
carried.consumer(ProbeSaid, backfill=True, outbound=True)(probes.carry_outside)


@pytest.fixture(autouse=True)
def books():
    BOOKS.clear()
    return BOOKS


@pytest.fixture
def domains(switches):
    return (probes.probe,)


@pytest.fixture
async def upgrade(world, monkeypatch):
    """`await upgrade(domain)` starts an instance with one more domain."""
    monkeypatch.setattr("server.backfilling.LOOK_EVERY_S", 60)
    async with AsyncExitStack() as stack:

        async def start(*more: Domain) -> World:
            if not world.app.database.shared:
                await world.stop()
            later = World(world.settings, world.clock, (probes.probe, *more))
            stack.push_async_callback(later.close)
            return await later.start()

        yield start


async def say(world: World, text: str, key: str = "one", count: int = 1) -> None:
    await world.transact(say_it, Say(text=text, room="hall", key=key, count=count))


async def say_many(world: World, count: int, keys: int = 20) -> list[str]:
    """Publish events with numbered texts in a few transactions; returns the texts."""

    def work(tx: Transaction, first: int) -> None:
        for number in range(first, min(first + 100, count)):
            tx.publish(ProbeSaid(text=f"{number}", room="hall", by_key=f"{number % keys}"))

    for first in range(0, count, 100):
        await world.transact(work, first)
    return [f"{number}" for number in range(count)]


async def noted(world: World) -> list[str]:
    return texts(await world.stored("PROBE_NOTED"))


async def backfill_of(world: World, consumer: str = LATECOMER) -> backfills.Backfill:
    return await world.read(backfills.find_backfill, consumer)


def small_pages(monkeypatch: pytest.MonkeyPatch, size: int = 10) -> None:
    monkeypatch.setattr("server.backfilling.PAGE_SIZE", size)


async def test_a_new_consumer_gets_all_pages_of_stored_events_once(world, upgrade, monkeypatch):
    small_pages(monkeypatch)
    told = await say_many(world, 95)
    new = await upgrade(probes.latecomer)
    await new.settle()
    heard = await noted(new)
    assert Counter(heard) == Counter(told)
    for key in range(20):
        of_key = [int(text) for text in heard if int(text) % 20 == key]
        assert of_key == sorted(of_key)
    found = await backfill_of(new)
    assert (found.state, found.queued) == ("done", 95)
    metrics = await new.metrics()
    assert metrics[f'parley_backfill_deliveries_total{{consumer="{LATECOMER}"}}'] == 95


async def test_filtered_events_are_not_backfilled(world, upgrade):
    await say(world, "unheeded")
    await say(world, "heeded")
    new = await upgrade(picky)
    await new.settle()
    assert await noted(new) == ["heeded"]


async def take_pages(world: World, count: int) -> None:
    """Process `count` pages, like an instance that is killed after them."""
    consumer = world.app.backfilling._consumers[LATECOMER]
    for _ in range(count):
        await world.app.backfilling._try_page(consumer)


@pytest.fixture
def paused(monkeypatch):
    """Stop the loops of instances; tests process pages themselves."""
    small_pages(monkeypatch)

    async def nothing(_self) -> None:
        return

    for loop in (
        "backfilling.Backfilling._keep_looking",
        "relay.Relay._keep_sweeping",
        "relay.Relay._keep_serving_backlog",
    ):
        monkeypatch.setattr(f"server.{loop}", nothing)


async def test_a_backfill_continues_after_the_last_page_at_a_restart(world, upgrade, paused):
    told = await say_many(world, 60)
    new = await upgrade(probes.latecomer)
    await take_pages(new, 2)
    assert (await backfill_of(new)).state == "running"
    await new.restart()
    await new.settle()
    assert Counter(await noted(new)) == Counter(told)


@pytest.mark.parametrize("database_kind", ["postgresql"], indirect=True)
async def test_several_instances_take_each_page_once(world, upgrade, paused):
    told = await say_many(world, 200)
    first, *others = await asyncio.gather(*(upgrade(probes.latecomer) for _ in range(3)))
    await asyncio.gather(*(one.app.backfilling.run() for one in (first, *others)))
    assert (await backfill_of(first)).queued == 200
    await first.settle()
    assert Counter(await noted(first)) == Counter(told)


async def test_live_deliveries_wait_for_earlier_ones_of_their_key(world, upgrade, paused):
    await say(world, "old", count=25)
    new = await upgrade(probes.latecomer)
    await take_pages(new, 1)
    await say(new, "live")
    await say(new, "live", key="other")
    await new.app.relay.idle()
    await new.app.relay.sweep()
    await new.app.relay.idle()
    assert "live" not in await noted(new)
    await new.settle()
    heard = await noted(new)
    assert [text for text in heard if text != "live"] == [f"old {number}" for number in range(25)]
    assert heard.count("live") == 2
    assert heard[-1] == "live"


async def test_after_queueing_a_live_event_waits_only_for_its_own_key(world, upgrade, paused):
    for number in range(30):
        await say(world, f"old {number}", key=f"{number}")
    new = await upgrade(probes.latecomer)
    await new.app.backfilling.run()
    await say(new, "live", key="7")
    await say(new, "elsewhere", key="new")
    await new.app.relay.idle()
    assert sorted(await noted(new)) == ["elsewhere", "live", "old 7"]
    assert (await noted(new)).index("old 7") < (await noted(new)).index("live")


async def test_an_outbound_consumer_is_backfilled_too(world, upgrade, switches):
    await say(world, "parcel", count=3)
    new = await upgrade(carried)
    await new.settle()
    assert switches.outside == ["parcel 0", "parcel 1", "parcel 2"]


async def test_a_failing_delivery_of_a_backfill_is_parked_and_blocks_its_key(
    world, upgrade, switches
):
    switches.broken.add("hard")
    for text, key in (("hard", "one"), ("behind it", "one"), ("beside it", "two")):
        await say(world, text, key=key)
    new = await upgrade(probes.latecomer)
    for _ in range(new.settings.environment.consumer_tries):
        await new.settle()
        new.clock.advance(61)
    assert await noted(new) == ["beside it"]
    (parked,) = await operator.list_parked(new.app)
    assert parked.consumer == LATECOMER


# Rebuilding from the domain's own tables.


async def test_state_without_stored_events_is_rebuilt_from_tables(world, upgrade, monkeypatch):
    small_pages(monkeypatch)
    await say(world, "forgotten", count=5)
    await world.transact(forget_events, "f", 100)
    BOOKS.extend(f"{number} book" for number in range(35))
    new = await upgrade(library)
    await new.settle()
    assert Counter(await noted(new)) == Counter(BOOKS)
    later = await upgrade(library, probes.latecomer)
    await later.settle()
    assert Counter(await noted(later)) == Counter(BOOKS), "they are told to nobody else"


@pytest.mark.settings(PARLEY_CONSUMER_TRIES="3")
async def test_a_backfill_that_keeps_failing_ends_and_delays_nothing(world, upgrade, paused):
    BOOKS.extend([*(f"{number} book" for number in range(20)), "odd"])
    new = await upgrade(library)
    with capture_logs() as logged:
        for _ in range(3):
            await new.app.backfilling.run()
    failed = [line for line in logged if line["event"] == "backfill_failed"]
    assert [line["consumer"] for line in failed] == [TABLE]
    assert (await backfill_of(new, TABLE)).error == "ValueError"
    await say(new, "live")
    await new.settle()
    assert "live" in await noted(new)
    BOOKS.remove("odd")
    await operator.rebuild(new.app, TABLE)
    await new.settle()
    assert (await backfill_of(new, TABLE)).state == "done"


# Restarting a backfill.


async def test_an_operator_restarts_a_backfill_while_the_server_runs(world, upgrade):
    await say(world, "before", count=3)
    new = await upgrade(probes.latecomer)
    await new.settle()
    await say(new, "after")
    await new.settle()
    await operator.rebuild(new.app, LATECOMER)
    await new.settle()
    told = ["before 0", "before 1", "before 2", "after"]
    assert await noted(new) == [*told, *told]


async def test_deliveries_waiting_at_a_restart_of_a_backfill_are_processed_once(
    world, upgrade, paused
):
    new = await upgrade(probes.latecomer)
    await new.settle()
    await say(new, "heard")
    await new.settle()
    await operator.rebuild(new.app, LATECOMER)
    await say(new, "waits")
    await new.settle()
    assert await noted(new) == ["heard", "heard", "waits"]


@pytest.mark.parametrize(
    ("consumer", "why"),
    [("nobody.hears_it", "there is no consumer"), ("latecomer.hear_it", "there is no consumer")],
)
async def test_an_unknown_consumer_cannot_be_rebuilt(world, consumer, why):
    with pytest.raises(operator.CannotDo, match=why):
        await operator.rebuild(world.app, consumer)


async def test_a_consumer_that_declares_nothing_cannot_be_rebuilt(make_world):
    world = await make_world((probes.listener,))
    with pytest.raises(operator.CannotDo, match="neither"):
        await operator.rebuild(world.app, "listener.hear_it")


async def test_a_renamed_consumer_continues_its_backfill(world, upgrade, paused):
    told = await say_many(world, 60)
    before = await upgrade(probes.latecomer)
    await take_pages(before, 2)
    await before.stop()
    after = await upgrade(moved)
    assert (await backfill_of(after, "moved.hear_it")).queued == (await backfill_of(after)).queued
    await after.settle()
    assert Counter(await noted(after)) == Counter(told)


async def test_a_consumer_renamed_twice_continues_its_backfill(world, upgrade, paused):
    told = await say_many(world, 60)
    before = await upgrade(probes.latecomer)
    await take_pages(before, 2)
    await before.stop()
    await (await upgrade(moved)).stop()
    after = await upgrade(moved_on)
    await after.settle()
    assert Counter(await noted(after)) == Counter(told)


# Beside live deliveries.


async def test_a_backfill_with_slow_pages_delays_no_other(world, upgrade, paused):
    def take_too_long(tx: Transaction, after: str, limit: int) -> Page:
        raise StorageUnavailable("took too long")

    slow = Domain("a_slow_one")
    slow.consumer(ProbeSaid, rebuild=take_too_long)(probes.hear_it)
    await say(world, "before")
    new = await upgrade(slow, probes.latecomer)
    await new.app.backfilling.run()
    assert (await backfill_of(new)).state == "done"
    assert (await backfill_of(new, "a_slow_one.hear_it")).state == "running"


class TooSlow:
    """A domain whose pages take too long, which records their sizes."""

    def __init__(self) -> None:
        self.domain = Domain("a_slow_one")
        self.domain.consumer(ProbeSaid, rebuild=self.take_too_long)(probes.hear_it)
        self.limits: list[int] = []

    def take_too_long(self, tx: Transaction, after: str, limit: int) -> Page:
        self.limits.append(limit)
        raise StorageUnavailable("took too long")


@pytest.mark.settings(PARLEY_CONSUMER_TRIES="3")
async def test_a_backfill_with_a_slow_smallest_page_fails(world, upgrade, paused):
    slow = TooSlow()
    new = await upgrade(slow.domain, probes.latecomer)
    for _ in range(6):  # pages of 10, 5, 2, 1, 1 and 1
        await say(new, "live", key="of the other")  # whose pages succeed
        await new.app.backfilling.run()
    assert slow.limits == [10, 5, 2, 1, 1, 1]
    found = await backfill_of(new, "a_slow_one.hear_it")
    assert (found.state, found.attempts, found.error) == ("failed", 3, "StorageUnavailable")
    await new.settle()
    assert (await noted(new)).count("live") == 12, "both consumers hear what waited"


async def test_a_database_outage_fails_no_backfill(world, upgrade, paused, monkeypatch):
    slow = TooSlow()
    new = await upgrade(slow.domain)
    real = new.app.database.transact

    async def transact(work, **how):
        if slow.limits and how.get("kind") == "consumers":
            raise StorageUnavailable("away")
        return await real(work, **how)

    monkeypatch.setattr(new.app.database, "transact", transact)
    new.app.backfilling._sizes["a_slow_one.hear_it"] = 1
    for _ in range(new.settings.environment.consumer_tries + 1):
        await new.app.backfilling.run()
    monkeypatch.undo()
    found = await backfill_of(new, "a_slow_one.hear_it")
    assert (found.state, found.attempts) == ("running", 0)


async def test_a_long_backfill_delays_no_live_delivery_much(world, upgrade):
    await say_many(world, 1_000, keys=1_000)
    new = await upgrade(probes.latecomer, probes.carrier)
    pages = asyncio.create_task(new.app.backfilling.run())
    waits = []
    while len(waits) < 20:
        began = time.monotonic()
        await say(new, f"live {len(waits)}", key="live")
        await until(lambda: f"live {len(waits)}" in probes.switches.outside)
        waits.append(time.monotonic() - began)
        await asyncio.sleep(0.01)
    await pages
    assert len(await noted(new)) < 1_000, "it is not over yet"
    assert sorted(waits)[len(waits) // 2] < 0.5
