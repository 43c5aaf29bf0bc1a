"""Changing the email address of an account, and setting a password with a pincode."""

import asyncio

import pytest
from sqlalchemy import func, select

from handlers.platform.auth import public as accounts
from tests.parts.provider import running_provider
from tests.platform.identities.travel import open_browser, settings_for
from tests.wire_client import Refused
from tests.world import PASSWORD, Person, World, both_databases, one_database, with_server

NEW_PASSWORD = "another horse battery"
NEW_EMAIL = "ana@elsewhere.example"


@pytest.fixture
async def ana(world: World) -> Person:
    return await world.sign_up("ana")


async def code_of(person: Person, command: str, **payload) -> str:
    with pytest.raises(Refused) as refused:
        await person.call("/profile", command, **payload)
    return refused.value.code


async def request_email_change(world: World, ana: Person, count: int = 2) -> dict[str, str]:
    """Request the change, and return the payload of `confirm_email` with both pincodes."""
    await ana.call("/profile", "change_email", email=NEW_EMAIL.upper().replace("@", "@"))
    return {
        "email": NEW_EMAIL,
        "pincode": await world.mails.pincode(NEW_EMAIL, count - 1),
        "old_pincode": await world.mails.pincode(ana.email, count),
    }


def wrong_pincode(pincode: str) -> str:
    return "000000" if pincode != "000000" else "000001"


async def test_both_pincodes_change_the_address_and_end_the_other_sessions(world, ana):
    await ana.enter("/profile")
    other = await world.another_session(ana)
    await other.enter("/profile")
    proof = await request_email_change(world, ana)
    user = await ana.call("/profile", "confirm_email", **proof, request_id="one")
    assert (user["email"], user["email_verified"]) == (NEW_EMAIL, True)
    assert (await ana.event("USER_UPDATED")).data["user"] == user
    assert await ana.call("/profile", "confirm_email", **proof, request_id="one") == user
    await asyncio.wait_for(other.client.closed.wait(), 5)
    visitor = await world.visitor("/auth")
    session = await visitor.call("/auth", "login", email=NEW_EMAIL, password=PASSWORD)
    assert session["user"]["id"] == ana.id
    answer = await visitor.ask("/auth", "login", {"email": ana.email, "password": PASSWORD})
    assert answer["error"]["code"] == "CREDENTIALS_WRONG"


@both_databases
async def test_a_reset_pincode_for_the_old_address_is_refused_during_an_email_change(
    world, ana, monkeypatch
):
    """A pincode to reset the password was mailed to the old address before the change."""
    end, changing_email, visitor = (
        accounts.end_other_sessions,
        asyncio.Event(),
        await world.visitor("/auth"),
    )
    proof = await request_email_change(world, ana)
    await visitor.call("/auth", "forgot", email=ana.email)
    late = {"email": ana.email, "pincode": await world.mails.pincode(ana.email, 3)}

    def end_and_wait(tx, reason):
        end(tx, reason)
        changing_email.set()
        if tx.dialect == "postgresql":
            tx.scalar(select(func.pg_sleep(0.5)))

    monkeypatch.setattr(accounts, "end_other_sessions", end_and_wait)
    changing = asyncio.ensure_future(ana.call("/profile", "confirm_email", **proof))
    await changing_email.wait()
    answer = await visitor.ask("/auth", "reset", {**late, "new_password": NEW_PASSWORD})
    assert answer["error"]["code"] == "PINCODE_WRONG"
    assert (await changing)["email"] == NEW_EMAIL
    assert len((await ana.call("/profile", "sessions"))["sessions"]) == 1


async def test_one_correct_pincode_is_refused_and_leaves_both_pincodes_valid(world, ana):
    proof = await request_email_change(world, ana)
    for mistake in (
        {"pincode": wrong_pincode(proof["pincode"])},
        {"old_pincode": wrong_pincode(proof["old_pincode"])},
        {"email": "third@example.org"},
        {"pincode": proof["old_pincode"], "old_pincode": proof["pincode"]},
    ):
        assert await code_of(ana, "confirm_email", **{**proof, **mistake}) == "PINCODE_WRONG"
    assert (await ana.call("/profile", "me"))["email"] == ana.email
    assert (await ana.call("/profile", "confirm_email", **proof))["email"] == NEW_EMAIL


async def test_a_taken_address_is_refused_only_after_its_pincode_is_entered(world, ana):
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


async def test_one_of_two_users_changing_to_the_same_address_succeeds(world, ana):
    ben = await world.sign_up("ben")
    first = await request_email_change(world, ana)
    await ben.call("/profile", "change_email", email=NEW_EMAIL)
    second = {
        "email": NEW_EMAIL,
        "pincode": await world.mails.pincode(NEW_EMAIL, 2),
        "old_pincode": await world.mails.pincode(ben.email, 2),
    }
    crossed = {**second, "pincode": first["pincode"]}
    assert await code_of(ben, "confirm_email", **crossed) == "PINCODE_WRONG"
    await ana.call("/profile", "confirm_email", **first)  # Ben's request did not invalidate it
    assert await code_of(ben, "confirm_email", **second) == "PINCODE_WRONG"


@one_database
async def test_pincodes_of_an_email_change_are_refused_for_another_user(world, ana):
    ben = await world.sign_up("ben")
    proof = await request_email_change(world, ana)
    assert await code_of(ben, "confirm_email", **proof) == "PINCODE_WRONG"


@one_database
async def test_changing_the_email_address_needs_a_fresh_proof(world, ana):
    world.clock.advance(601)
    assert await code_of(ana, "change_email", email=NEW_EMAIL) == "PROOF_NEEDED"
    assert world.mails.to(NEW_EMAIL) == []


@with_server
async def test_a_user_without_a_password_sets_one_with_a_pincode(make_world):
    async with running_provider() as provider:
        world = await make_world(**settings_for(provider))
        visitor = await world.visitor("/auth")
        async with open_browser(world) as browser:
            session = await visitor.call("/auth", "oauth", ticket=await browser.ticket(provider))
        ana = Person(world, "ana", session, await world.connect(session["access_token"]))
        await ana.call("/profile", "send_proof")
        pincode = await world.mails.pincode(ana.email)
        weak = await code_of(ana, "set_password", pincode=pincode, new_password="password")
        assert weak == "PASSWORD_WEAK"
        mistake = await code_of(
            ana, "set_password", pincode=wrong_pincode(pincode), new_password=NEW_PASSWORD
        )
        assert mistake == "PINCODE_WRONG"
        await ana.call("/profile", "set_password", pincode=pincode, new_password=NEW_PASSWORD)
        assert (await ana.call("/profile", "sign_in_methods"))["password"] is True
        await visitor.call("/auth", "login", email=ana.email, password=NEW_PASSWORD)
        [added] = await world.stored("AUTH_METHOD_ADDED")
        assert (added["user_id"], added["method"]) == (ana.id, "password")
        await world.settle()
        kinds = [n["kind"] for n in (await ana.call("/notifications", "list"))["notifications"]]
        assert "method_added" in kinds


async def test_the_old_address_gets_a_mail_that_names_the_new_address(world, ana):
    proof = await request_email_change(world, ana)
    await ana.call("/profile", "confirm_email", **proof)
    await world.settle()
    last = (await world.mails.wait_for(ana.email, 3)).get_body(("plain",)).get_content()
    assert NEW_EMAIL in last
    assert "127.0.0.1" in last
    assert "If this wasn't you" in last
    subjects = [str(mail["Subject"]) for mail in world.mails.to(NEW_EMAIL)]
    assert subjects[-1] == "Your email address was changed"


async def test_both_pincodes_of_an_email_change_share_one_ticket(world, ana):
    ticket = (await ana.call("/profile", "change_email", email=NEW_EMAIL))["ticket"]
    proof = {
        "email": NEW_EMAIL,
        "ticket": ticket,
        "pincode": await world.mails.pincode(NEW_EMAIL),
        "old_pincode": await world.mails.pincode(ana.email, 2),
    }
    assert await code_of(ana, "confirm_email", **{**proof, "ticket": "another"}) == "PINCODE_WRONG"
    assert (await ana.call("/profile", "confirm_email", **proof))["email"] == NEW_EMAIL
