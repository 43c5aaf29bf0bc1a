"""Listing a user's sessions, and ending them from another device."""

import asyncio

import pytest
from sqlalchemy import func, select

from handlers.platform.auth.service import sessions as service
from storage.platform.auth.sessions import sessions
from tests.wire_client import Refused
from tests.world import PASSWORD, World, session_id_of

LINUX = "Mozilla/5.0 (X11; Linux x86_64; rv:130.0) Gecko/20100101 Firefox/130.0"
NEWER = LINUX.replace("130", "131")
PHONE = (
    "Mozilla/5.0 (iPhone; CPU iPhone OS 17_5 like Mac OS X) AppleWebKit/605.1.15 "
    "(KHTML, like Gecko) Version/17.5 Mobile/15E148 Safari/604.1"
)


async def log_in(world: World, device: str):
    """Log in from a device, and return the session and its connection."""
    visitor = await world.connect(**{"User-Agent": device})
    await visitor.enter("/auth")
    session = await visitor.call("/auth", "login", email="ana@example.org", password=PASSWORD)
    client = await world.connect(session["access_token"])
    return session, await client.enter("/profile")


async def test_the_list_of_sessions_shows_each_device_and_address(world):
    ana = await world.sign_up("ana")
    world.clock.advance(60)
    session, phone = await log_in(world, PHONE)
    listed = (await phone.call("/profile", "sessions"))["sessions"]
    assert [one["current"] for one in listed] == [True, False]
    assert listed[0].keys() == {
        *("id", "device", "address", "place", "signed_in_at", "last_seen_at", "current")
    }
    assert listed[0]["id"] == session_id_of(session["access_token"])
    assert listed[0]["device"] == "Mobile Safari on iOS"
    assert (listed[0]["address"], listed[0]["place"]) == ("127.0.0.1", "")
    assert listed[1]["id"] == session_id_of(ana.token)


async def test_sessions_are_ended_from_another_device(world):
    ana = await world.sign_up("ana")
    _, phone = await log_in(world, PHONE)
    _, laptop = await log_in(world, LINUX)
    await ana.enter("/profile")
    mine = session_id_of(ana.token)
    await phone.call("/profile", "end_session", session_id=mine)
    await asyncio.wait_for(ana.client.closed.wait(), 5)
    await phone.call("/profile", "end_session", session_id=mine)  # repeating it changes nothing
    assert len((await phone.call("/profile", "sessions"))["sessions"]) == 2
    await laptop.call("/profile", "end_other_sessions")
    await asyncio.wait_for(phone.closed.wait(), 5)
    assert len((await laptop.call("/profile", "sessions"))["sessions"]) == 1
    ended = await world.stored("SESSION_ENDED")
    assert [one["reason"] for one in ended] == ["ended_elsewhere"] * 2


async def test_sessions_over_the_limit_end_least_recently_seen_first(world, monkeypatch):
    monkeypatch.setattr(service, "SESSIONS_MAX", 3)
    ana = await world.sign_up("ana")
    await ana.enter("/profile")
    signed_in = []
    for _ in range(4):
        world.clock.advance(1)
        signed_in.append(await world.another_session(ana))
    await asyncio.wait_for(ana.client.closed.wait(), 5)
    listed = (await signed_in[-1].call("/profile", "sessions"))["sessions"]
    kept = [session_id_of(one.token) for one in reversed(signed_in[1:])]
    assert [one["id"] for one in listed] == kept
    ended = await world.stored("SESSION_ENDED")
    assert [one["reason"] for one in ended] == ["too_many"] * 2


async def test_a_session_of_another_user_is_not_found(world):
    ana, ben = await world.sign_up("ana"), await world.sign_up("ben")
    with pytest.raises(Refused) as refused:
        await ben.call("/profile", "end_session", session_id=session_id_of(ana.token))
    assert refused.value.code == "NOT_FOUND"
    assert (await ana.call("/profile", "me"))["id"] == ana.id


async def test_the_last_seen_time_of_a_connected_device_is_updated(world):
    ana = await world.sign_up("ana")
    await ana.enter("/profile")
    away, phone = await log_in(world, PHONE)
    await phone.close()
    world.clock.advance(600)
    await world.app.last_seen.note()
    listed = (await ana.call("/profile", "sessions"))["sessions"]
    assert [one["id"] for one in listed] == [
        session_id_of(ana.token),
        session_id_of(away["access_token"]),
    ]
    assert listed[0]["last_seen_at"] > listed[0]["signed_in_at"]
    assert listed[1]["last_seen_at"] == listed[1]["signed_in_at"]


async def test_a_login_after_all_sessions_were_deleted_is_notified(world):
    ana = await world.sign_up("ana")
    rules = world.app.kernel.rules
    for kept in ("refresh_token_life_days", "sessions_kept_days"):
        world.clock.advance(rules.span(kept).total_seconds() + 1)
        await world.settle()
    await world.app.housekeeping.tidy()
    await log_in(world, PHONE)
    assert await world.read(lambda tx: tx.scalar(select(func.count()).select_from(sessions))) == 1
    await world.settle()
    mail = await world.mails.wait_for(ana.email, 2)
    assert "New sign-in" in mail["Subject"]


async def test_only_logins_from_new_devices_are_notified(world):
    ana = await world.sign_up("ana")
    await log_in(world, LINUX)
    await log_in(world, NEWER)  # a browser update is not a new device
    await log_in(world, PHONE)
    await log_in(world, PHONE)
    await world.settle()
    listed = (await ana.call("/notifications", "list"))["notifications"]
    bodies = [one["body"] for one in listed if one["kind"] == "new_device"]
    assert [body.partition(",")[0] for body in bodies] == [
        "Details: “Mobile Safari (iOS)”",
        "Details: “Firefox (Linux)”",
    ]
    mails = world.mails.to(ana.email)
    assert sum("New sign-in" in mail["Subject"] for mail in mails) == 2
