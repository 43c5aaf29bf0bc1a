"""Devices that an account knows: who is told of a sign-in, and which events end the trust."""

import pytest

from handlers.platform.auth.service import devices
from storage.platform.auth.known_devices import known_devices
from tests.wire_client import Client
from tests.world import PASSWORD, Person, World, one_database, session_id_of, text_of, with_server

pytestmark = pytest.mark.settings(PARLEY_TRUSTED_PROXIES="127.0.0.1/32")
NEW = "another horse battery"
LINUX = "Mozilla/5.0 (X11; Linux x86_64; rv:130.0) Gecko/20100101 Firefox/130.0"
HOME, AWAY = "198.51.100.7", "203.0.113.9"


@pytest.fixture
async def ana(world: World) -> Person:
    return await (await world.sign_up("ana")).enter("/profile", "/notifications")


async def door_at(world: World, address: str, device: str = LINUX) -> Client:
    headers = {"X-Forwarded-For": address, "User-Agent": device}
    return await (await world.connect(**headers)).enter("/auth")


async def log_in(world: World, address: str, password: str = PASSWORD, **more) -> dict:
    door = await door_at(world, address)
    payload = {"email": "ana@example.org", "password": password, **more}
    session: dict = await door.call("/auth", "login", **payload)
    return session


async def is_known(world: World, session: dict) -> bool:
    """Whether the session's token still proves its device."""
    user_id, token = session["user"]["id"], session["device_token"]
    return await world.read(devices.find_known, user_id, token) is not None


async def mails_called(world: World, subject: str) -> list[str]:
    await world.settle()
    mails = world.mails.to("ana@example.org")
    return [text_of(mail) for mail in mails if mail["Subject"] == subject]


@with_server
async def test_the_same_browser_from_another_address_is_told_unless_its_token_says_so(world, ana):
    first = await log_in(world, HOME)
    assert len(await mails_called(world, "New sign-in to your account")) == 1
    await log_in(world, HOME)
    assert len(await mails_called(world, "New sign-in to your account")) == 1, "seen there before"
    await log_in(world, AWAY)
    told = await mails_called(world, "New sign-in to your account")
    assert len(told) == 2
    assert f"“Firefox on Linux”, {AWAY}" in told[1]
    assert "reset your password and sign out your other sessions" in told[1]
    again = await log_in(world, "192.0.2.1", device_token=first["device_token"])
    assert again["device_token"] == first["device_token"]
    assert len(await mails_called(world, "New sign-in to your account")) == 2


async def test_a_device_that_was_seen_long_ago_without_a_token_is_news(world, ana):
    token = (await log_in(world, HOME))["refresh_token"]
    door = await door_at(world, HOME)
    await door.call("/auth", "logout", refresh_token=token)
    world.clock.advance(world.app.kernel.rules.span("sessions_kept_days").total_seconds() + 1)
    await log_in(world, HOME)
    assert len(await mails_called(world, "New sign-in to your account")) == 2


async def test_signing_out_and_refreshing_leave_a_device_known(world, ana):
    session = await log_in(world, HOME)
    door = await door_at(world, AWAY)
    fresh = await door.call("/auth", "refresh", refresh_token=session["refresh_token"])
    assert fresh["device_token"] == session["device_token"]
    await door.call("/auth", "logout", refresh_token=fresh["refresh_token"])
    assert await is_known(world, session)


@pytest.mark.parametrize("event", ["ended", "others", "changed", "reset", "reused"])
async def test_a_device_is_known_no_more_when_its_owner_cannot_trust_it(world, ana, event):
    session, mine = await log_in(world, HOME), ana.session
    door = await door_at(world, HOME)
    if event == "ended":
        session_id = session_id_of(session["access_token"])
        await ana.call("/profile", "end_session", session_id=session_id)
    elif event == "others":
        await ana.call("/profile", "end_other_sessions")
    elif event == "changed":
        passwords = {"current_password": PASSWORD, "new_password": NEW}
        await ana.call("/profile", "change_password", **passwords)
    elif event == "reset":
        known = {"email": ana.email, "device_token": mine["device_token"]}
        ticket = (await door.call("/auth", "forgot", **known))["ticket"]
        more = {"ticket": ticket, "pincode": await world.mails.pincode(ana.email, 2)}
        mine = await door.call("/auth", "reset", **known, **more, new_password=NEW)
    else:
        token = {"refresh_token": session["refresh_token"]}
        await door.call("/auth", "refresh", **token)
        world.clock.advance(31)
        await door.ask("/auth", "refresh", token)
    assert not await is_known(world, session)
    assert await is_known(world, mine), "who did it stays known"
    assert mine["device_token"] == ana.session["device_token"]


async def test_a_session_from_before_devices_were_known_becomes_known_by_its_refresh(world, ana):
    def forget(tx):
        tx.run(known_devices.delete())

    await world.transact(forget)
    door = await door_at(world, HOME)
    token = ana.session["refresh_token"]
    fresh = await door.call("/auth", "refresh", refresh_token=token)
    assert not await is_known(world, ana.session)
    assert await is_known(world, fresh)


@one_database
async def test_an_account_knows_so_many_devices(world, ana, monkeypatch):
    monkeypatch.setattr(devices, "DEVICES_MAX", 3)
    sessions = [ana.session]
    for _ in range(3):
        world.clock.advance(1)
        sessions.append(await log_in(world, HOME))
    assert [await is_known(world, one) for one in sessions] == [False, True, True, True]


@one_database
async def test_a_token_proves_nothing_for_another_account_or_when_it_was_altered(world, ana):
    ben = await world.sign_up("ben")
    token = ana.session["device_token"]
    device_id, _, seal = token.partition(".")
    wrong = [f"{device_id}.", device_id, f"{device_id}.{'0' * 64}", f"x.{seal}", token + "x", "…"]
    for altered in wrong:
        assert not await is_known(world, {**ana.session, "device_token": altered})
    assert not await is_known(world, {**ben.session, "device_token": token})
    assert await is_known(world, ana.session)


@with_server
async def test_a_new_password_sends_a_mail_with_where_and_what_to_do(world, ana):
    passwords = {"current_password": PASSWORD, "new_password": NEW}
    await ana.call("/profile", "change_password", **passwords)
    door = await door_at(world, AWAY)
    ticket = (await door.call("/auth", "forgot", email=ana.email))["ticket"]
    pincode = await world.mails.pincode(ana.email, 2)
    proof = {"email": ana.email, "ticket": ticket, "pincode": pincode}
    await door.call("/auth", "reset", **proof, new_password=PASSWORD)
    told = await mails_called(world, "Your password was set")
    assert len(told) == 2
    assert f"“Firefox on Linux”, {AWAY}, " in told[1]
    assert "(UTC)" in told[1]
    assert "If this wasn't you, reset your password" in told[1]
    assert "/#/forgot" in told[1]
