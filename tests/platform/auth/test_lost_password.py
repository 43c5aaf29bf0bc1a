"""A lost password: a pincode by mail sets another, and tells nobody who has an account."""

import asyncio

import pytest

from tests.wire_client import Client, Refused
from tests.world import PASSWORD, World, one_database

NEW = "another horse battery"


@pytest.fixture
async def ana(world: World):
    return await world.sign_up("ana")


@pytest.fixture
async def door(world: World) -> Client:
    return await world.visitor("/auth")


async def code_of(door: Client, command: str, **payload) -> str:
    with pytest.raises(Refused) as refused:
        await door.call("/auth", command, **payload)
    return refused.value.code


async def test_whoever_reads_the_mail_sets_a_new_password_and_ends_what_was_before(
    world, ana, door
):
    await ana.enter("/profile")
    sent = await door.call("/auth", "forgot", email="ANA@example.org")
    assert sent.keys() == {"expires_in_s", "ticket"}
    pincode = await world.mails.pincode(ana.email, 2)
    session = await door.call(
        "/auth", "reset", email="Ana@example.org", pincode=pincode, new_password=NEW
    )
    assert session["user"]["id"] == ana.id
    await asyncio.wait_for(ana.client.closed.wait(), 5)
    assert await code_of(door, "login", email=ana.email, password=PASSWORD) == "CREDENTIALS_WRONG"
    await door.call("/auth", "login", email=ana.email, password=NEW)
    again = {"email": ana.email, "pincode": pincode, "new_password": NEW}
    assert await code_of(door, "reset", **again) == "PINCODE_WRONG"
    assert len(await world.stored("NEW_PASSWORD_SET")) == 2
    assert await world.stored("AUTH_METHOD_ADDED") == []


async def test_an_unknown_address_hears_the_same_and_a_mail_tells_it_more(world, door):
    sent = await door.call("/auth", "forgot", email="no@example.org")
    assert sent.keys() == {"expires_in_s", "ticket"}
    assert sent["expires_in_s"] == 600
    mail = await world.mails.wait_for("no@example.org")
    assert "there is no account" in mail.get_body(("plain",)).get_content()
    payload = {"email": "no@example.org", "pincode": "123456", "new_password": NEW}
    assert await code_of(door, "reset", **payload) in ("PINCODE_WRONG",)
    never = {"email": "never@example.org", "pincode": "123456", "new_password": NEW}
    assert await code_of(door, "reset", **never) == "PINCODE_WRONG"


@one_database
async def test_five_wrong_tries_kill_the_pincode(world, ana, door):
    await door.call("/auth", "forgot", email=ana.email)
    pincode = await world.mails.pincode(ana.email, 2)
    wrong = "000000" if pincode != "000000" else "000001"
    payload = {"email": ana.email, "new_password": NEW}
    for _ in range(5):
        assert await code_of(door, "reset", **payload, pincode=wrong) == "PINCODE_WRONG"
    assert await code_of(door, "reset", **payload, pincode=pincode) == "PINCODE_LOCKED"


@one_database
async def test_a_weak_password_costs_no_pincode(world, ana, door):
    await door.call("/auth", "forgot", email=ana.email)
    pincode = await world.mails.pincode(ana.email, 2)
    payload = {"email": ana.email, "pincode": pincode}
    assert await code_of(door, "reset", **payload, new_password="password") == "PASSWORD_WEAK"
    assert await code_of(door, "reset", **payload, new_password=ana.email) == "PASSWORD_WEAK"
    await door.call("/auth", "reset", **payload, new_password=NEW)


@one_database
async def test_a_pincode_for_one_thing_opens_no_other(world, ana, door):
    await door.call("/auth", "forgot", email=ana.email)
    pincode = await world.mails.pincode(ana.email, 2)
    answer = await ana.client.enter("/profile")
    answer = await ana.client.ask("/profile", "prove", {"pincode": pincode})
    assert answer["error"]["code"] == "PINCODE_WRONG"
