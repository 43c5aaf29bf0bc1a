"""Transactions are atomic, their effects follow the commit, and a read sees one snapshot."""

import asyncio
import sqlite3
import threading
from pathlib import Path

import pytest
from sqlalchemy.util import await_only

from storage.engine import checkpoints, sqlite
from storage.engine.database import Queries, StorageUnavailable
from tests.storage.scratch import Failed, FailedButKept, keys, put
from tests.world import until


def putting(key: str):
    return lambda queries: put(queries, key, effect=True)


def failing(key: str, error: Exception):
    def work(queries: Queries):
        put(queries, key, effect=True)
        raise error

    return work


async def results_of(database, *works):
    return await asyncio.gather(*map(database.transact, works), return_exceptions=True)


async def settled(database):
    """Wait until no checkpoint is running."""
    await until(lambda: database._drain.done())
    if database._checkpoints._copying is not None:
        await database._checkpoints._copying


async def test_a_transaction_returns_its_value_and_keeps_its_writes(database):
    assert await database.transact(putting("a")) == "a"
    assert await database.read(keys) == {"a"}


async def test_a_transaction_that_raises_is_rolled_back_and_others_continue(database, effects):
    works = [failing(f"bad {n}", Failed()) if n % 3 == 0 else putting(f"{n}") for n in range(30)]
    ended = await results_of(database, *works)
    good = {f"{n}" for n in range(30) if n % 3}
    assert {one for one in ended if isinstance(one, str)} == good
    assert sum(isinstance(one, Failed) for one in ended) == 10
    assert await database.read(keys) == good
    assert sorted(effects) == sorted(good)


async def test_a_transaction_that_raises_a_keeping_error_commits(database, effects):
    (raised,) = await results_of(database, failing("kept", FailedButKept()))
    assert type(raised) is FailedButKept
    assert await database.read(keys) == {"kept"}
    assert effects == ["kept"]


async def test_a_transaction_that_raises_a_keeping_error_commits_in_a_batch(database, effects):
    works = [putting("a"), failing("kept", FailedButKept()), putting("b")]
    ended = await results_of(database, *works)
    assert [type(one) for one in ended] == [str, FailedButKept, str]
    assert await database.read(keys) == {"a", "kept", "b"}
    assert sorted(effects) == ["a", "b", "kept"]


async def test_a_transaction_with_a_savepoint_fails_alone(database, effects):
    runs = []

    def counted(queries: Queries):
        runs.append(put(queries, "good", effect=True))

    savepoint = database.transact(failing("bad", Failed()), savepoint=True)
    assert await asyncio.gather(
        database.transact(putting("first")),
        savepoint,
        database.transact(counted),
        return_exceptions=True,
    )
    assert runs == ["good"]
    assert await database.read(keys) == {"first", "good"}
    assert sorted(effects) == ["first", "good"]


async def test_a_database_error_fails_only_its_own_transaction(database):
    def wrong(queries: Queries):
        put(queries, "wrong")
        put(queries, None)  # type: ignore[arg-type]  # what the database itself refuses

    ended = await results_of(database, putting("a"), wrong, putting("b"))
    assert ended[0] == "a"
    assert ended[2] == "b"
    assert isinstance(ended[1], Exception)
    assert not isinstance(ended[1], StorageUnavailable), "it is a bug, not a matter of waiting"
    assert await database.read(keys) == {"a", "b"}


async def test_effects_run_in_order_after_the_commit_and_before_the_answer(database):
    order: list[str] = []
    database.committed = lambda key: order.append(f"told {key}")

    async def one(key: str):
        await database.transact(putting(key))
        order.append(f"answered {key}")

    def two_effects(queries: Queries):
        for key in ("x", "y"):
            put(queries, key, effect=True)

    await asyncio.gather(*(one(f"{n}") for n in range(20)))
    for n in range(20):
        assert order.index(f"told {n}") < order.index(f"answered {n}")
    order.clear()
    await database.transact(two_effects)
    assert order == ["told x", "told y"]


async def test_effects_of_one_writer_run_in_commit_order(database, effects):
    for n in range(20):
        await database.transact(putting(f"{n}"))
    assert effects == [f"{n}" for n in range(20)]


async def test_a_cancelled_caller_leaves_a_complete_transaction(database):
    tasks = [asyncio.create_task(database.transact(putting(f"{n}"))) for n in range(30)]
    await asyncio.sleep(0.002)
    for task in tasks[::2]:
        task.cancel()
    ended = await asyncio.gather(*tasks, return_exceptions=True)
    assert await database.transact(putting("after")) == "after"
    kept = await database.read(keys)
    assert {one for one in ended if isinstance(one, str)} <= kept


async def test_many_concurrent_transactions_all_commit(database, effects):
    await asyncio.gather(*(database.transact(putting(f"{n}")) for n in range(600)))
    assert len(await database.read(keys)) == len(effects) == 600


async def test_a_read_sees_one_snapshot_while_others_commit(database):
    """The transaction reads, waits until another one commits, and reads again."""
    read, committed = threading.Event(), threading.Event()

    def twice(queries: Queries):
        first = keys(queries)
        read.set()
        if database.shared:
            await_only(database.transact(putting("between")))
        else:
            assert committed.wait(5)
        return first, keys(queries)

    async def commit_between():
        await until(read.is_set)
        if not database.shared:
            await database.transact(putting("between"))
        committed.set()

    await database.transact(putting("before"))
    (first, second), _ = await asyncio.gather(database.read(twice), commit_between())
    assert first == second == {"before"}
    assert await database.read(keys) == {"before", "between"}


async def test_a_read_cannot_write(database):
    with pytest.raises(Exception, match=r"readonly|read-only"):
        await database.read(putting("a"))
    assert await database.read(keys) == set()


async def test_a_failing_read_does_not_affect_later_reads(database):
    def wrong(queries: Queries):
        raise Failed

    for _ in range(30):
        with pytest.raises(Failed):
            await database.read(wrong)
    assert await database.read(keys) == set()


async def test_a_stopped_database_refuses_reads_and_writes(database):
    await database.transact(putting("a"))
    await database.stop()
    assert database.shared or not await database.ready()
    if not database.shared:
        for ask in (database.transact, database.read):
            with pytest.raises(StorageUnavailable):
                await ask(keys)
    await database.start()
    assert await database.read(keys) == {"a"}


async def test_stopping_waits_for_submitted_transactions(database):
    asked = [asyncio.create_task(database.transact(putting(f"{n}"))) for n in range(50)]
    await asyncio.sleep(0)
    await asyncio.sleep(0.01)
    await database.stop()
    ended = await asyncio.gather(*asked, return_exceptions=True)
    await database.start()
    assert {one for one in ended if isinstance(one, str)} == await database.read(keys)


class TestOnSqlite:
    """Tests of SQLite only."""

    @pytest.fixture(params=["sqlite"])
    def database_kind(self, request):
        return request.param

    async def test_queued_transactions_share_commits(self, database, monkeypatch):
        batches = []
        run_batch = sqlite.run_batch

        def count(connection, works):
            batches.append(len(works))
            return run_batch(connection, works)

        monkeypatch.setattr(sqlite, "run_batch", count)
        await asyncio.gather(*(database.transact(putting(f"{n}")) for n in range(600)))
        assert len(batches) <= 5
        assert sum(batches) == 600

    async def test_a_full_disk_keeps_transactions_atomic(self, database, effects):
        await database.transact(putting("before"))
        limit_pages(database, more=2)
        works = [big(f"{n}") for n in range(60)]
        ended = await results_of(database, *works)
        refused = [one for one in ended if isinstance(one, StorageUnavailable)]
        done = {one for one in ended if isinstance(one, str)}
        assert refused
        assert len(refused) + len(done) == 60
        assert await database.read(keys) == {"before"} | done
        assert set(effects) == {"before"} | done
        limit_pages(database, more=10_000)
        assert await database.transact(putting("after")) == "after"

    async def test_a_failed_commit_refuses_every_transaction_of_its_batch(self, database, effects):
        connection = database._writer.connection
        connection.execute("CREATE TABLE parents (id TEXT PRIMARY KEY)")
        connection.execute(
            "CREATE TABLE children (id TEXT REFERENCES parents DEFERRABLE INITIALLY DEFERRED)"
        )

        def breaks_the_commit(queries: Queries):
            queries._connection.execute("INSERT INTO children VALUES ('orphan')")

        ended = await results_of(database, putting("a"), breaks_the_commit, putting("b"))
        assert [type(one) for one in ended] == [StorageUnavailable] * 3
        assert await database.read(keys) == set()
        assert effects == []
        assert await database.transact(putting("after")) == "after"

    async def test_a_file_locked_by_another_connection_is_unavailable_until_released(
        self, database
    ):
        database._writer.connection.execute("PRAGMA busy_timeout=30")
        other = database._connect()
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(StorageUnavailable):
            await database.transact(putting("a"))
        other.execute("ROLLBACK")
        other.close()
        assert await database.transact(putting("b")) == "b"
        assert await database.read(keys) == {"b"}

    async def test_a_read_only_file_is_unavailable(self, database):
        database._writer.connection.execute("PRAGMA query_only=ON")
        with pytest.raises(StorageUnavailable):
            await database.transact(putting("a"))

    async def test_transactions_beyond_the_queue_limit_are_refused(self, database, monkeypatch):
        monkeypatch.setattr(sqlite, "WAITING_MAX", 5)
        ended = await results_of(database, *(putting(f"{n}") for n in range(20)))
        done = {one for one in ended if isinstance(one, str)}
        assert sum(isinstance(one, StorageUnavailable) for one in ended) == 20 - len(done) > 0
        assert await database.read(keys) == done

    async def test_acknowledged_commits_are_synced_to_disk(self, database):
        for pragma, value in (("synchronous", 2), ("journal_mode", "wal"), ("foreign_keys", 1)):
            (found,) = database._writer.connection.execute(f"PRAGMA {pragma}").fetchone()
            assert found == value

    async def test_the_wal_is_reset_after_a_checkpoint(self, database, monkeypatch):
        monkeypatch.setattr(checkpoints, "PAGES", 10)
        for number in range(200):
            await database.transact(putting(f"{number}"))
            await settled(database)
        assert Path(f"{database.path}-wal").stat().st_size < 100 * 4_096

    async def test_the_wal_is_reset_under_concurrent_writes(self, database, monkeypatch):
        monkeypatch.setattr(checkpoints, "PAGES", 10)

        async def keep_writing(name: str):
            for number in range(200):
                await database.transact(putting(f"{name} {number}"))

        await asyncio.gather(*(keep_writing(name) for name in "abcdef"))
        assert Path(f"{database.path}-wal").stat().st_size < 200 * 4_096

    async def test_callers_are_answered_after_any_exception_of_a_transaction(self, database):
        def leaves(queries: Queries):
            raise asyncio.CancelledError

        ended = await results_of(database, putting("a"), leaves, putting("b"))
        assert all(isinstance(one, StorageUnavailable) for one in ended)
        assert await database.transact(putting("after")) == "after"

    async def test_a_failed_checkpoint_keeps_the_wal(self, database, monkeypatch):
        monkeypatch.setattr(checkpoints, "PAGES", 1)
        monkeypatch.setattr(checkpoints, "copy_log", lambda connection: connection.execute("odd"))
        await database.transact(putting("a"))
        await settled(database)
        assert await database.transact(putting("b")) == "b"
        assert await database.read(keys) == {"a", "b"}

    async def test_a_failing_effect_does_not_affect_other_callers(self, database):
        """`committed` must never raise; if it does, callers must not hang."""

        def broken(effects):
            raise Failed

        database.committed = broken
        try:
            async with asyncio.timeout(2):
                await results_of(database, *(putting(f"{n}") for n in range(3)))
        finally:
            database._drain = None  # otherwise stopping waits for the broken task

    async def test_an_error_without_a_code_fails_only_its_own_transaction(self, database):
        """The driver itself raises the error, without a result code of SQLite."""

        def wrong(queries: Queries) -> None:
            queries.effects.append("never told")
            queries._connection.execute("SELECT ?", ())

        ended = await results_of(database, wrong, putting("sound"))
        assert isinstance(ended[0], sqlite3.ProgrammingError)
        assert await database.read(keys) == {"sound"}


async def test_a_transaction_that_raises_stop_iteration_is_answered(database):
    def stops(queries: Queries) -> str:
        return next(iter(()))

    async with asyncio.timeout(2):
        ended = await results_of(database, stops, putting("sound"))
    assert isinstance(ended[0], RuntimeError)
    assert await database.read(keys) == {"sound"}


async def test_a_failing_effect_does_not_stop_other_effects(database):
    heard = []

    def hear(effect: str) -> None:
        if effect == "broken":
            raise RuntimeError
        heard.append(effect)

    database.committed = hear
    await database.transact(lambda queries: queries.effects.extend(["a", "broken", "b"]))
    assert heard == ["a", "b"]


def big(key: str):
    def work(queries: Queries) -> str:
        from storage.events.timers import set_timer
        from tests.storage.scratch import NOW

        set_timer(queries, key, NOW, "SCRATCH", "x" * 3_000)
        queries.effects.append(key)
        return key

    return work


def limit_pages(database, more: int) -> None:
    connection = database._writer.connection
    (pages,) = connection.execute("PRAGMA page_count").fetchone()
    connection.execute(f"PRAGMA max_page_count={pages + more}")
