"""Commands that are still running while their user's account is erased."""

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta

import pytest
from sqlalchemy import func, select

from handlers.kit import idempotency
from handlers.kit.domain import Domain
from handlers.kit.transaction import Transaction
from handlers.platform.personal_data.service import erasure
from storage.engine.columns import metadata
from storage.engine.personal import personal_of
from storage.events.idempotency import idempotency_keys
from storage.events.timers import timers
from tests.kit import paying as payments
from tests.kit.paying import Provider
from tests.platform.personal_data.life import rows_of
from tests.world import Person, World, until, with_server

PAUSES = (timedelta(hours=1), timedelta(days=1), timedelta(days=30))
"""The time between one round and the next."""


@pytest.fixture
async def provider() -> AsyncIterator[Provider]:
    async with payments.provider() as it:
        yield it


@pytest.fixture
def domains(provider: Provider) -> tuple[Domain, ...]:
    return (payments.paying,)


@pytest.fixture
async def ana(world: World) -> Person:
    return await (await world.person("ana")).enter("/paying")


@pytest.fixture
def suspended_machine(monkeypatch, provider):
    """It renews no lease, so the external call is not cancelled."""
    monkeypatch.setattr(idempotency, "RENEW_EVERY_S", 60)
    monkeypatch.setattr(payments, "WITHIN_S", 60)
    provider.behaves = "slow"


async def begin_to_pay(person: Person, provider: Provider) -> None:
    await person.client.begin("/paying", "pay", {"amount": 1200, "request_id": "r1"})
    await until(lambda: provider.at_once == 1)


async def erase(world: World, user_id: str) -> None:
    """Run the first round of the erasure."""
    await world.transact(erasure.begin, user_id)
    await until(lambda: world.stored("ACCOUNT_DELETED"))


async def run_round(world: World, after: timedelta) -> None:
    world.clock.advance(after.total_seconds() + 1)
    await world.settle()


async def list_owned(world: World, user_id: str) -> list[str]:
    """The tables that still have rows of a user that an erasure deletes, once per row."""
    found = []
    for table in metadata.sorted_tables:
        declared = personal_of(table)
        for owner in set(declared.deleted_with) - set(declared.found_through):
            found += [table.name] * len(await rows_of(world, table, owner, user_id))
    return found


@with_server
@pytest.mark.parametrize("rounds", [0, 1, 2])
@pytest.mark.usefixtures("suspended_machine")
async def test_data_stored_by_a_command_after_the_erasure_is_erased_later(
    world, ana, provider, rounds
):
    await begin_to_pay(ana, provider)
    await erase(world, ana.id)
    for after in PAUSES[:rounds]:
        await run_round(world, after)
    assert await list_owned(world, ana.id) == []
    provider.open.set()
    await until(lambda: world.stored("TEST_PAYMENT_SETTLED"))
    assert await list_owned(world, ana.id) == ["idempotency_keys"]
    await run_round(world, PAUSES[rounds])
    assert await list_owned(world, ana.id) == []


async def test_an_erasure_has_a_last_round(world, ana):
    await erase(world, ana.id)
    for after in PAUSES:
        assert await world.read(timers_of, ana.id) == 1
        await run_round(world, after)
    assert await world.read(timers_of, ana.id) == 0


def timers_of(tx: Transaction, user_id: str) -> int:
    named = select(func.count()).where(timers.c.key == f"account_deletion:{user_id}")
    count: int = tx.scalar(named)
    return count


async def test_an_external_call_is_cancelled_once_its_user_is_erased(
    world, ana, provider, monkeypatch
):
    monkeypatch.setattr(idempotency, "RENEW_EVERY_S", 0.02)
    monkeypatch.setattr(payments, "WITHIN_S", 60)
    provider.behaves = "slow"
    ended, charge = asyncio.Event(), payments.charge_for

    async def charge_for(intent: payments.Intent) -> str:
        try:
            return await charge(intent)
        finally:
            ended.set()

    monkeypatch.setattr(payments, "charge_for", charge_for)
    await begin_to_pay(ana, provider)
    await erase(world, ana.id)
    await ended.wait()
    provider.open.set()
    await world.settle()
    assert await world.stored("TEST_PAYMENT_SETTLED") == []
    assert await list_owned(world, ana.id) == []


async def test_an_erased_user_is_removed_from_stored_steps_of_others(world, ana, provider):
    ben = await world.person("ben")
    ask = {"amount": 1200, "request_id": "r1", "payee_id": ben.id, "payee_name": "Ben Finch"}
    provider.behaves = "declines"
    await ana.client.ask("/paying", "pay", ask)
    assert "Ben Finch" in str(await world.read(list_steps))
    await erase(world, ben.id)
    (kept,) = await world.read(list_steps)
    assert "Ben Finch" not in str(kept)
    assert ben.id in kept["intent"]
    provider.behaves = "well"
    assert (await ana.client.ask("/paying", "pay", ask))["ok"]
    assert list(provider.asked.values()) == [2], "the step was not run again"


def list_steps(tx: Transaction) -> list[dict[str, str]]:
    return tx.scalars(select(idempotency_keys.c.steps))
