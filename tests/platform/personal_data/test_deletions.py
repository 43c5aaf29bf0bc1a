"""An account that is to be deleted: gone for others at once, kept for its owner for a while."""

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


async def plan(world: World, ana: Person) -> datetime:
    planned = await ana.call("/account", "delete")
    await world.settle()
    return datetime.fromisoformat(planned["deleted_at"])


async def test_the_day_is_told_and_what_is_to_come_is_called_off(world, ana, ben):
    hers, his = await offer(world, ana), await offer(world, ben)
    await ana.call("/booking", "approve", booking_id=(await book(ben, hers, 2))["id"])
    await book(ana, his, 5)
    due = await plan(world, ana)
    assert due - world.clock.now() > GRACE - timedelta(minutes=1)
    heard = await ana.event("ACCOUNT_DELETION_PLANNED")
    assert datetime.fromisoformat(heard.data["deleted_at"]) == due
    account = await ana.call("/account", "get")
    assert datetime.fromisoformat(account["deleted_at"]) == due
    assert account["seq"] == heard.meta["seq"]
    assert await statuses(ana) == await statuses(ben) == ["cancelled", "cancelled"]
    assert len(ben.events("BOOKING_CANCELLED")) == 2
    kinds = [n["kind"] for n in (await ben.call("/notifications", "list"))["notifications"]]
    assert kinds.count("booking_cancelled") == 2
    mail = next(m for m in world.mails.to(ana.email) if "will be deleted" in m["Subject"])
    assert "cancel the deletion" in text_of(mail)


async def test_nobody_finds_or_books_her_meanwhile(world, ana, ben):
    hers = await offer(world, ana)
    assert ana.id in await listed(ben)
    await plan(world, ana)
    assert ana.id not in await listed(ben)
    asked = hers.ask(2)
    assert await refusal_of(ben, "/booking", "request", **asked) in (
        "TOPIC_NOT_OFFERED",
        "NOT_FOUND",
    )


async def test_who_begins_to_consult_meanwhile_does_so_once_it_is_taken_back(world, ana, ben):
    cem = await (await world.person("cem")).enter("/account")
    await plan(world, cem)
    about = {"about_me": "I listen.", "languages": ["en"], "country": "DE", "time_zone": "UTC"}
    await cem.call("/consultants", "become", **about)
    await ana.call("/consultants", "stop")
    await plan(world, ana)
    await ana.call("/consultants", "become", **about)
    await world.settle()
    assert await listed(ben) == {ben.id}
    for one in (ana, cem):
        await one.call("/account", "restore")
    assert await listed(ben) == {ana.id, ben.id, cem.id}


async def test_she_signs_in_and_takes_it_back(world, ana, ben):
    hers = await offer(world, ana)
    await plan(world, ana)
    world.clock.advance((GRACE - timedelta(hours=1)).total_seconds())
    await world.settle()
    door = await world.visitor("/auth")
    session = await door.call("/auth", "login", email=ana.email, password=PASSWORD)
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


async def test_it_needs_a_fresh_proof_and_the_day_stays(world, ana):
    world.clock.advance(601)
    assert await refusal_of(ana, "/account", "delete") == "PROOF_NEEDED"
    assert (await ana.call("/account", "get"))["deleted_at"] is None
    await ana.call("/profile", "prove", password=PASSWORD)
    due = await plan(world, ana)
    world.clock.advance(60)
    assert await plan(world, ana) == due
    assert await ana.call("/account", "restore") == {"deleted_at": None}
    assert await ana.call("/account", "restore") == {"deleted_at": None}
    assert await plan(world, ana) > due


async def test_who_did_not_consult_does_not_afterwards(world, ana, ben):
    await ana.call("/consultants", "stop")
    await plan(world, ana)
    await ana.call("/account", "restore")
    await world.settle()
    assert ana.id not in await listed(ben)


@both_databases
async def test_two_accounts_go_together_and_a_third_stays(world, ana, ben):
    cora = await world.person("cora")
    chat = (await ana.call("/chat", "open", user_id=ben.id))["id"]
    for one in (ana, ben):
        said = {"conversation_id": chat, "client_id": one.name, "text": f"{one.name} was here"}
        await one.call("/chat", "send", **said)
    await asyncio.gather(plan(world, ana), plan(world, ben))
    world.clock.advance(GRACE.total_seconds() + 1)
    await world.settle()
    names = await world.read(lambda tx: tx.scalars(users.select().with_only_columns(users.c.email)))
    assert sorted(names) == sorted(
        [cora.email, f"{ana.id}@deleted.invalid", f"{ben.id}@deleted.invalid"]
    )
    assert len(await world.stored("ACCOUNT_DELETED")) == 2


@pytest.mark.settings(PARLEY_DELETION_GRACE_DAYS="3")
async def test_the_time_is_a_setting_and_is_not_cut_short(world, ana):
    await plan(world, ana)
    world.clock.advance(3 * 86_400 - 60)
    await world.settle()
    assert (await ana.call("/profile", "me"))["first_name"] == "Ana"
    world.clock.advance(61)
    await world.settle()
    assert await world.stored("ACCOUNT_DELETED") == [{"user_id": ana.id}]


@with_server
async def test_a_deletion_that_is_due_survives_a_restart(world, ana):
    await plan(world, ana)
    await world.stop()
    world.clock.advance(GRACE.total_seconds() + 1)
    await world.start()
    await world.settle()
    assert await world.stored("ACCOUNT_DELETED") == [{"user_id": ana.id}]


@pytest.mark.parametrize(
    "too_late", [(cancel,), (update_me, UpdateProfile(first_name="Ana"))], ids=["back", "name"]
)
async def test_what_is_asked_for_as_the_account_closes_comes_too_late(world, ana, too_late):
    await plan(world, ana)
    world.clock.advance(GRACE.total_seconds() + 1)
    await world.transact(begin_when_due, ana.id)
    actor = Actor(ana.id, session_id_of(ana.token), frozenset())
    with pytest.raises(NotFound):
        await world.app.context(actor).transact(*too_late)
    await world.settle()
    assert await world.stored("ACCOUNT_DELETED") == [{"user_id": ana.id}]
    assert await world.stored("ACCOUNT_DELETION_CANCELLED") == []


async def test_who_signs_in_as_the_account_closes_is_signed_out(world, ana, monkeypatch):
    pause, closing, signed_in = consultants.pause, asyncio.Event(), asyncio.Event()

    def pause_and_dwell(tx, user_id):
        closing.set()
        while tx.dialect == "postgresql" and not signed_in.is_set():
            tx.scalar(select(func.pg_sleep(0.02)))
        return pause(tx, user_id)

    await plan(world, ana)
    door = await world.visitor("/auth")
    monkeypatch.setattr(consultants, "pause", pause_and_dwell)
    world.clock.advance(GRACE.total_seconds() + 1)
    deleting = asyncio.ensure_future(world.settle())
    await closing.wait()
    told = await door.ask("/auth", "login", {"email": ana.email, "password": PASSWORD})
    if told["ok"]:
        late = await world.connect(told["data"]["access_token"])
        await late.enter("/profile")
    signed_in.set()
    await deleting
    assert told["ok"] == world.app.database.shared
    if told["ok"]:
        await until(late.closed.is_set)


@with_server
async def test_what_a_domain_kept_goes_also_when_its_system_is_off(world, ana, ben):
    hers, his = await offer(world, ana), await offer(world, ben)
    await book(ben, hers, 2)
    await book(ana, his, 5)
    await world.settle()
    world.settings.systems = frozenset({PLATFORM})
    await world.restart()
    assert "/booking" not in world.app.registry.namespaces
    back = await (await world.another_session(ana)).enter("/account")
    await plan(world, back)
    states = await world.read(lambda tx: tx.scalars(select(bookings.c.status)))
    assert states == ["cancelled", "cancelled"]
    world.clock.advance(GRACE.total_seconds() + 1)
    await world.settle()
    assert await world.stored("ACCOUNT_DELETED") == [{"user_id": ana.id}]
    said = await world.read(lambda tx: tx.scalars(select(consulting.c.about_me)))
    assert sorted(said) == ["", "I listen."]


async def test_an_erasure_waits_for_what_holds_it_up_and_can_be_taken_back_meanwhile(make_world):
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
        await plan(world, one)
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


async def test_an_erasure_that_an_older_version_began_begins_again(world, ana, monkeypatch):
    await plan(world, ana)
    world.clock.advance(GRACE.total_seconds() + 1)

    def begin_with_steps_of_its_own(tx):
        with monkeypatch.context() as older:
            older.setattr(tx.kernel.personal_data, "erasures", {"shop.an_older_step": None})
            begin_when_due(tx, ana.id)

    await world.transact(begin_with_steps_of_its_own)
    await world.settle()
    assert await world.stored("ACCOUNT_DELETED") == [{"user_id": ana.id}]
