"""Resetting a lost password with a mailed pincode, without revealing who has an account."""

import asyncio

import pytest

from tests.wire_client import Client, Refused
from tests.world import PASSWORD, World, one_database

NEW_PASSWORD = "another horse battery"


@pytest.fixture
async def ana(world: World):
    return await world.sign_up("ana")


@pytest.fixture
async def visitor(world: World) -> Client:
    return await world.visitor("/auth")


async def code_of(visitor: Client, command: str, **payload) -> str:
    with pytest.raises(Refused) as refused:
        await visitor.call("/auth", command, **payload)
    return refused.value.code


async def test_resetting_the_password_ends_the_earlier_sessions(world, ana, visitor):
    await ana.enter("/profile")
    sent = await visitor.call("/auth", "forgot", email="ANA@example.org")
    assert sent.keys() == {"expires_in_s", "ticket"}
    pincode = await world.mails.pincode(ana.email, 2)
    session = await visitor.call(
        "/auth", "reset", email="Ana@example.org", pincode=pincode, new_password=NEW_PASSWORD
    )
    assert session["user"]["id"] == ana.id
    await asyncio.wait_for(ana.client.closed.wait(), 5)
    assert (
        await code_of(visitor, "login", email=ana.email, password=PASSWORD) == "CREDENTIALS_WRONG"
    )
    await visitor.call("/auth", "login", email=ana.email, password=NEW_PASSWORD)
    again = {"email": ana.email, "pincode": pincode, "new_password": NEW_PASSWORD}
    assert await code_of(visitor, "reset", **again) == "PINCODE_WRONG"
    assert len(await world.stored("NEW_PASSWORD_SET")) == 2
    assert await world.stored("AUTH_METHOD_ADDED") == []


async def test_a_reset_for_an_unknown_address_gets_the_same_answer_and_a_mail(world, visitor):
    sent = await visitor.call("/auth", "forgot", email="no@example.org")
    assert sent.keys() == {"expires_in_s", "ticket"}
    assert sent["expires_in_s"] == 600
    mail = await world.mails.wait_for("no@example.org")
    assert "there is no account" in mail.get_body(("plain",)).get_content()
    payload = {"email": "no@example.org", "pincode": "123456", "new_password": NEW_PASSWORD}
    assert await code_of(visitor, "reset", **payload) in ("PINCODE_WRONG",)
    never = {"email": "never@example.org", "pincode": "123456", "new_password": NEW_PASSWORD}
    assert await code_of(visitor, "reset", **never) == "PINCODE_WRONG"


@one_database
async def test_five_wrong_attempts_lock_the_reset_pincode(world, ana, visitor):
    await visitor.call("/auth", "forgot", email=ana.email)
    pincode = await world.mails.pincode(ana.email, 2)
    wrong = "000000" if pincode != "000000" else "000001"
    payload = {"email": ana.email, "new_password": NEW_PASSWORD}
    for _ in range(5):
        assert await code_of(visitor, "reset", **payload, pincode=wrong) == "PINCODE_WRONG"
    assert await code_of(visitor, "reset", **payload, pincode=pincode) == "PINCODE_LOCKED"


@one_database
async def test_a_weak_new_password_does_not_use_up_the_pincode(world, ana, visitor):
    await visitor.call("/auth", "forgot", email=ana.email)
    pincode = await world.mails.pincode(ana.email, 2)
    payload = {"email": ana.email, "pincode": pincode}
    assert await code_of(visitor, "reset", **payload, new_password="password") == "PASSWORD_WEAK"
    assert await code_of(visitor, "reset", **payload, new_password=ana.email) == "PASSWORD_WEAK"
    await visitor.call("/auth", "reset", **payload, new_password=NEW_PASSWORD)


@one_database
async def test_a_reset_pincode_is_refused_as_a_fresh_proof(world, ana, visitor):
    await visitor.call("/auth", "forgot", email=ana.email)
    pincode = await world.mails.pincode(ana.email, 2)
    answer = await ana.client.enter("/profile")
    answer = await ana.client.ask("/profile", "prove", {"pincode": pincode})
    assert answer["error"]["code"] == "PINCODE_WRONG"
