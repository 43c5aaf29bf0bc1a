"""Planned deletions: others no longer see the account, and its owner can still cancel."""

import asyncio
from datetime import datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import func, select

from handlers.consulting.consultants import service as consultants
from handlers.kit.domain import Domain
from handlers.kit.errors import NotFound
from handlers.kit.kernel import Actor
from handlers.kit.registry import PLATFORM
from handlers.platform.personal_data.service.deletions import begin_when_due, cancel
from handlers.platform.profile.contracts import UpdateProfile
from handlers.platform.profile.service import update_me
from storage.consulting.booking import bookings
from storage.consulting.consultants import consultants as consulting
from storage.platform.profile import users
from tests.consulting.waiting_room.scenes import refusal_of
from tests.platform.chat.scenes import Offer, offer
from tests.world import (
    PASSWORD,
    Person,
    World,
    both_databases,
    session_id_of,
    text_of,
    until,
    with_server,
)

GRACE = timedelta(days=30)


@pytest.fixture
async def ana(world: World) -> Person:
    ana = await world.sign_up("ana")
    about = {"about_me": "I listen.", "languages": ["en"], "country": "DE", "time_zone": "UTC"}
    await ana.call("/consultants", "become", **about)
    return await ana.enter("/account")


@pytest.fixture
async def ben(world: World) -> Person:
    return await world.person("ben", consultant=True)


async def listed(person: Person) -> set[str]:
    page = await person.call("/consultants", "list")
    return {one["id"] for one in page["consultants"]}


async def statuses(person: Person) -> list[str]:
    return [one["status"] for one in (await person.call("/booking", "list"))["bookings"]]


async def book(student: Person, offered: Offer, block: int) -> Any:
    return await student.call("/booking", "request", **offered.ask(block))


async def plan_deletion(world: World, ana: Person) -> datetime:
    planned = await ana.call("/account", "delete")
    await world.settle()
    return datetime.fromisoformat(planned["deleted_at"])


async def test_planning_a_deletion_announces_the_date_and_cancels_bookings(world, ana, ben):
    hers, his = await offer(world, ana), await offer(world, ben)
    await ana.call("/booking", "approve", booking_id=(await book(ben, hers, 2))["id"])
    await book(ana, his, 5)
    due = await plan_deletion(world, ana)
    assert due - world.clock.now() > GRACE - timedelta(minutes=1)
    event = await ana.event("ACCOUNT_DELETION_PLANNED")
    assert datetime.fromisoformat(event.data["deleted_at"]) == due
    account = await ana.call("/account", "get")
    assert datetime.fromisoformat(account["deleted_at"]) == due
    assert account["seq"] == event.meta["seq"]
    assert await statuses(ana) == await statuses(ben) == ["cancelled", "cancelled"]
    assert len(ben.events("BOOKING_CANCELLED")) == 2
    kinds = [n["kind"] for n in (await ben.call("/notifications", "list"))["notifications"]]
    assert kinds.count("booking_cancelled") == 2
    mail = next(m for m in world.mails.to(ana.email) if "will be deleted" in m["Subject"])
    assert "cancel the deletion" in text_of(mail)


async def test_a_consultant_with_a_planned_deletion_is_not_listed_or_bookable(world, ana, ben):
    hers = await offer(world, ana)
    assert ana.id in await listed(ben)
    await plan_deletion(world, ana)
    assert ana.id not in await listed(ben)
    asked = hers.ask(2)
    assert await refusal_of(ben, "/booking", "request", **asked) in (
        "TOPIC_NOT_OFFERED",
        "NOT_FOUND",
    )


async def test_a_consultant_who_starts_meanwhile_is_listed_after_cancelling(world, ana, ben):
    cem = await (await world.person("cem")).enter("/account")
    await plan_deletion(world, cem)
    about = {"about_me": "I listen.", "languages": ["en"], "country": "DE", "time_zone": "UTC"}
    await cem.call("/consultants", "become", **about)
    await ana.call("/consultants", "stop")
    await plan_deletion(world, ana)
    await ana.call("/consultants", "become", **about)
    await world.settle()
    assert await listed(ben) == {ben.id}
    for one in (ana, cem):
        await one.call("/account", "restore")
    assert await listed(ben) == {ana.id, ben.id, cem.id}


async def test_the_owner_can_sign_in_and_cancel_the_deletion(world, ana, ben):
    hers = await offer(world, ana)
    await plan_deletion(world, ana)
    world.clock.advance((GRACE - timedelta(hours=1)).total_seconds())
    await world.settle()
    visitor = await world.visitor("/auth")
    session = await visitor.call("/auth", "login", email=ana.email, password=PASSWORD)
    back = Person(world, "ana", session, await world.connect(session["access_token"]))
    assert await back.call("/account", "restore") == {"deleted_at": None}
    assert await ana.event("ACCOUNT_DELETION_CANCELLED")
    await world.settle()
    assert (await back.call("/account", "get"))["deleted_at"] is None
    assert ana.id in await listed(ben)
    world.clock.advance(2 * 86_400)
    await world.settle()
    assert (await back.call("/profile", "me"))["email"] == ana.email
    shown = await ben.call("/consultants", "get", consultant_id=ana.id)
    assert [one["id"] for one in shown["topics"]] == [hers.topic["id"]]


async def test_a_deletion_needs_a_fresh_proof_and_repeating_it_keeps_the_date(world, ana):
    world.clock.advance(601)
    assert await refusal_of(ana, "/account", "delete") == "PROOF_NEEDED"
    assert (await ana.call("/account", "get"))["deleted_at"] is None
    await ana.call("/profile", "prove", password=PASSWORD)
    due = await plan_deletion(world, ana)
    world.clock.advance(60)
    assert await plan_deletion(world, ana) == due
    assert await ana.call("/account", "restore") == {"deleted_at": None}
    assert await ana.call("/account", "restore") == {"deleted_at": None}
    assert await plan_deletion(world, ana) > due


async def test_cancelling_does_not_list_a_former_consultant_again(world, ana, ben):
    await ana.call("/consultants", "stop")
    await plan_deletion(world, ana)
    await ana.call("/account", "restore")
    await world.settle()
    assert ana.id not in await listed(ben)


@both_databases
async def test_two_accounts_are_deleted_at_once_and_a_third_is_kept(world, ana, ben):
    cora = await world.person("cora")
    chat = (await ana.call("/chat", "open", user_id=ben.id))["id"]
    for one in (ana, ben):
        said = {"conversation_id": chat, "client_id": one.name, "text": f"{one.name} was here"}
        await one.call("/chat", "send", **said)
    await asyncio.gather(plan_deletion(world, ana), plan_deletion(world, ben))
    world.clock.advance(GRACE.total_seconds() + 1)
    await world.settle()
    names = await world.read(lambda tx: tx.scalars(users.select().with_only_columns(users.c.email)))
    assert sorted(names) == sorted(
        [cora.email, f"{ana.id}@deleted.invalid", f"{ben.id}@deleted.invalid"]
    )
    assert len(await world.stored("ACCOUNT_DELETED")) == 2


@pytest.mark.settings(PARLEY_DELETION_GRACE_DAYS="3")
async def test_the_grace_period_is_configurable_and_fully_kept(world, ana):
    await plan_deletion(world, ana)
    world.clock.advance(3 * 86_400 - 60)
    await world.settle()
    assert (await ana.call("/profile", "me"))["first_name"] == "Ana"
    world.clock.advance(61)
    await world.settle()
    assert await world.stored("ACCOUNT_DELETED") == [{"user_id": ana.id}]


@with_server
async def test_a_deletion_due_while_the_server_is_stopped_runs_after_the_start(world, ana):
    await plan_deletion(world, ana)
    await world.stop()
    world.clock.advance(GRACE.total_seconds() + 1)
    await world.start()
    await world.settle()
    assert await world.stored("ACCOUNT_DELETED") == [{"user_id": ana.id}]


@pytest.mark.parametrize(
    "change", [(cancel,), (update_me, UpdateProfile(first_name="Ana"))], ids=["cancel", "update"]
)
async def test_changes_are_refused_once_the_erasure_has_begun(world, ana, change):
    await plan_deletion(world, ana)
    world.clock.advance(GRACE.total_seconds() + 1)
    await world.transact(begin_when_due, ana.id)
    actor = Actor(ana.id, session_id_of(ana.token), frozenset())
    with pytest.raises(NotFound):
        await world.app.context(actor).transact(*change)
    await world.settle()
    assert await world.stored("ACCOUNT_DELETED") == [{"user_id": ana.id}]
    assert await world.stored("ACCOUNT_DELETION_CANCELLED") == []


async def test_a_user_who_logs_in_while_the_erasure_begins_is_signed_out(world, ana, monkeypatch):
    pause, closing, signed_in = consultants.pause, asyncio.Event(), asyncio.Event()

    def pause_and_wait(tx, user_id):
        closing.set()
        while tx.dialect == "postgresql" and not signed_in.is_set():
            tx.scalar(select(func.pg_sleep(0.02)))
        return pause(tx, user_id)

    await plan_deletion(world, ana)
    visitor = await world.visitor("/auth")
    monkeypatch.setattr(consultants, "pause", pause_and_wait)
    world.clock.advance(GRACE.total_seconds() + 1)
    deleting = asyncio.ensure_future(world.settle())
    await closing.wait()
    answer = await visitor.ask("/auth", "login", {"email": ana.email, "password": PASSWORD})
    if answer["ok"]:
        late = await world.connect(answer["data"]["access_token"])
        await late.enter("/profile")
    signed_in.set()
    await deleting
    assert answer["ok"] == world.app.database.shared
    if answer["ok"]:
        await until(late.closed.is_set)


@with_server
async def test_data_of_a_disabled_system_is_erased_too(world, ana, ben):
    hers, his = await offer(world, ana), await offer(world, ben)
    await book(ben, hers, 2)
    await book(ana, his, 5)
    await world.settle()
    world.settings.systems = frozenset({PLATFORM})
    await world.restart()
    assert "/booking" not in world.app.registry.namespaces
    back = await (await world.another_session(ana)).enter("/account")
    await plan_deletion(world, back)
    states = await world.read(lambda tx: tx.scalars(select(bookings.c.status)))
    assert states == ["cancelled", "cancelled"]
    world.clock.advance(GRACE.total_seconds() + 1)
    await world.settle()
    assert await world.stored("ACCOUNT_DELETED") == [{"user_id": ana.id}]
    said = await world.read(lambda tx: tx.scalars(select(consulting.c.about_me)))
    assert sorted(said) == ["", "I listen."]


async def test_an_erasure_waits_for_holds_and_can_be_cancelled_meanwhile(make_world):
    open_orders: set[str] = set()
    shop = Domain("shop")

    @shop.personal_data.hold_erasure
    def wait_for_open_orders(tx, user_id):
        return user_id in open_orders

    world = await make_world((shop,))
    people = [await world.sign_up(name) for name in ("ana", "ben", "cora")]
    ana, ben, cora = [await one.enter("/account") for one in people]
    open_orders |= {ana.id, ben.id}
    for one in (ana, ben, cora):
        await plan_deletion(world, one)
    world.clock.advance(GRACE.total_seconds() + 1)
    await world.settle()
    assert await world.stored("ACCOUNT_DELETED") == [{"user_id": cora.id}]
    back = await (await world.another_session(ben)).enter("/account")
    assert await back.call("/account", "restore") == {"deleted_at": None}
    open_orders.clear()
    world.clock.advance(86_400 + 1)
    await world.settle()
    gone = await world.stored("ACCOUNT_DELETED")
    assert gone == [{"user_id": ana.id}], "and what Cora was told went with her rooms"


async def test_an_erasure_begun_by_an_older_version_starts_again(world, ana, monkeypatch):
    await plan_deletion(world, ana)
    world.clock.advance(GRACE.total_seconds() + 1)

    def begin_with_steps_of_its_own(tx):
        with monkeypatch.context() as older:
            older.setattr(tx.kernel.personal_data, "erasures", {"shop.an_older_step": None})
            begin_when_due(tx, ana.id)

    await world.transact(begin_with_steps_of_its_own)
    await world.settle()
    assert await world.stored("ACCOUNT_DELETED") == [{"user_id": ana.id}]
