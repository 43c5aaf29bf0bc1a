"""Guessing a password is slow for strangers, whoever they are, and the owner is not shut out."""

import asyncio
from collections import Counter

import pytest
from sqlalchemy import func, select

from handlers.platform.auth import commands
from handlers.platform.auth import passwords as hashing
from handlers.platform.auth.service import guesses
from storage.events.throttles import throttles
from tests.wire_client import Client
from tests.world import PASSWORD, World, address_of, both_databases, one_database, with_server

NEW = "another horse battery"
FREE = guesses.STRANGERS.free
DAY_S = 86_400
ANYWHERE = pytest.mark.settings(PARLEY_TRUSTED_PROXIES="127.0.0.1/32")
"""The test says by X-Forwarded-For which address a connection comes from."""


@pytest.fixture
async def ana(world: World):
    return await world.sign_up("ana")


async def door_at(world: World, address: str) -> Client:
    """A visitor who comes from this address."""
    client = await world.connect(**{"X-Forwarded-For": address})
    return await client.enter("/auth")


async def log_in(door: Client, password: str = PASSWORD, email: str = address_of("ana"), **more):
    """The answer's code, and how long to wait."""
    answer = await door.ask("/auth", "login", {"email": email, "password": password, **more})
    error = answer.get("error", {})
    return error.get("code", "OK"), error.get("retry_after_s", 0)


async def guess(door: Client, times: int, email: str = address_of("ana"), **more) -> Counter:
    tried = [await log_in(door, f"wrong {n}", email, **more) for n in range(times)]
    return Counter(code for code, _ in tried)


@ANYWHERE
async def test_strangers_wait_longer_and_longer_from_wherever_they_come(world, ana):
    world.clock.stop()
    for n in range(FREE):
        door = await door_at(world, f"198.51.100.{n}")
        assert await log_in(door, "wrong") == ("CREDENTIALS_WRONG", 0)
    waits = []
    for n in range(8):
        door = await door_at(world, f"203.0.113.{n}")
        code, wait_s = await log_in(door, "wrong")
        assert code == "RATE_LIMITED"
        assert await log_in(door) == (code, wait_s), "a right password is refused like a wrong one"
        waits.append(wait_s)
        world.clock.advance(wait_s)
        assert await log_in(door, "wrong") == ("CREDENTIALS_WRONG", 0)
    assert waits == [15, 30, 60, 120, 240, 480, 900, 900]


@ANYWHERE
async def test_a_known_device_signs_in_whatever_strangers_do(world, ana):
    known = ana.session["device_token"]
    assert (await guess(await door_at(world, "198.51.100.1"), FREE + 5))["RATE_LIMITED"] == 5
    door = await door_at(world, "198.51.100.2")
    assert (await log_in(door, device_token=known))[0] == "OK"
    assert (await log_in(door))[0] == "RATE_LIMITED", "nothing changed for strangers"
    assert (await log_in(door, device_token=f"{known[:-1]}x"))[0] == "RATE_LIMITED"
    ben = await world.sign_up("ben")
    assert (await log_in(door, device_token=ben.session["device_token"]))[0] == "RATE_LIMITED"


async def test_a_known_device_has_a_small_budget_of_its_own(world, ana):
    door, known = await world.visitor("/auth"), {"device_token": ana.session["device_token"]}
    own = guesses.DEVICE.most
    tried = await guess(door, own + FREE + 3, **known)
    assert tried == {"CREDENTIALS_WRONG": own + FREE, "RATE_LIMITED": 3}
    world.clock.advance(guesses.DEVICE.window.total_seconds() + 1)
    assert (await log_in(door, **known))[0] == "OK"


async def test_a_day_has_an_end_to_the_guesses(world, ana):
    door, tried = await world.visitor("/auth"), 0
    began = world.clock.now()
    while (world.clock.now() - began).total_seconds() < DAY_S - 10:
        code, wait_s = await log_in(door, "wrong")
        tried += code == "CREDENTIALS_WRONG"
        world.clock.advance(min(wait_s + 0.01, 900) if wait_s else 0.01)
    assert tried <= guesses.STRANGERS.most
    world.clock.advance(900)
    assert (await log_in(door))[0] == "OK", "the next day"


@both_databases
async def test_parallel_guesses_are_counted_one_by_one(world, ana):
    doors = [await world.visitor("/auth") for _ in range(FREE + 8)]
    codes = await asyncio.gather(*(log_in(door, "wrong") for door in doors))
    assert Counter(code for code, _ in codes) == {"CREDENTIALS_WRONG": FREE, "RATE_LIMITED": 8}


@with_server
async def test_tries_count_on_all_instances_and_through_restarts(world, ana):
    await guess(await world.visitor("/auth"), FREE)
    await world.restart()
    assert (await log_in(await world.visitor("/auth")))[0] == "RATE_LIMITED"


async def test_a_right_password_that_is_checked_during_a_flood_waits_too(world, ana, monkeypatch):
    """Or many tries sent at once would tell the right one among them."""
    door, flood = await world.visitor("/auth"), await world.visitor("/auth")
    verify = commands.verify_password

    async def verify_late(password_hash, password) -> bool:
        monkeypatch.setattr(commands, "verify_password", verify)
        right = await verify(password_hash, password)
        await guess(flood, FREE)
        return right

    monkeypatch.setattr(commands, "verify_password", verify_late)
    assert (await log_in(door))[0] == "RATE_LIMITED"


async def test_spellings_of_one_mailbox_count_together(world, ana):
    door = await world.visitor("/auth")
    for n in range(FREE):
        await guess(door, 1, f"Ana+{n}@example.org")
    assert (await log_in(door))[0] == "RATE_LIMITED"
    assert (await log_in(door, email="anna@example.org"))[0] == "CREDENTIALS_WRONG"


async def test_an_address_without_an_account_is_answered_and_kept_alike(world, ana):
    world.clock.stop()
    door = await world.visitor("/auth")

    async def count_kept() -> list[int]:
        # Mails to an owner are counted too, a moment later; nobody outside can tell.
        rows = select(func.count()).select_from(throttles).where(throttles.c.tries >= FREE)
        failures = [await world.stored(name) for name in ("AUTH_FAILURE", "SIGN_INS_FAILED")]
        return [await world.read(lambda tx: tx.scalar(rows)), *map(len, failures)]

    answers, kept = [], []
    for email in (ana.email, "nobody@example.org"):
        before = await count_kept()
        answers.append([await log_in(door, "wrong", email) for _ in range(FREE + 2)])
        kept.append([b - a for a, b in zip(before, await count_kept(), strict=True)])
    assert answers[0] == answers[1]
    assert kept[0] == kept[1] == [1, FREE, 1]


async def test_the_owner_is_told_once_a_day(world, ana):
    door = await world.visitor("/auth")
    await guess(door, FREE - 1)
    await world.settle()
    assert await told(world, ana) == []
    await guess(door, 5)
    world.clock.advance(3_600)
    await guess(door, 5)
    await world.settle()
    [notice] = await told(world, ana)
    assert notice["title"] == f"Someone tried to sign in to your account {FREE} times"
    mail = await world.mails.wait_for(ana.email, 2)
    assert mail["Subject"] == notice["title"]
    world.clock.advance(DAY_S)
    for _ in range(FREE + 1):
        await guess(door, 1)
    await world.settle()
    assert len(await told(world, ana)) == 2


async def told(world: World, person) -> list[dict]:
    listed = (await person.call("/notifications", "list"))["notifications"]
    return [one for one in listed if one["kind"] == "sign_ins_failed"]


@pytest.mark.parametrize("command", ["change_password", "prove"])
async def test_within_a_session_its_own_guesses_count(world, ana, command):
    thief = await world.another_session(ana)
    await thief.enter("/profile")
    await ana.enter("/profile")

    async def attempt(who, password: str) -> str:
        payload = {"password": password}
        if command == "change_password":
            payload = {"current_password": password, "new_password": NEW}
        answer = await who.client.ask("/profile", command, payload)
        return "OK" if answer["ok"] else answer["error"]["code"]

    tried = Counter([await attempt(thief, f"wrong {n}") for n in range(FREE + 3)])
    assert tried == {"CREDENTIALS_WRONG": FREE, "RATE_LIMITED": 3}
    assert await attempt(thief, PASSWORD) == "RATE_LIMITED"
    assert await attempt(ana, PASSWORD) == "OK", "who is signed in elsewhere goes on"
    await world.settle()
    [notice] = await told(world, ana)
    assert notice["title"] == f"Someone tried to guess your password {FREE} times"


@one_database
async def test_what_is_refused_costs_no_hash(world, ana, monkeypatch):
    door = await world.visitor("/auth")
    await guess(door, FREE)
    hashed = []
    monkeypatch.setattr(hashing, "_verify", lambda *args: hashed.append(args))
    assert (await guess(door, 20))["RATE_LIMITED"] == 20
    assert hashed == []
