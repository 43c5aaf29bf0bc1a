"""Decisions that depend on several rows: SERIALIZABLE prevents what READ COMMITTED allows."""

import asyncio
from functools import partial

import pytest
from sqlalchemy import text
from sqlalchemy.util import await_only

from storage.engine import postgres
from storage.engine.database import Queries, StorageUnavailable
from storage.engine.isolation import is_serializable, serializable

_CREATE = text("CREATE TABLE accounts (id INTEGER PRIMARY KEY, amount INTEGER NOT NULL)")
_OPEN = text("INSERT INTO accounts (id, amount) VALUES (0, 50), (1, 50)")
_SUM = text("SELECT sum(amount) FROM accounts")
_TAKE = text("UPDATE accounts SET amount = amount - 10 WHERE id = :id")


async def make_accounts(database) -> None:
    def make(queries: Queries) -> None:
        queries.run(_CREATE)
        queries.run(_OPEN)

    await database.transact(make)


def take(number: int, queries: Queries) -> bool:
    """Take ten from one of two accounts, if both together have that much."""
    if int(queries.scalar(_SUM)) < 10:
        return False
    if queries.dialect == "postgresql":
        await_only(asyncio.sleep(0.01))
    queries.run(_TAKE, id=number % 2)
    return True


async def take_all_at_once(database, *, strictly: bool) -> tuple[int, int]:
    """Run twenty withdrawals concurrently; returns how many succeeded, and the remaining sum."""
    await make_accounts(database)
    works = (database.transact(partial(take, n), serializable=strictly) for n in range(20))
    got = await asyncio.gather(*works)
    return sum(got), int(await database.read(lambda queries: queries.scalar(_SUM)))


async def test_serializable_prevents_concurrent_overdrafts(database):
    assert await take_all_at_once(database, strictly=True) == (10, 0)


@pytest.mark.parametrize("database_kind", ["postgresql"], indirect=True)
async def test_read_committed_allows_concurrent_overdrafts(database):
    """The reason for SERIALIZABLE: each reads a sum that the others are about to change."""
    got, left = await take_all_at_once(database, strictly=False)
    assert got > 10
    assert left < 0


@pytest.mark.parametrize("database_kind", ["sqlite"], indirect=True)
async def test_a_single_writer_is_always_serializable(database):
    assert await take_all_at_once(database, strictly=False) == (10, 0)


@pytest.mark.parametrize("database_kind", ["postgresql"], indirect=True)
async def test_reruns_are_limited_and_leave_no_partial_writes(database, monkeypatch):
    monkeypatch.setattr(postgres, "RERUNS_MAX", 1)
    await make_accounts(database)
    works = (database.transact(partial(take, n), serializable=True) for n in range(20))
    ended = await asyncio.gather(*works, return_exceptions=True)
    assert {type(one) for one in ended} == {bool, StorageUnavailable}
    left = await database.read(lambda queries: queries.scalar(_SUM))
    assert left == 100 - 10 * ended.count(True) >= 0


@pytest.mark.parametrize("database_kind", ["postgresql"], indirect=True)
async def test_reruns_have_a_time_limit(database, monkeypatch):
    monkeypatch.setattr(postgres, "RERUNS_WITHIN_S", 0.0)
    runs = []

    def collide(queries: Queries) -> None:
        runs.append(1)
        queries.run(text("DO $$ BEGIN RAISE SQLSTATE '40001'; END $$"))

    with pytest.raises(StorageUnavailable):
        await database.transact(collide)
    assert len(runs) == 1


async def test_a_serializable_function_is_refused_in_a_weaker_transaction(database):
    @serializable
    def post(queries: Queries) -> str:
        return "posted"

    assert is_serializable(post)
    assert is_serializable(partial(post))
    assert not is_serializable(take)
    assert await database.transact(post, serializable=True) == "posted"
    if database.shared:
        for ask in (database.transact, database.read):
            with pytest.raises(RuntimeError):
                await ask(post)
