"""Known devices: notifications of logins from other devices, and what makes a device unknown."""

import pytest

from handlers.platform.auth.service import devices
from storage.platform.auth.known_devices import known_devices
from tests.wire_client import Client
from tests.world import PASSWORD, Person, World, one_database, session_id_of, text_of, with_server

pytestmark = pytest.mark.settings(PARLEY_TRUSTED_PROXIES="127.0.0.1/32")
NEW_PASSWORD = "another horse battery"
LINUX = "Mozilla/5.0 (X11; Linux x86_64; rv:130.0) Gecko/20100101 Firefox/130.0"
HOME, AWAY = "198.51.100.7", "203.0.113.9"


@pytest.fixture
async def ana(world: World) -> Person:
    return await (await world.sign_up("ana")).enter("/profile", "/notifications")


async def visitor_at(world: World, address: str, device: str = LINUX) -> Client:
    headers = {"X-Forwarded-For": address, "User-Agent": device}
    return await (await world.connect(**headers)).enter("/auth")


async def log_in(world: World, address: str, password: str = PASSWORD, **more) -> dict:
    visitor = await visitor_at(world, address)
    payload = {"email": "ana@example.org", "password": password, **more}
    session: dict = await visitor.call("/auth", "login", **payload)
    return session


async def is_known(world: World, session: dict) -> bool:
    """Whether the session's device token is still accepted."""
    user_id, token = session["user"]["id"], session["device_token"]
    return await world.read(devices.find_known, user_id, token) is not None


async def mails_with_subject(world: World, subject: str) -> list[str]:
    await world.settle()
    mails = world.mails.to("ana@example.org")
    return [text_of(mail) for mail in mails if mail["Subject"] == subject]


@with_server
async def test_a_login_from_a_new_address_is_notified_unless_the_device_is_known(world, ana):
    first = await log_in(world, HOME)
    assert len(await mails_with_subject(world, "New sign-in to your account")) == 1
    await log_in(world, HOME)
    assert len(await mails_with_subject(world, "New sign-in to your account")) == 1, (
        "seen there before"
    )
    await log_in(world, AWAY)
    mails = await mails_with_subject(world, "New sign-in to your account")
    assert len(mails) == 2
    assert f"“Firefox (Linux)”, {AWAY}" in mails[1]
    assert "reset your password and sign out your other sessions" in mails[1]
    again = await log_in(world, "192.0.2.1", device_token=first["device_token"])
    assert again["device_token"] == first["device_token"]
    assert len(await mails_with_subject(world, "New sign-in to your account")) == 2


async def test_a_login_is_notified_again_after_the_old_session_is_forgotten(world, ana):
    token = (await log_in(world, HOME))["refresh_token"]
    visitor = await visitor_at(world, HOME)
    await visitor.call("/auth", "logout", refresh_token=token)
    world.clock.advance(world.app.kernel.rules.span("sessions_kept_days").total_seconds() + 1)
    await log_in(world, HOME)
    assert len(await mails_with_subject(world, "New sign-in to your account")) == 2


async def test_a_device_stays_known_after_a_refresh_and_a_logout(world, ana):
    session = await log_in(world, HOME)
    visitor = await visitor_at(world, AWAY)
    fresh = await visitor.call("/auth", "refresh", refresh_token=session["refresh_token"])
    assert fresh["device_token"] == session["device_token"]
    await visitor.call("/auth", "logout", refresh_token=fresh["refresh_token"])
    assert await is_known(world, session)


@pytest.mark.parametrize("event", ["ended", "others", "changed", "reset", "reused"])
async def test_security_events_make_a_device_unknown(world, ana, event):
    session, mine = await log_in(world, HOME), ana.session
    visitor = await visitor_at(world, HOME)
    if event == "ended":
        session_id = session_id_of(session["access_token"])
        await ana.call("/profile", "end_session", session_id=session_id)
    elif event == "others":
        await ana.call("/profile", "end_other_sessions")
    elif event == "changed":
        passwords = {"current_password": PASSWORD, "new_password": NEW_PASSWORD}
        await ana.call("/profile", "change_password", **passwords)
    elif event == "reset":
        known = {"email": ana.email, "device_token": mine["device_token"]}
        ticket = (await visitor.call("/auth", "forgot", **known))["ticket"]
        more = {"ticket": ticket, "pincode": await world.mails.pincode(ana.email, 2)}
        mine = await visitor.call("/auth", "reset", **known, **more, new_password=NEW_PASSWORD)
    else:
        token = {"refresh_token": session["refresh_token"]}
        await visitor.call("/auth", "refresh", **token)
        world.clock.advance(31)
        await visitor.ask("/auth", "refresh", token)
    assert not await is_known(world, session)
    assert await is_known(world, mine), "who did it stays known"
    assert mine["device_token"] == ana.session["device_token"]


async def test_refreshing_a_session_without_a_known_device_makes_it_known(world, ana):
    def forget(tx):
        tx.run(known_devices.delete())

    await world.transact(forget)
    visitor = await visitor_at(world, HOME)
    token = ana.session["refresh_token"]
    fresh = await visitor.call("/auth", "refresh", refresh_token=token)
    assert not await is_known(world, ana.session)
    assert await is_known(world, fresh)


@one_database
async def test_the_number_of_known_devices_per_account_is_limited(world, ana, monkeypatch):
    monkeypatch.setattr(devices, "DEVICES_MAX", 3)
    sessions = [ana.session]
    for _ in range(3):
        world.clock.advance(1)
        sessions.append(await log_in(world, HOME))
    assert [await is_known(world, one) for one in sessions] == [False, True, True, True]


@one_database
async def test_an_altered_or_foreign_device_token_is_rejected(world, ana):
    ben = await world.sign_up("ben")
    token = ana.session["device_token"]
    device_id, _, seal = token.partition(".")
    wrong = [f"{device_id}.", device_id, f"{device_id}.{'0' * 64}", f"x.{seal}", token + "x", "…"]
    for altered in wrong:
        assert not await is_known(world, {**ana.session, "device_token": altered})
    assert not await is_known(world, {**ben.session, "device_token": token})
    assert await is_known(world, ana.session)


@with_server
async def test_a_new_password_sends_a_mail_with_its_origin_and_instructions(world, ana):
    passwords = {"current_password": PASSWORD, "new_password": NEW_PASSWORD}
    await ana.call("/profile", "change_password", **passwords)
    visitor = await visitor_at(world, AWAY)
    ticket = (await visitor.call("/auth", "forgot", email=ana.email))["ticket"]
    pincode = await world.mails.pincode(ana.email, 2)
    proof = {"email": ana.email, "ticket": ticket, "pincode": pincode}
    await visitor.call("/auth", "reset", **proof, new_password=PASSWORD)
    mails = await mails_with_subject(world, "Your password was set")
    assert len(mails) == 2
    assert f"“Firefox (Linux)”, {AWAY}, " in mails[1]
    assert "(UTC)" in mails[1]
    assert "If this wasn't you, reset your password" in mails[1]
    assert "/#/forgot" in mails[1]
