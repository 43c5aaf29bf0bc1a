"""Queues of deliveries, timers and holds under concurrency: exactly one caller gets each."""

import asyncio
import random
from datetime import timedelta
from functools import partial

import pytest
from sqlalchemy import update

from storage.engine.database import Queries
from storage.events.deliveries import (
    Queue,
    count_parked,
    count_waiting,
    delete_delivery,
    find_lowest,
    insert_deliveries,
    list_due,
    list_parked,
    postpone,
    retry_parked,
    skip_parked,
)
from storage.events.holds import (
    Hold,
    insert_pools,
    list_holds,
    make_firm,
    pools,
    release,
    resize_pool,
    take_place,
)
from storage.events.timers import (
    cancel_timer,
    find_next_timer,
    list_due_timers,
    set_timer,
    take_timer,
)
from tests.storage.scratch import NOW, Failed

LATER = NOW + timedelta(minutes=1)
A = Queue("hears", "a")
B = Queue("hears", "b")


# Deliveries.


def adding(*events: tuple[str, str], consumers: tuple[str, ...] = ("hears",), fail: bool = False):
    """Queue events `(id, order key)`."""

    def work(queries: Queries):
        insert_deliveries(queries, [(event, key, NOW, consumers) for event, key in events])
        if fail:
            raise Failed

    return work


async def take_all(database, queue: Queue) -> list[tuple[int, str]]:
    """Take all deliveries from a queue; returns numbers and events in order."""

    def take(queries: Queries):
        lowest = find_lowest(queries, queue)
        if lowest is not None:
            delete_delivery(queries, queue, lowest.number)
        return lowest

    taken = []
    while (lowest := await database.transact(take)) is not None:
        taken.append((lowest.number, lowest.event_id))
    return taken


async def test_deliveries_of_a_key_are_numbered_in_the_order_of_their_commits(database, effects):
    def work(n: int):
        def add(queries: Queries):
            adding((f"e{n}", "a"), ("x", "b"), fail=n % 5 == 0)(queries)
            queries.effects.append(f"e{n}")

        return add

    await asyncio.gather(*(database.transact(work(n)) for n in range(60)), return_exceptions=True)
    taken = await take_all(database, A)
    assert [number for number, _ in taken] == list(range(1, 49))
    assert {event for _, event in taken} == set(effects)
    if not database.shared:
        assert [event for _, event in taken] == effects


async def test_each_consumer_and_key_has_its_own_queue(database):
    await database.transact(adding(("e1", "a"), consumers=("hears", "sends")))
    await database.transact(adding(("e2", "b")))
    await database.transact(adding(("e3", "a"), consumers=()))
    assert await take_all(database, A) == [(1, "e1")]
    assert await take_all(database, Queue("sends", "a")) == [(1, "e1")]
    assert await take_all(database, B) == [(1, "e2")]


async def due(database, now=NOW) -> set[Queue]:
    return set(await database.read(lambda queries: list_due(queries, now, 100, ["hears"])))


async def test_a_queue_is_due_only_when_its_lowest_delivery_is_ready(database):
    await database.transact(adding(("e1", "a"), ("e2", "a"), ("e3", "b")))
    assert await due(database) == {A, B}
    await database.transact(lambda q: postpone(q, A, 1, attempts=1, ready_at=LATER))
    assert await due(database) == {B}
    assert await due(database, LATER) == {A, B}
    lowest = await database.transact(lambda queries: find_lowest(queries, A))
    assert (lowest.number, lowest.attempts, lowest.ready_at) == (1, 1, LATER)


async def test_a_parked_delivery_waits_for_an_operator(database):
    await database.transact(adding(("e1", "a"), ("e2", "a")))
    await database.transact(
        lambda q: postpone(q, A, 1, attempts=8, ready_at=NOW, parked=True, error="Late")
    )
    assert await due(database, LATER) == set()
    (parked,) = await database.read(lambda queries: list_parked(queries, 10))
    assert (parked.order_key, parked.event_id, parked.attempts, parked.error) == (
        "a",
        "e1",
        8,
        "Late",
    )
    assert await database.read(count_parked) == await database.read(count_waiting) == 1
    assert await database.transact(lambda queries: retry_parked(queries, B, NOW)) == 0
    assert await database.transact(lambda queries: retry_parked(queries, A, NOW)) == 1
    assert await due(database) == {A}
    lowest = await database.transact(lambda queries: find_lowest(queries, A))
    assert (lowest.attempts, lowest.parked) == (0, False)


async def test_skipping_deletes_only_the_parked_delivery(database):
    await database.transact(adding(("e1", "a"), ("e2", "a")))
    assert await database.transact(lambda queries: skip_parked(queries, A)) == 0
    await database.transact(lambda q: postpone(q, A, 1, attempts=8, ready_at=NOW, parked=True))
    assert await database.transact(lambda queries: skip_parked(queries, A)) == 1
    assert await take_all(database, A) == [(2, "e2")]


# Timers.


async def test_a_timer_is_set_moved_and_cancelled(database):
    async def look():
        return await database.read(lambda queries: list_due_timers(queries, LATER, 9))

    async def next_after(moment):
        return await database.read(lambda queries: find_next_timer(queries, moment))

    await database.transact(lambda queries: set_timer(queries, "t", NOW, "A", "1"))
    await database.transact(lambda queries: set_timer(queries, "t", LATER, "B", "2"))
    (timer,) = await look()
    assert (timer.due_at, timer.name, timer.data) == (LATER, "B", "2")
    assert await next_after(NOW) == LATER
    assert await database.transact(lambda queries: cancel_timer(queries, "t")) is True
    assert await database.transact(lambda queries: cancel_timer(queries, "t")) is False
    assert await look() == []
    assert await next_after(NOW) is None


async def test_timers_of_excluded_events_are_neither_due_nor_next(database):
    for n, name in enumerate("ABABC"):
        moment = NOW + timedelta(seconds=n)
        work = partial(set_timer, key=f"t{n}", due_at=moment, name=name, data="")
        await database.transact(work)
    due = await database.read(lambda q: list_due_timers(q, LATER, 2, ["A"]))
    assert [timer.key for timer in due] == ["t1", "t3"]
    found = await database.read(lambda q: find_next_timer(q, NOW, ["A", "B"]))
    assert found == NOW + timedelta(seconds=4)


async def test_due_timers_come_soonest_first(database):
    for n in (3, 1, 2, 9):
        moment = NOW + timedelta(seconds=n)
        await database.transact(lambda q, n=n, m=moment: set_timer(q, f"t{n}", m, "A", ""))
    at = NOW + timedelta(seconds=3)
    timers = await database.read(lambda queries: list_due_timers(queries, at, 100))
    assert [timer.key for timer in timers] == ["t1", "t2", "t3"]
    assert len(await database.read(lambda queries: list_due_timers(queries, at, 2))) == 2


async def test_exactly_one_caller_takes_a_timer(database):
    await database.transact(lambda queries: set_timer(queries, "t", NOW, "A", ""))
    (timer,) = await database.read(lambda queries: list_due_timers(queries, NOW, 10))
    taken = await asyncio.gather(
        *(database.transact(lambda queries: take_timer(queries, timer)) for _ in range(10))
    )
    assert sum(taken) == 1


async def test_a_timer_moved_meanwhile_is_not_taken(database):
    await database.transact(lambda queries: set_timer(queries, "t", NOW, "A", ""))
    (timer,) = await database.read(lambda queries: list_due_timers(queries, NOW, 10))
    await database.transact(lambda queries: set_timer(queries, "t", LATER, "A", ""))
    assert not await database.transact(lambda queries: take_timer(queries, timer))


# Holds.


@pytest.fixture
async def pool(database) -> str:
    await database.transact(lambda queries: insert_pools(queries, {"pool": 7}))
    return "pool"


def hold(for_id: str, pool_id: str = "pool", expires_at=None) -> Hold:
    return Hold(pool_id, for_id, "booking", "ana", NOW, expires_at)


def taking_place(for_id: str, *, fail: bool = False):
    def work(queries: Queries) -> bool:
        taken = take_place(queries, hold(for_id))
        if fail:
            raise Failed
        return taken

    return work


async def taken_of(database) -> int:
    """The number of taken places, checked against the existing holds."""

    def read(queries: Queries) -> tuple[int, int, int]:
        taken = queries.scalar(pools.select().with_only_columns(pools.c.taken))
        capacity = queries.scalar(pools.select().with_only_columns(pools.c.capacity))
        return taken, capacity, len(list_holds(queries, "pool"))

    taken, capacity, held = await database.read(read)
    assert taken == held <= capacity
    return taken


async def test_concurrent_holds_get_exactly_the_available_places(database, pool):
    got = await asyncio.gather(*(database.transact(taking_place(f"h{n}")) for n in range(40)))
    assert sum(got) == 7
    assert await taken_of(database) == 7


async def test_a_hold_that_was_rolled_back_takes_no_place(database, pool):
    await asyncio.gather(
        *(database.transact(taking_place(f"h{n}", fail=True)) for n in range(10)),
        return_exceptions=True,
    )
    assert await taken_of(database) == 0


async def test_releasing_many_times_frees_one_place(database, pool):
    for n in range(7):
        await database.transact(taking_place(f"h{n}"))
    freed = await asyncio.gather(
        *(database.transact(lambda queries: release(queries, "pool", "h3")) for _ in range(10))
    )
    assert sum(freed) == 1
    assert await taken_of(database) == 6
    assert await database.transact(taking_place("next"))
    assert not await database.transact(taking_place("one too many"))


@pytest.mark.parametrize("seed", range(2))
async def test_concurrent_taking_and_releasing_keeps_the_count_of_holds(database, pool, seed):
    chance = random.Random(seed)  # noqa: S311 - to be repeatable
    stopped = asyncio.Event()

    async def watch():
        while not stopped.is_set():
            await taken_of(database)

    def one(n: int):
        if chance.random() < 0.5:
            return lambda queries: release(queries, "pool", f"h{chance.randint(0, 60)}")
        return taking_place(f"h{n}", fail=chance.random() < 0.2)

    watching = asyncio.create_task(watch())
    for _ in range(3):
        works = [one(n) for n in chance.sample(range(10_000), 40)]
        await asyncio.gather(*map(database.transact, works), return_exceptions=True)
    stopped.set()
    await watching


async def test_a_pool_never_shrinks_below_its_taken_places(database, pool):
    for n in range(4):
        await database.transact(taking_place(f"h{n}"))
    assert not await database.transact(lambda queries: resize_pool(queries, "pool", 3))
    assert await database.transact(lambda queries: resize_pool(queries, "pool", 4))
    assert not await database.transact(taking_place("one too many"))
    assert await database.transact(lambda queries: resize_pool(queries, "pool", 5))
    assert await database.transact(taking_place("one more"))


async def test_concurrent_shrinking_and_taking_never_overbook(database, pool):
    await asyncio.gather(
        *(database.transact(taking_place(f"h{n}")) for n in range(7)),
        *(database.transact(lambda q, n=n: resize_pool(q, "pool", n)) for n in range(7)),
    )
    await taken_of(database)


@pytest.mark.parametrize("taken", [-1, 8])
async def test_a_database_constraint_refuses_a_count_out_of_bounds(database, pool, taken):
    with pytest.raises(Exception, match="taken_within_capacity"):
        await database.transact(lambda q: q.run(update(pools).values(taken=taken)))
    assert await taken_of(database) == 0


async def test_a_provisional_hold_can_be_made_firm(database, pool):
    await database.transact(lambda q: take_place(q, hold("h", expires_at=LATER)))
    assert await database.transact(lambda queries: make_firm(queries, "pool", "h"))
    (held,) = await database.read(lambda queries: list_holds(queries, "pool"))
    assert held == hold("h")
    assert not await database.transact(lambda queries: make_firm(queries, "pool", "gone"))


async def test_an_unknown_pool_has_no_place(database):
    assert not await database.transact(taking_place("h"))
