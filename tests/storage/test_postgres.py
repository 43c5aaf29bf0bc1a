"""PostgreSQL only: retries after conflicts, time limits, and lost connections."""

import asyncio

import pytest
from sqlalchemy import text
from sqlalchemy.exc import IntegrityError
from sqlalchemy.util import await_only

from storage.engine import postgres
from storage.engine.database import OutcomeUnknown, Queries, StorageUnavailable
from storage.events.holds import insert_pools, lock_pool
from tests.kit.proxy import Proxy
from tests.storage.scratch import keys, put
from tests.world import until

_COLLIDE = text(
    "DO $$ BEGIN RAISE EXCEPTION 'collided' USING ERRCODE = 'serialization_failure'; END $$"
)
_SLEEP = text("SELECT pg_sleep(5)")
_DIE = text("SELECT pg_terminate_backend(pg_backend_pid())")
_ORPHAN = text("INSERT INTO children VALUES ('orphan')")


@pytest.fixture(params=["postgresql"])
def database_kind(request):
    return request.param


def putting(key: str):
    return lambda queries: put(queries, key, effect=True)


async def holds(database, key: str) -> bool:
    return key in await database.read(keys)


def make_deferred_reference(queries: Queries) -> None:
    queries.run(text("CREATE TABLE parents (id TEXT PRIMARY KEY)"))
    queries.run(
        text("CREATE TABLE children (id TEXT REFERENCES parents DEFERRABLE INITIALLY DEFERRED)")
    )


async def test_a_conflicting_transaction_is_rerun_with_its_effects_once(database, effects):
    runs = []

    def work(queries: Queries) -> str:
        runs.append(1)
        put(queries, f"run {len(runs)}", effect=True)
        if len(runs) < 3:
            queries.run(_COLLIDE)
        return "done"

    assert await database.transact(work) == "done"
    assert await database.read(keys) == {"run 3"}
    assert effects == ["run 3"]


async def test_a_transaction_with_permanent_conflicts_is_refused(database, effects, monkeypatch):
    monkeypatch.setattr(postgres, "RERUNS_MAX", 5)

    def work(queries: Queries):
        put(queries, "never", effect=True)
        queries.run(_COLLIDE)

    with pytest.raises(StorageUnavailable):
        await database.transact(work)
    assert await database.read(keys) == set()
    assert effects == []


async def test_two_deadlocked_transactions_both_commit_once(database, effects):
    for pool in ("a", "b"):
        await database.transact(lambda queries, p=pool: insert_pools(queries, {p: 1}))
    holding = {"a": asyncio.Event(), "b": asyncio.Event()}
    runs = []

    def work(first: str, second: str):
        def lock_both(queries: Queries):
            runs.append(first)
            lock_pool(queries, first)
            holding[first].set()
            await_only(holding[second].wait())
            lock_pool(queries, second)
            put(queries, first, effect=True)

        return lock_both

    async with asyncio.timeout(10):
        await asyncio.gather(database.transact(work("a", "b")), database.transact(work("b", "a")))
    assert len(runs) >= 3, "one of them was run again"
    assert sorted(effects) == ["a", "b"]
    assert await database.read(keys) == {"a", "b"}


async def test_a_timed_out_transaction_is_rolled_back_and_affects_no_later_one(
    database, effects, monkeypatch
):
    monkeypatch.setattr(postgres, "TRANSACTION_MAX_S", 0.15)

    def slow(queries: Queries):
        put(queries, "slow", effect=True)
        queries.scalar(_SLEEP)

    ended = await asyncio.gather(
        *(database.transact(slow) for _ in range(postgres.POOL + 5)), return_exceptions=True
    )
    assert {type(one) for one in ended} == {StorageUnavailable}
    monkeypatch.undo()
    await asyncio.gather(*(database.transact(putting(f"{n}")) for n in range(50)))
    assert len(await database.read(keys)) == len(effects) == 50


async def test_cancelled_callers_release_their_connections(database):
    def slow(queries: Queries):
        put(queries, "slow")
        queries.scalar(_SLEEP)

    tasks = [asyncio.create_task(database.transact(slow)) for _ in range(postgres.POOL)]
    await asyncio.sleep(0.2)
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    async with asyncio.timeout(3):
        assert await database.transact(putting("after")) == "after"
        assert await database.read(keys) == {"after"}


async def test_transactions_beyond_the_pool_size_wait_for_a_connection(database):
    def work(queries: Queries):
        queries.scalar(text("SELECT pg_sleep(0.02)"))

    await asyncio.gather(*(database.transact(work) for _ in range(postgres.POOL * 3)))


async def test_a_lost_connection_fails_only_its_own_transaction(database, effects):
    def work(queries: Queries):
        put(queries, "lost", effect=True)
        queries.scalar(_DIE)

    for ask in (database.transact, database.read):
        with pytest.raises(StorageUnavailable):
            await ask(work if ask == database.transact else lambda queries: queries.scalar(_DIE))
    assert await database.transact(putting("after")) == "after"
    assert effects == ["after"]
    assert await database.read(keys) == {"after"}


async def test_a_stopped_server_is_unavailable_until_it_returns(database_url):
    proxy = Proxy(database_url)
    await proxy.mend()
    database = postgres.PostgresDatabase(proxy.url)
    await database.start()
    await asyncio.gather(*(database.transact(putting(f"{n}")) for n in range(10)))
    await proxy.cut()
    for _ in range(12):
        for ask in (database.transact, database.read):
            with pytest.raises(StorageUnavailable):
                await ask(keys)
    assert not await database.ready()
    await proxy.mend()
    assert await database.ready()
    assert len(await database.read(keys)) == 10
    await database.stop()
    await proxy.cut()


@pytest.fixture
async def proxy(database_url):
    """A TCP proxy to the database that the test can disturb."""
    proxy = Proxy(database_url)
    await proxy.mend()
    yield proxy
    await proxy.cut()


@pytest.fixture
async def proxied(proxy):
    """The database through that proxy."""
    database = postgres.PostgresDatabase(proxy.url)
    await database.start()
    yield database
    await database.stop()


@pytest.mark.parametrize("arrives", [True, False], ids=["committed", "not committed"])
@pytest.mark.parametrize("ending", ["time-out", "cut"])
async def test_a_commit_without_an_answer_has_an_unknown_outcome(
    database, proxy, proxied, monkeypatch, arrives, ending
):
    monkeypatch.setattr(postgres, "COMMIT_MAX_S", 0.3 if ending == "time-out" else 5)
    effects: list[str] = []
    proxied.committed = effects.append
    await proxied.transact(putting("before"))
    proxy.lose(b"COMMIT;", arrives=arrives)
    asked = asyncio.create_task(proxied.transact(putting("a")))
    await proxy.lost.wait()
    if arrives:
        await until(lambda: holds(database, "a"))
    if ending == "cut":
        await proxy.cut()
        await proxy.mend()
    with pytest.raises(OutcomeUnknown):
        await asked
    assert effects == ["before"]
    assert await holds(database, "a") == arrives
    assert await proxied.transact(putting("after")) == "after", "no later work suffers"


async def test_a_commit_that_the_server_rolls_back_has_a_known_outcome(database):
    def breaks_the_commit(queries: Queries) -> None:
        put(queries, "a")
        queries.run(_ORPHAN)

    await database.transact(make_deferred_reference)
    with pytest.raises(IntegrityError):
        await database.transact(breaks_the_commit)
    assert await database.read(keys) == set()


async def test_a_connection_lost_before_its_commit_leaves_no_writes(database, proxy, proxied):
    def work(queries: Queries) -> None:
        put(queries, "a")
        await_only(proxy.cut())
        await_only(asyncio.sleep(0))

    with pytest.raises(StorageUnavailable) as refused:
        await proxied.transact(work)
    assert not isinstance(refused.value, OutcomeUnknown), "COMMIT was not sent"
    assert await database.read(keys) == set()


async def test_the_locks_of_a_lost_machine_are_released_soon(database, database_url, monkeypatch):
    monkeypatch.setitem(postgres.SERVER_SETTINGS, "idle_in_transaction_session_timeout", "300")
    await database.transact(lambda queries: insert_pools(queries, {"pool": 1}))
    proxy, holds = Proxy(database_url), asyncio.Event()
    await proxy.mend()
    lost = postgres.PostgresDatabase(proxy.url)

    def hold(queries: Queries) -> None:
        lock_pool(queries, "pool")
        holds.set()
        await_only(asyncio.sleep(60))

    holding = asyncio.create_task(lost.transact(hold))
    await holds.wait()
    proxy.mute()  # neither side notices that the other is gone
    async with asyncio.timeout(3):
        await database.transact(lambda queries: lock_pool(queries, "pool"))
    await proxy.cut()
    holding.cancel()
    await asyncio.gather(holding, return_exceptions=True)
    await lost.stop()
