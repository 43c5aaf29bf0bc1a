"""Waiting for the database ends in time, and consumers do not delay commands."""

import asyncio
import threading
import time

import pytest
from sqlalchemy import text
from sqlalchemy.util import await_only

from storage.engine import postgres, sqlite, sqlite_readers
from storage.engine.database import OutcomeUnknown, Queries, StorageUnavailable
from storage.engine.waiting import Turns, Waits
from tests.storage.scratch import keys, put
from tests.world import until

_ENDLESS = text(
    "WITH RECURSIVE n(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM n) SELECT max(x) FROM n"
)


def putting(key: str):
    return lambda queries: put(queries, key, effect=True)


class Blocker:
    """A transaction that holds its connection (or the writer) until the test releases it."""

    def __init__(self, database) -> None:
        self._shared = database.shared
        self._async, self._thread = asyncio.Event(), threading.Event()
        self.count = 0

    def __call__(self, queries: Queries) -> None:
        self.count += 1
        if self._shared:
            await_only(self._async.wait())
        else:
            assert self._thread.wait(10)

    def release(self) -> None:
        self._async.set()
        self._thread.set()


@pytest.mark.parametrize("others", [("consumers",), ("upkeep",), ("consumers", "upkeep")])
async def test_a_command_read_does_not_wait_for_consumers_at_their_limit(database, others):
    hold = Blocker(database)
    reads = [asyncio.create_task(database.read(hold, kind=kind)) for kind in others * 30]
    await until(lambda: hold.count)
    async with asyncio.timeout(5):  # half of the time limit of the blocked ones
        assert await database.read(keys) == set()
    assert sum(database.waits.now.values()) >= 30 * len(others) - postgres.OTHERS_MAX
    hold.release()
    await asyncio.gather(*reads)
    assert set(database.waits.now.values()) == {0}


async def test_upkeep_does_not_wait_for_consumers_at_their_limit():
    """Otherwise the heartbeat of an instance with many consumers would be too late."""
    turns = Turns(Waits(), size=4, others=3, consumers=2, within_s=0.05)
    holding = [turns.turn("consumers") for _ in range(2)]
    for turn in holding:
        await turn.__aenter__()
    with pytest.raises(StorageUnavailable):
        async with turns.turn("consumers"):
            pass
    async with turns.turn("upkeep"), turns.turn("commands"):
        pass
    for turn in holding:
        await turn.__aexit__(None, None, None)
    async with turns.turn("consumers"), turns.turn("consumers"):
        pass


async def test_waiting_times_are_reported_by_kind(database):
    waited = []
    database.waits.waited = lambda kind, seconds: waited.append((kind, seconds))
    await database.transact(putting("a"))
    await database.transact(putting("b"), kind="consumers")
    await database.read(keys, kind="upkeep")
    assert [kind for kind, _ in waited] == ["commands", "consumers", "upkeep"]
    assert all(0 <= seconds < 1 for _, seconds in waited)


async def test_a_turn_that_is_not_granted_in_time_is_refused_without_leftovers():
    waits = Waits()
    turns = Turns(waits, size=1, others=1, consumers=1, within_s=0.05)
    async with turns.turn("commands"):
        for kind in ("commands", "consumers", "upkeep"):
            with pytest.raises(StorageUnavailable):
                async with turns.turn(kind):
                    pass
    assert set(waits.now.values()) == {0}
    for kind in ("consumers", "upkeep", "commands"):
        async with turns.turn(kind):
            pass


class TestOnPostgres:
    @pytest.fixture(params=["postgresql"])
    def database_kind(self, request):
        return request.param

    async def test_a_command_does_not_wait_for_consumers_at_their_limit(self, database):
        hold = Blocker(database)
        works = [
            asyncio.create_task(database.transact(hold, kind="consumers"))
            for _ in range(postgres.POOL * 2)
        ]
        await until(lambda: hold.count == postgres.CONSUMERS_MAX)
        async with asyncio.timeout(1):
            await asyncio.gather(*(database.transact(putting(f"{n}")) for n in range(30)))
        assert hold.count == postgres.CONSUMERS_MAX
        assert database.waits.now["consumers"] == postgres.POOL * 2 - postgres.CONSUMERS_MAX
        hold.release()
        await asyncio.gather(*works)

    async def test_a_conflicting_transaction_waits_for_its_rerun_without_a_connection(
        self, database, monkeypatch
    ):
        monkeypatch.setattr(postgres, "PAUSE_S", 30.0)
        monkeypatch.setattr(postgres, "PAUSE_MAX_S", 30.0)
        monkeypatch.setattr(postgres.random, "uniform", lambda least, most: most)
        runs = []

        def collide(queries: Queries) -> None:
            runs.append(1)
            queries.run(text("DO $$ BEGIN RAISE SQLSTATE '40001'; END $$"))

        waiting = [asyncio.create_task(database.transact(collide)) for _ in range(postgres.POOL)]
        await until(lambda: len(runs) == postgres.POOL)
        async with asyncio.timeout(3):
            await database.transact(putting("a"))
        for task in waiting:
            task.cancel()
        await asyncio.gather(*waiting, return_exceptions=True)


class TestOnSqlite:
    @pytest.fixture(params=["sqlite"])
    def database_kind(self, request):
        return request.param

    async def test_a_read_over_its_time_limit_is_interrupted_and_its_reader_continues(
        self, database, monkeypatch
    ):
        monkeypatch.setattr(sqlite_readers, "READ_MAX_S", 0.1)
        for _ in range(sqlite_readers.READERS * 2):
            with pytest.raises(StorageUnavailable):
                await database.read(lambda queries: queries.scalar(_ENDLESS))
        assert await database.read(keys) == set()
        await until(lambda: database._readers._free.qsize() == sqlite_readers.READERS)

    async def test_a_read_is_interrupted_when_its_caller_is_cancelled(self, database):
        asked = [
            asyncio.create_task(database.read(lambda queries: queries.scalar(_ENDLESS)))
            for _ in range(sqlite_readers.READERS)
        ]
        await until(database._readers._free.empty)
        for task in asked:
            task.cancel()
        async with asyncio.timeout(2):
            assert await database.read(keys) == set()
        assert all(task.cancelled() for task in asked)

    async def test_reads_behind_hanging_readers_are_refused_in_time(self, database, monkeypatch):
        monkeypatch.setattr(sqlite_readers, "READ_MAX_S", 0.05)
        monkeypatch.setattr(sqlite_readers, "WAIT_MAX_S", 0.1)
        hold = Blocker(database)
        ended = await asyncio.gather(
            *(database.read(hold) for _ in range(6)), return_exceptions=True
        )
        assert {type(one) for one in ended} <= {sqlite_readers.TookTooLong, StorageUnavailable}
        hold.release()
        assert await database.read(keys) == set()

    async def test_a_transaction_that_waited_too_long_never_runs(self, database, monkeypatch):
        monkeypatch.setattr(sqlite, "LINE_MAX_S", 0.1)
        hold = Blocker(database)
        first = asyncio.create_task(database.transact(hold))
        await until(lambda: hold.count)
        with pytest.raises(StorageUnavailable) as refused:
            await database.transact(putting("a"))
        assert not isinstance(refused.value, OutcomeUnknown), "it was not begun"
        hold.release()
        await first
        assert await database.transact(putting("b")) == "b"
        assert await database.read(keys) == {"b"}

    async def test_a_waiting_transaction_of_a_cancelled_caller_never_runs(self, database):
        hold = Blocker(database)
        first = asyncio.create_task(database.transact(hold))
        await until(lambda: hold.count)
        left = asyncio.create_task(database.transact(putting("a")))
        await until(lambda: database.waits.now["commands"])
        left.cancel()
        hold.release()
        await asyncio.gather(first, left, return_exceptions=True)
        await database.transact(putting("b"))
        assert await database.read(keys) == {"b"}

    async def test_a_writer_that_hangs_leaves_the_outcome_unknown(self, database, monkeypatch):
        monkeypatch.setattr(sqlite, "LINE_MAX_S", 0.05)
        monkeypatch.setattr(sqlite, "BATCH_MAX_S", 0.05)
        hold, began = Blocker(database), time.monotonic()

        def hang(queries: Queries) -> None:
            put(queries, "a", effect=True)
            hold(queries)

        with pytest.raises(OutcomeUnknown):
            await database.transact(hang)
        assert time.monotonic() - began < 5
        hold.release()
        await database.transact(putting("b"))
        assert await database.read(keys) == {"a", "b"}, "it was kept after all"

    async def test_many_consumers_delay_a_command_by_at_most_one_batch(self, database):
        def noting(queries: Queries) -> None:
            queries.effects.append("noted")

        hold = Blocker(database)
        first = asyncio.create_task(database.transact(hold))
        await until(lambda: hold.count)
        crowd = [
            asyncio.create_task(database.transact(noting, kind="consumers")) for _ in range(50)
        ]
        await until(lambda: database.waits.now["consumers"] == 50)
        command = asyncio.create_task(database.transact(putting("a")))
        await until(lambda: database.waits.now["commands"])
        hold.release()
        async with asyncio.timeout(1):
            assert await command == "a"
        await asyncio.gather(first, *crowd)
