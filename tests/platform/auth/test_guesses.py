"""Password guesses of strangers are rate limited, and the owner can still log in."""

import asyncio
from collections import Counter
from datetime import datetime

import pytest
from sqlalchemy import func, select

from handlers.platform.auth import commands
from handlers.platform.auth import passwords as hashing
from handlers.platform.auth.service import guesses
from storage.events.throttles import throttles
from tests.wire_client import Client, Refused
from tests.world import PASSWORD, World, address_of, both_databases, one_database, with_server

NEW_PASSWORD = "another horse battery"
FREE = guesses.STRANGERS.free
DAY_S = 86_400
WITH_TRUSTED_PROXY = pytest.mark.settings(PARLEY_TRUSTED_PROXIES="127.0.0.1/32")
"""Tests set the IP address of a connection with X-Forwarded-For."""


@pytest.fixture
async def ana(world: World):
    return await world.sign_up("ana")


async def visitor_at(world: World, address: str) -> Client:
    """A visitor from this IP address."""
    client = await world.connect(**{"X-Forwarded-For": address})
    return await client.enter("/auth")


async def log_in(visitor: Client, password: str = PASSWORD, email: str = address_of("ana"), **more):
    """Log in, and return the answer's code and the seconds to wait."""
    answer = await visitor.ask("/auth", "login", {"email": email, "password": password, **more})
    error = answer.get("error", {})
    return error.get("code", "OK"), error.get("retry_after_s", 0)


async def guess(visitor: Client, times: int, email: str = address_of("ana"), **more) -> Counter:
    tried = [await log_in(visitor, f"wrong {n}", email, **more) for n in range(times)]
    return Counter(code for code, _ in tried)


@WITH_TRUSTED_PROXY
async def test_wait_times_of_strangers_double_across_ip_addresses(world, ana):
    world.clock.stop()
    for n in range(FREE):
        visitor = await visitor_at(world, f"198.51.100.{n}")
        assert await log_in(visitor, "wrong") == ("CREDENTIALS_WRONG", 0)
    waits = []
    for n in range(8):
        visitor = await visitor_at(world, f"203.0.113.{n}")
        code, wait_s = await log_in(visitor, "wrong")
        assert code == "RATE_LIMITED"
        assert await log_in(visitor) == (code, wait_s), (
            "a right password is refused like a wrong one"
        )
        waits.append(wait_s)
        world.clock.advance(wait_s)
        assert await log_in(visitor, "wrong") == ("CREDENTIALS_WRONG", 0)
    assert waits == [15, 30, 60, 120, 240, 480, 900, 900]


@WITH_TRUSTED_PROXY
async def test_a_known_device_can_log_in_while_strangers_are_limited(world, ana):
    known = ana.session["device_token"]
    assert (await guess(await visitor_at(world, "198.51.100.1"), FREE + 5))["RATE_LIMITED"] == 5
    visitor = await visitor_at(world, "198.51.100.2")
    assert (await log_in(visitor, device_token=known))[0] == "OK"
    assert (await log_in(visitor))[0] == "RATE_LIMITED", "nothing changed for strangers"
    assert (await log_in(visitor, device_token=f"{known[:-1]}x"))[0] == "RATE_LIMITED"
    ben = await world.sign_up("ben")
    assert (await log_in(visitor, device_token=ben.session["device_token"]))[0] == "RATE_LIMITED"


async def test_a_known_device_has_a_small_rate_limit_of_its_own(world, ana):
    visitor, known = await world.visitor("/auth"), {"device_token": ana.session["device_token"]}
    own = guesses.DEVICE.most
    tried = await guess(visitor, own + FREE + 3, **known)
    assert tried == {"CREDENTIALS_WRONG": own + FREE, "RATE_LIMITED": 3}
    world.clock.advance(guesses.DEVICE.window.total_seconds() + 1)
    assert (await log_in(visitor, **known))[0] == "OK"


async def test_password_guesses_per_day_are_limited(world, ana):
    visitor, tried = await world.visitor("/auth"), 0
    began = world.clock.now()
    while (world.clock.now() - began).total_seconds() < DAY_S - 10:
        code, wait_s = await log_in(visitor, "wrong")
        tried += code == "CREDENTIALS_WRONG"
        world.clock.advance(min(wait_s + 0.01, 900) if wait_s else 0.01)
    assert tried <= guesses.STRANGERS.most
    world.clock.advance(900)
    assert (await log_in(visitor))[0] == "OK", "the next day"


@both_databases
async def test_concurrent_password_guesses_are_each_counted(world, ana):
    visitors = [await world.visitor("/auth") for _ in range(FREE + 8)]
    codes = await asyncio.gather(*(log_in(visitor, "wrong") for visitor in visitors))
    assert Counter(code for code, _ in codes) == {"CREDENTIALS_WRONG": FREE, "RATE_LIMITED": 8}


@with_server
async def test_password_guesses_are_still_counted_after_a_restart(world, ana):
    await guess(await world.visitor("/auth"), FREE)
    await world.restart()
    assert (await log_in(await world.visitor("/auth")))[0] == "RATE_LIMITED"


async def test_a_correct_password_verified_during_a_flood_is_rate_limited(world, ana, monkeypatch):
    """Otherwise one of many concurrent guesses would reveal the correct password."""
    visitor, flood = await world.visitor("/auth"), await world.visitor("/auth")
    verify = commands.verify_password

    async def verify_late(password_hash, password) -> bool:
        monkeypatch.setattr(commands, "verify_password", verify)
        right = await verify(password_hash, password)
        await guess(flood, FREE)
        return right

    monkeypatch.setattr(commands, "verify_password", verify_late)
    assert (await log_in(visitor))[0] == "RATE_LIMITED"


async def test_spellings_of_one_mailbox_share_a_limit(world, ana):
    visitor = await world.visitor("/auth")
    for n in range(FREE):
        await guess(visitor, 1, f"Ana+{n}@example.org")
    assert (await log_in(visitor))[0] == "RATE_LIMITED"
    assert (await log_in(visitor, email="anna@example.org"))[0] == "CREDENTIALS_WRONG"


async def test_unknown_addresses_get_the_same_answers_and_stored_rows(world, ana):
    world.clock.stop()
    visitor = await world.visitor("/auth")

    async def count_stored() -> list[int]:
        # Mails to the owner are counted too, slightly later; this cannot be seen from outside.
        rows = select(func.count()).select_from(throttles).where(throttles.c.tries >= FREE)
        failures = [await world.stored(name) for name in ("AUTH_FAILURE", "SIGN_INS_FAILED")]
        return [await world.read(lambda tx: tx.scalar(rows)), *map(len, failures)]

    answers, stored = [], []
    for email in (ana.email, "nobody@example.org"):
        before = await count_stored()
        answers.append([await log_in(visitor, "wrong", email) for _ in range(FREE + 2)])
        stored.append([b - a for a, b in zip(before, await count_stored(), strict=True)])
    assert answers[0] == answers[1]
    assert stored[0] == stored[1] == [1, FREE, 1]


async def test_the_owner_is_notified_of_failed_logins_once_a_day(world, ana):
    visitor = await world.visitor("/auth")
    await guess(visitor, FREE - 1)
    await world.settle()
    assert await list_notices(world, ana) == []
    await guess(visitor, 5)
    world.clock.advance(3_600)
    await guess(visitor, 5)
    await world.settle()
    [notice] = await list_notices(world, ana)
    assert notice["title"] == f"Someone tried to sign in to your account {FREE} times"
    mail = await world.mails.wait_for(ana.email, 2)
    assert mail["Subject"] == notice["title"]
    world.clock.advance(DAY_S)
    for _ in range(FREE + 1):
        await guess(visitor, 1)
    await world.settle()
    assert len(await list_notices(world, ana)) == 2


async def list_notices(world: World, person) -> list[dict]:
    listed = (await person.call("/notifications", "list"))["notifications"]
    return [one for one in listed if one["kind"] == "sign_ins_failed"]


@pytest.mark.parametrize("command", ["change_password", "prove"])
async def test_wrong_passwords_in_a_session_limit_only_that_session(world, ana, command):
    thief = await world.another_session(ana)
    await thief.enter("/profile")
    await ana.enter("/profile")

    async def attempt(person, password: str) -> str:
        payload = {"password": password}
        if command == "change_password":
            payload = {"current_password": password, "new_password": NEW_PASSWORD}
        answer = await person.client.ask("/profile", command, payload)
        return "OK" if answer["ok"] else answer["error"]["code"]

    tried = Counter([await attempt(thief, f"wrong {n}") for n in range(FREE + 3)])
    assert tried == {"CREDENTIALS_WRONG": FREE, "RATE_LIMITED": 3}
    assert await attempt(thief, PASSWORD) == "RATE_LIMITED"
    assert await attempt(ana, PASSWORD) == "OK", "who is signed in elsewhere goes on"
    await world.settle()
    [notice] = await list_notices(world, ana)
    assert notice["title"] == f"Someone tried to guess your password {FREE} times"


@one_database
async def test_a_rate_limited_login_does_not_hash_the_password(world, ana, monkeypatch):
    visitor = await world.visitor("/auth")
    await guess(visitor, FREE)
    hashed = []
    monkeypatch.setattr(hashing, "_verify", lambda *args: hashed.append(args))
    assert (await guess(visitor, 20))["RATE_LIMITED"] == 20
    assert hashed == []


async def test_the_owner_sees_and_forgives_the_guesses_that_slow_down_new_devices(world):
    ana, visitor = await world.sign_up("ana"), await world.visitor("/auth")
    await ana.enter("/profile")
    assert (await ana.call("/profile", "sessions"))["guesses"] is None
    for _ in range(3):
        for _ in range(FREE):
            await log_in(visitor, "wrong")
        code, wait_s = await log_in(visitor)
        assert code == "RATE_LIMITED"
        shown = (await ana.call("/profile", "sessions"))["guesses"]
        assert shown["tries"] == FREE
        free_at = datetime.fromisoformat(shown["free_at"])
        assert (free_at - world.clock.now()).total_seconds() == pytest.approx(wait_s, abs=1)
        await ana.call("/profile", "forgive_guesses")
        assert (await ana.call("/profile", "sessions"))["guesses"] is None
        assert (await log_in(visitor))[0] == "OK"
    with pytest.raises(Refused, match="RATE_LIMITED"):
        await ana.call("/profile", "forgive_guesses")
