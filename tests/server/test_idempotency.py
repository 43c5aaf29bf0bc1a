"""Commands that call an external service between two transactions: one effect per request id."""

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta

import pytest
from sqlalchemy import select

from handlers.kit import idempotency
from handlers.kit.context import Context
from handlers.kit.domain import Domain
from handlers.kit.kernel import Actor
from storage.engine.database import OutcomeUnknown, StorageUnavailable
from storage.events.idempotency import idempotency_keys
from tests.kit import paying as payments
from tests.kit import probe as probes
from tests.kit.paying import Provider
from tests.world import Person, World, both_databases, session_id_of, until

pytestmark = both_databases

ASK = {"amount": 1200, "request_id": "r1"}


@pytest.fixture
async def provider() -> AsyncIterator[Provider]:
    async with payments.provider() as it:
        yield it


@pytest.fixture
def domains(switches, provider) -> tuple[Domain, ...]:
    return (probes.probe, payments.paying)


@pytest.fixture(autouse=True)
def quick(monkeypatch):
    monkeypatch.setattr(payments, "WITHIN_S", 0.3)


@pytest.fixture
async def ana(world: World) -> Person:
    return await (await world.person("ana")).enter("/paying")


async def pay(person: Person, **ask: object) -> dict[str, object]:
    """Send a payment; returns the answer, which may be a refusal."""
    return await person.client.ask("/paying", "pay", {**ASK, **ask})


async def settled(world: World) -> tuple[int, int]:
    """The numbers of payments intended and settled."""
    intended = await world.stored(payments.PaymentIntended.NAME)
    return len(intended), len(await world.stored(payments.PaymentSettled.NAME))


@pytest.mark.parametrize(
    ("trouble", "code"),
    [("declines", "DECLINED"), ("hangs", "UNAVAILABLE"), ("loses", "UNAVAILABLE")],
)
async def test_a_retry_resumes_after_the_step_that_is_kept(
    world, ana, provider, trouble, code, monkeypatch
):
    provider.behaves = trouble
    first = await pay(ana)
    assert first["error"]["code"] == code
    monkeypatch.setattr(idempotency, "WAIT_MAX_S", 0.1)  # a failed attempt holds no lease
    assert await settled(world) == (1, 0)
    provider.behaves = "well"
    second = await pay(ana)
    assert second["ok"], second
    assert await settled(world) == (1, 1)
    assert await pay(ana) == second, "a done request is replayed"
    assert list(provider.charged.values()) == [1200]
    assert list(provider.asked.values()) == [2], "both attempts, under one idempotency key"


async def test_two_concurrent_requests_cause_one_external_call_and_get_one_answer(
    world, ana, provider
):
    provider.behaves = "slow"
    other = await (await ana.device()).enter("/paying")
    asks = [asyncio.create_task(one.ask("/paying", "pay", ASK)) for one in (ana.client, other)]
    await until(lambda: provider.at_once == 1)
    provider.open.set()
    answers = await asyncio.gather(*asks)
    assert answers[0]["ok"]
    assert answers[0] == answers[1]
    assert provider.at_once_max == 1
    assert sum(provider.asked.values()) == 1
    assert await settled(world) == (1, 1)


async def test_a_request_that_waits_too_long_for_the_first_is_unavailable(
    world, ana, provider, monkeypatch
):
    monkeypatch.setattr(idempotency, "WAIT_MAX_S", 0.1)
    monkeypatch.setattr(payments, "WITHIN_S", 30)
    provider.behaves = "slow"
    other = await (await ana.device()).enter("/paying")
    first = asyncio.create_task(ana.client.ask("/paying", "pay", ASK))
    await until(lambda: provider.at_once == 1)
    answer = await other.ask("/paying", "pay", ASK)
    assert answer["error"]["code"] == "UNAVAILABLE"
    assert answer["error"]["details"] == {"outcome": "unknown"}
    provider.open.set()
    assert (await first)["ok"]


@pytest.mark.parametrize("trouble", ["hangs", "loses"])
async def test_a_half_done_command_is_reported_with_an_unknown_outcome(ana, provider, trouble):
    provider.behaves = trouble
    error = (await pay(ana))["error"]
    assert (error["code"], error["details"]) == ("UNAVAILABLE", {"outcome": "unknown"})


async def test_a_pending_request_id_takes_no_other_payload(world, ana, provider):
    provider.behaves = "hangs"
    await pay(ana)
    answer = await pay(ana, amount=1)
    assert answer["error"]["code"] == "CONFLICT"
    provider.behaves = "well"
    assert (await pay(ana))["ok"]
    assert list(provider.charged.values()) == [1200]


async def test_an_attempt_that_lost_its_lease_commits_nothing(world, ana, provider, monkeypatch):
    """As after a suspended machine: another instance finished meanwhile."""
    monkeypatch.setattr(idempotency, "RENEW_EVERY_S", 30)
    monkeypatch.setattr(payments, "WITHIN_S", 30)
    provider.behaves = "slow"
    other = await (await ana.device()).enter("/paying")
    first = asyncio.create_task(ana.client.ask("/paying", "pay", ASK))
    await until(lambda: provider.at_once == 1)
    world.clock.advance(idempotency.LEASE_S + 1)
    provider.behaves = "well"
    done = await other.ask("/paying", "pay", ASK)
    assert done["ok"]
    provider.open.set()
    late = await first
    assert late == done, "its last transaction finds the answer"
    assert await settled(world) == (1, 1)


async def test_a_lease_is_renewed_during_the_external_call(world, ana, provider, monkeypatch):
    monkeypatch.setattr(idempotency, "RENEW_EVERY_S", 0.02)
    monkeypatch.setattr(idempotency, "WAIT_MAX_S", 0.1)
    monkeypatch.setattr(payments, "WITHIN_S", 30)
    provider.behaves = "slow"
    other = await (await ana.device()).enter("/paying")
    first = asyncio.create_task(ana.client.ask("/paying", "pay", ASK))
    await until(lambda: provider.at_once == 1)
    world.clock.advance(idempotency.LEASE_S - 1)
    renewed = world.clock.now() + timedelta(seconds=idempotency.LEASE_S)
    await until(lambda: is_later(world, renewed))
    world.clock.advance(2)  # beyond its first lease
    assert (await other.ask("/paying", "pay", ASK))["error"]["code"] == "UNAVAILABLE"
    provider.open.set()
    assert (await first)["ok"]
    assert sum(provider.asked.values()) == 1


def the_lease(tx):
    return tx.scalar(select(idempotency_keys.c.leased_until))


async def is_later(world, lease):
    return await world.read(the_lease) > lease


async def test_a_command_may_need_a_request_id(world, ana, provider):
    answer = await ana.client.ask("/paying", "pay", {"amount": 1})
    assert answer["error"]["code"] == "INVALID"
    assert "request_id" in answer["error"]["details"]["expected"]
    assert not provider.asked


@pytest.mark.parametrize("kept", [True, False])
async def test_the_request_id_resolves_a_commit_of_unknown_outcome(world, ana, monkeypatch, kept):
    await ana.enter("/probe")
    database = world.app.database
    real, lost = database.transact, []

    async def transact(work, *, savepoint=False, **how):
        if not savepoint or lost:
            return await real(work, savepoint=savepoint, **how)
        lost.append(True)
        if kept:
            await real(work, savepoint=savepoint, **how)
        raise OutcomeUnknown("the answer to COMMIT was lost")

    monkeypatch.setattr(database, "transact", transact)
    answer = await ana.client.ask("/probe", "say", {"text": "once", "request_id": "r1"})
    assert answer["ok"], answer
    assert lost
    assert [one["text"] for one in await world.stored("PROBE_SAID")] == ["once"]


async def test_without_a_request_id_an_unknown_outcome_is_reported(world, ana, monkeypatch):
    await ana.enter("/probe")

    async def transact(work, *, savepoint=False, **how):
        raise OutcomeUnknown("the answer to COMMIT was lost")

    monkeypatch.setattr(world.app.database, "transact", transact)
    answer = await ana.client.ask("/probe", "say", {"text": "once"})
    assert answer["error"]["code"] == "UNAVAILABLE"
    assert answer["error"]["details"] == {"outcome": "unknown"}


async def test_an_outcome_that_cannot_be_determined_is_reported_as_unknown(world, ana, monkeypatch):
    """The database stays unavailable until the answer is due."""
    await ana.enter("/probe")
    real, troubles = world.app.database.transact, [OutcomeUnknown, StorageUnavailable]

    async def transact(work, **how):
        if how.get("savepoint") and troubles:
            trouble = troubles.pop(0)
            if trouble is OutcomeUnknown:
                await real(work, **how)
            raise trouble("away")
        return await real(work, **how)

    monkeypatch.setattr(world.app.database, "transact", transact)
    ask = {"text": "once", "request_id": "r1"}
    error = (await ana.client.ask("/probe", "say", ask))["error"]
    assert (error["code"], error["details"]) == ("UNAVAILABLE", {"outcome": "unknown"})
    assert (await ana.client.ask("/probe", "say", ask))["ok"]
    assert [one["text"] for one in await world.stored("PROBE_SAID")] == ["once"]


async def test_an_external_call_does_not_start_after_its_lease_expired(
    world, ana, provider, monkeypatch
):
    """As if its machine was suspended between the step and the external call."""
    other = await (await ana.device()).enter("/paying")
    step, asleep, awake = Context.step, asyncio.Event(), asyncio.Event()

    async def sleep_after(self, *args):
        value = await step(self, *args)
        if not asleep.is_set():
            asleep.set()
            await awake.wait()
        return value

    monkeypatch.setattr(Context, "step", sleep_after)
    monkeypatch.setattr(payments, "WITHIN_S", 30)
    first = asyncio.create_task(pay(ana))
    await asleep.wait()
    world.clock.advance(idempotency.LEASE_S + 1)
    provider.behaves = "slow"
    second = asyncio.create_task(other.ask("/paying", "pay", ASK))
    await until(lambda: provider.at_once == 1)
    awake.set()
    await until(lambda: first.done() or provider.at_once == 2)
    provider.open.set()
    assert (await first)["error"]["code"] == "UNAVAILABLE"
    assert (await second)["ok"]
    assert provider.at_once_max == 1


async def test_an_external_call_with_a_request_id_needs_a_step(world, ana, provider):
    context = world.app.context(Actor(ana.id, session_id_of(ana.token), frozenset()))
    context.request_id = "r1"
    with pytest.raises(RuntimeError, match="needs a step before it"):
        await context.outside(payments.charge_for(payments.Intent(id="one", amount=1)))
    assert not provider.asked


@pytest.mark.parametrize("request_id", [None, "r1"])
async def test_a_lease_of_a_socket_is_refused_after_a_step(world, ana, request_id):
    """The step is stored for repetitions, but the lease would not be."""
    context = world.app.context(Actor(ana.id, session_id_of(ana.token), frozenset()))
    context.request_id = request_id
    await context.step("intent", payments.intend, payments.Pay(amount=1, request_id="r1"))
    with pytest.raises(RuntimeError, match="before its first step"):
        context.leases.hold("a call")


async def test_a_step_that_its_command_does_not_declare_is_refused(world, ana):
    context = world.app.context(Actor(ana.id, session_id_of(ana.token), frozenset()))
    context.command = "/paying pay"
    with pytest.raises(RuntimeError, match="/paying pay does not declare that its step intent"):
        await context.step("intent", payments.intend, payments.Pay(amount=1, request_id="r1"))


@pytest.mark.parametrize("trouble", ["loses", "hangs"])
async def test_a_payment_survives_the_kill_of_its_process(process, provider, trouble):
    process.kill()
    process.command = ["-m", "tests.kit.paying"]
    process.environ[payments.PROVIDER_URL] = provider.url
    await process.start()
    provider.behaves = trouble
    ana = await (await process.sign_up("ana")).enter("/paying")
    asking = asyncio.create_task(pay(ana))
    await until(lambda: provider.asked)
    process.kill()
    asking.cancel()
    await asyncio.gather(asking, return_exceptions=True)
    provider.behaves = "well"
    await process.start()
    back = await (await ana.device()).enter("/paying")

    async def paid():
        return (answer := await back.ask("/paying", "pay", ASK))["ok"] and answer

    answer = await until(paid, within_s=30)
    assert list(provider.charged.values()) == [1200]
    assert len(provider.asked) == 1, "the retry asks under the first one's idempotency key"
    assert await back.ask("/paying", "pay", ASK) == answer
