"""An account in its owner's hands: another address, a password by pincode."""

import asyncio

import pytest
from sqlalchemy import func, select

from handlers.platform.auth import public as accounts
from tests.parts.provider import running_provider
from tests.platform.identities.travel import settings_for, traveller
from tests.wire_client import Refused
from tests.world import PASSWORD, Person, World, both_databases, one_database, with_server

NEW = "another horse battery"
MOVED = "ana@elsewhere.example"


@pytest.fixture
async def ana(world: World) -> Person:
    return await world.sign_up("ana")


async def code_of(who: Person, command: str, **payload) -> str:
    with pytest.raises(Refused) as refused:
        await who.call("/profile", command, **payload)
    return refused.value.code


async def ask_to_move(world: World, ana: Person, count: int = 2) -> dict[str, str]:
    """The pincodes of both addresses."""
    await ana.call("/profile", "change_email", email=MOVED.upper().replace("@", "@"))
    return {
        "email": MOVED,
        "pincode": await world.mails.pincode(MOVED, count - 1),
        "old_pincode": await world.mails.pincode(ana.email, count),
    }


def wrong(pincode: str) -> str:
    return "000000" if pincode != "000000" else "000001"


async def test_an_address_changes_when_both_are_proved(world, ana):
    await ana.enter("/profile")
    other = await world.another_session(ana)
    await other.enter("/profile")
    proof = await ask_to_move(world, ana)
    user = await ana.call("/profile", "confirm_email", **proof, request_id="one")
    assert (user["email"], user["email_verified"]) == (MOVED, True)
    assert (await ana.event("USER_UPDATED")).data["user"] == user
    assert await ana.call("/profile", "confirm_email", **proof, request_id="one") == user
    await asyncio.wait_for(other.client.closed.wait(), 5)
    door = await world.visitor("/auth")
    session = await door.call("/auth", "login", email=MOVED, password=PASSWORD)
    assert session["user"]["id"] == ana.id
    answer = await door.ask("/auth", "login", {"email": ana.email, "password": PASSWORD})
    assert answer["error"]["code"] == "CREDENTIALS_WRONG"


@both_databases
async def test_who_reads_the_old_mail_gets_no_session_while_the_address_changes(
    world, ana, monkeypatch
):
    """A pincode for a lost password came to the address that is about to be left."""
    end, moving, door = accounts.end_other_sessions, asyncio.Event(), await world.visitor("/auth")
    proof = await ask_to_move(world, ana)
    await door.call("/auth", "forgot", email=ana.email)
    late = {"email": ana.email, "pincode": await world.mails.pincode(ana.email, 3)}

    def end_and_dwell(tx, reason):
        end(tx, reason)
        moving.set()
        if tx.dialect == "postgresql":
            tx.scalar(select(func.pg_sleep(0.5)))

    monkeypatch.setattr(accounts, "end_other_sessions", end_and_dwell)
    changing = asyncio.ensure_future(ana.call("/profile", "confirm_email", **proof))
    await moving.wait()
    told = await door.ask("/auth", "reset", {**late, "new_password": NEW})
    assert told["error"]["code"] == "PINCODE_WRONG"
    assert (await changing)["email"] == MOVED
    assert len((await ana.call("/profile", "sessions"))["sessions"]) == 1


async def test_one_of_the_two_pincodes_is_not_enough_and_a_slip_costs_neither(world, ana):
    proof = await ask_to_move(world, ana)
    for slip in (
        {"pincode": wrong(proof["pincode"])},
        {"old_pincode": wrong(proof["old_pincode"])},
        {"email": "third@example.org"},
        {"pincode": proof["old_pincode"], "old_pincode": proof["pincode"]},
    ):
        assert await code_of(ana, "confirm_email", **{**proof, **slip}) == "PINCODE_WRONG"
    assert (await ana.call("/profile", "me"))["email"] == ana.email
    assert (await ana.call("/profile", "confirm_email", **proof))["email"] == MOVED


async def test_an_address_of_somebody_else_is_told_only_to_who_reads_its_mail(world, ana):
    ben = await world.sign_up("ben")
    sent = await ana.call("/profile", "change_email", email=ben.email)
    assert sent.keys() == {"expires_in_s", "ticket"}
    proof = {
        "email": ben.email,
        "pincode": await world.mails.pincode(ben.email, 2),
        "old_pincode": await world.mails.pincode(ana.email, 2),
    }
    assert await code_of(ana, "confirm_email", **proof) == "EMAIL_TAKEN"
    assert (await ben.call("/profile", "me"))["email"] == ben.email


async def test_of_two_who_move_to_one_address_at_once_one_does(world, ana):
    ben = await world.sign_up("ben")
    first = await ask_to_move(world, ana)
    await ben.call("/profile", "change_email", email=MOVED)
    second = {
        "email": MOVED,
        "pincode": await world.mails.pincode(MOVED, 2),
        "old_pincode": await world.mails.pincode(ben.email, 2),
    }
    crossed = {**second, "pincode": first["pincode"]}
    assert await code_of(ben, "confirm_email", **crossed) == "PINCODE_WRONG"
    await ana.call("/profile", "confirm_email", **first)  # which Ben's asking did not take away
    assert await code_of(ben, "confirm_email", **second) == "PINCODE_WRONG"


@one_database
async def test_the_pincodes_of_one_person_are_worth_nothing_to_another(world, ana):
    ben = await world.sign_up("ben")
    proof = await ask_to_move(world, ana)
    assert await code_of(ben, "confirm_email", **proof) == "PINCODE_WRONG"


@one_database
async def test_moving_needs_a_fresh_proof(world, ana):
    world.clock.advance(601)
    assert await code_of(ana, "change_email", email=MOVED) == "PROOF_NEEDED"
    assert world.mails.to(MOVED) == []


@with_server
async def test_who_signs_in_elsewhere_sets_a_password_by_pincode(make_world):
    async with running_provider() as provider:
        world = await make_world(**settings_for(provider))
        door = await world.visitor("/auth")
        async with traveller(world) as browser:
            session = await door.call("/auth", "oauth", ticket=await browser.ticket(provider))
        ana = Person(world, "ana", session, await world.connect(session["access_token"]))
        await ana.call("/profile", "send_proof")
        pincode = await world.mails.pincode(ana.email)
        weak = await code_of(ana, "set_password", pincode=pincode, new_password="password")
        assert weak == "PASSWORD_WEAK"
        slip = await code_of(ana, "set_password", pincode=wrong(pincode), new_password=NEW)
        assert slip == "PINCODE_WRONG"
        await ana.call("/profile", "set_password", pincode=pincode, new_password=NEW)
        assert (await ana.call("/profile", "sign_in_methods"))["password"] is True
        await door.call("/auth", "login", email=ana.email, password=NEW)
        [added] = await world.stored("AUTH_METHOD_ADDED")
        assert (added["user_id"], added["method"]) == (ana.id, "password")
        await world.settle()
        kinds = [n["kind"] for n in (await ana.call("/notifications", "list"))["notifications"]]
        assert "method_added" in kinds


async def test_the_old_address_hears_where_the_account_went(world, ana):
    proof = await ask_to_move(world, ana)
    await ana.call("/profile", "confirm_email", **proof)
    await world.settle()
    last = (await world.mails.wait_for(ana.email, 3)).get_body(("plain",)).get_content()
    assert MOVED in last
    assert "127.0.0.1" in last
    assert "If this wasn't you" in last
    subjects = [str(mail["Subject"]) for mail in world.mails.to(MOVED)]
    assert subjects[-1] == "Your email address was changed"


async def test_both_pincodes_of_a_move_have_one_ticket(world, ana):
    ticket = (await ana.call("/profile", "change_email", email=MOVED))["ticket"]
    proof = {
        "email": MOVED,
        "ticket": ticket,
        "pincode": await world.mails.pincode(MOVED),
        "old_pincode": await world.mails.pincode(ana.email, 2),
    }
    assert await code_of(ana, "confirm_email", **{**proof, "ticket": "another"}) == "PINCODE_WRONG"
    assert (await ana.call("/profile", "confirm_email", **proof))["email"] == MOVED
