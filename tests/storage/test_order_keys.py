"""Order keys without deliveries are deleted, safely with concurrent writers."""

import asyncio
import random
from collections import defaultdict

import pytest
from sqlalchemy import func, select

from storage.engine.database import Queries
from storage.events.deliveries import (
    Queue,
    delete_delivery,
    find_lowest,
    forget_order_keys,
    insert_deliveries,
    order_keys,
)
from tests.storage.scratch import NOW

KEYS = [f"key {number}" for number in range(12)]
ROUNDS = 60


async def count_keys(database) -> int:
    counting = select(func.count()).select_from(order_keys)
    return int(await database.read(lambda tx: tx.scalar(counting)))


def add_deliveries(tx: Queries, event_id: str, *keys: str) -> None:
    insert_deliveries(tx, [(event_id, key, NOW, ("hears",)) for key in keys])
    tx.effects.append((event_id, keys))


def take_delivery(tx: Queries, key: str) -> tuple[int, str] | None:
    """Take the lowest delivery of a key."""
    queue = Queue("hears", key)
    lowest = find_lowest(tx, queue)
    if lowest is None:
        return None
    delete_delivery(tx, queue, lowest.number)
    return lowest.number, lowest.event_id


async def test_a_key_without_deliveries_is_deleted(database):
    await database.transact(lambda tx: add_deliveries(tx, "one", "a", "b"))
    await database.transact(lambda tx: add_deliveries(tx, "two", "a"))
    assert await database.transact(lambda tx: take_delivery(tx, "b")) == (1, "one")
    assert await database.transact(lambda tx: take_delivery(tx, "a")) == (1, "one")
    await database.transact(lambda tx: forget_order_keys(tx, 10))
    assert await count_keys(database) == 1, "a delivery of the other waits"
    await database.transact(lambda tx: add_deliveries(tx, "three", "a", "b"))
    assert await database.transact(lambda tx: take_delivery(tx, "a")) == (2, "two")
    assert await database.transact(lambda tx: take_delivery(tx, "a")) == (3, "three")
    assert await database.transact(lambda tx: take_delivery(tx, "b")) == (1, "three")


async def test_order_keys_are_deleted_in_batches(database):
    await database.transact(lambda tx: add_deliveries(tx, "one", *KEYS))
    for key in KEYS:
        await database.transact(lambda tx, key=key: take_delivery(tx, key))
    assert await database.transact(lambda tx: forget_order_keys(tx, 5)) == 5
    assert await count_keys(database) == len(KEYS) - 5


@pytest.mark.parametrize("seed", range(2))
async def test_deliveries_stay_in_commit_order_while_keys_are_deleted(database, effects, seed):
    """With writers, consumers and deletion at once, each key's events stay in commit order."""
    chance = random.Random(seed)  # noqa: S311 - to be repeatable
    taken: dict[str, list[str]] = defaultdict(list)
    finished = asyncio.Event()

    async def write(writer: int) -> None:
        for number in range(ROUNDS):
            keys = chance.sample(KEYS, chance.randint(1, 4))
            event_id = f"{writer}.{number}"
            await database.transact(lambda tx, e=event_id, k=keys: add_deliveries(tx, e, *k))

    async def read(key: str) -> None:
        while True:
            last = finished.is_set()
            found = await database.transact(lambda tx: take_delivery(tx, key))
            if found is not None:
                taken[key].append(found[1])
            elif last:
                return

    async def delete_keys() -> None:
        while not finished.is_set():
            await database.transact(lambda tx: forget_order_keys(tx, 100))

    others = [asyncio.create_task(one) for one in (*map(read, KEYS), delete_keys(), delete_keys())]
    await asyncio.gather(*map(write, range(6)))
    finished.set()
    await asyncio.gather(*others)
    for key in KEYS:
        committed = [event_id for event_id, keys in effects if key in keys]
        assert sorted(taken[key]) == sorted(committed), "each once"
        for writer in range(6):
            own = [int(e.split(".")[1]) for e in taken[key] if e.startswith(f"{writer}.")]
            assert own == sorted(own)
        if not database.shared:
            assert taken[key] == committed
    await database.transact(lambda tx: forget_order_keys(tx, 100))
    assert await count_keys(database) == 0


class Stale:
    """A transaction that read before another one numbered a delivery."""

    def __init__(self, tx: Queries, keys: list[str]) -> None:
        self.run = tx.run
        self.scalars = lambda statement, **values: keys


async def test_a_key_that_gets_a_delivery_before_it_is_locked_is_kept(database):
    await database.transact(lambda tx: add_deliveries(tx, "one", "a", "b"))
    await database.transact(lambda tx: take_delivery(tx, "b"))
    await database.transact(lambda tx: forget_order_keys(Stale(tx, ["a", "b"]), 10))
    assert await count_keys(database) == 1
    await database.transact(lambda tx: add_deliveries(tx, "two", "a"))
    assert await database.transact(lambda tx: take_delivery(tx, "a")) == (1, "one")
    assert await database.transact(lambda tx: take_delivery(tx, "a")) == (2, "two")
