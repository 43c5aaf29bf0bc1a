"""Signing in, staying signed in, signing out: what each answers and what is recorded of it."""

import pytest
from sqlalchemy import select

from handlers.platform.auth import commands
from handlers.platform.auth.contracts import SessionDue
from storage.events.log import events
from storage.platform.auth.sessions import credentials, refresh_tokens
from tests.consulting.waiting_room.scenes import ask_before_commit
from tests.wire_client import Client, Refused
from tests.world import PASSWORD, World, address_of, one_database, session_id_of

DAY_S = 86_400
NEW = "another horse battery"


@pytest.fixture
async def ana(world):
    return await world.sign_up("ana")


@pytest.fixture
async def door(world: World) -> Client:
    """Somebody who is not signed in yet."""
    return await world.visitor("/auth")


async def log_in(door: Client, password: str = PASSWORD, email: str = address_of("ana")):
    return await door.call("/auth", "login", email=email, password=password)


async def code_of(door: Client, command: str, **payload):
    return (await door.ask("/auth", command, payload))["error"]["code"]


async def test_a_login_opens_a_session_and_is_recorded_without_its_secrets(world, ana, door):
    session = await log_in(door, email="Ana@Example.ORG")
    assert session["user"] == ana.session["user"]
    assert session_id_of(session["access_token"]) != session_id_of(ana.token)
    for email, password in [(ana.email, "wrong"), (address_of("nobody"), PASSWORD)]:
        assert await code_of(door, "login", email=email, password=password) == "CREDENTIALS_WRONG"
    [success] = await world.stored("AUTH_SUCCESS")
    assert success["user_id"] == ana.id
    assert success["session_id"] == session_id_of(session["access_token"])
    failures = await world.stored("AUTH_FAILURE")
    assert [failure["user_id"] for failure in failures] == [ana.id, None]

    def everything(tx):
        tables = [events, credentials, refresh_tokens]
        return [tx.all(lambda *row: row, select(table)) for table in tables]

    kept = repr(await world.read(everything))
    for secret in (PASSWORD, session["refresh_token"], session["access_token"]):
        assert secret not in kept
    assert address_of("nobody") not in kept


async def test_a_refresh_token_is_spent_for_the_next(world, ana, door):
    first = ana.session["refresh_token"]
    second = await door.call("/auth", "refresh", refresh_token=first)
    assert second.keys() == ana.session.keys()
    assert second["refresh_token"] != first
    assert session_id_of(second["access_token"]) == session_id_of(ana.token)
    repeated = await door.call("/auth", "refresh", refresh_token=first)
    assert repeated["refresh_token"] == second["refresh_token"], "a lost answer logs nobody out"
    third = await door.call("/auth", "refresh", refresh_token=second["refresh_token"])
    assert await code_of(door, "refresh", refresh_token=first) == "REFRESH_REUSED"
    for token in (third["refresh_token"], second["refresh_token"], first):
        assert await code_of(door, "refresh", refresh_token=token) == "SESSION_REVOKED"
    assert await code_of(door, "refresh", refresh_token="nobody's") == "TOKEN_INVALID"


async def test_a_session_over_its_days_is_over_though_no_timer_ran(world, ana, door, monkeypatch):
    async def asleep():
        return 0

    monkeypatch.setattr(world.app.timers, "fire", asleep)
    token = (await log_in(door))["refresh_token"]
    world.clock.advance(59 * DAY_S)
    token = (await door.call("/auth", "refresh", refresh_token=token))["refresh_token"]
    world.clock.advance(59 * DAY_S)
    token = (await door.call("/auth", "refresh", refresh_token=token))["refresh_token"]
    world.clock.advance(60 * DAY_S)
    assert await world.stored("SESSION_ENDED") == []
    assert await code_of(door, "refresh", refresh_token=token) == "SESSION_REVOKED"


async def test_logging_out_ends_the_session_and_its_connections(world, ana, door):
    other = await world.another_session(ana)
    await ana.enter("/profile")
    await other.enter("/profile")
    token = ana.session["refresh_token"]
    assert await door.call("/auth", "logout", refresh_token=token) == {}
    assert (await ana.event("session_ended")).data is not None
    await ana.client.until(ana.client.closed.is_set)
    assert (await other.call("/profile", "me"))["id"] == ana.id
    assert await code_of(door, "refresh", refresh_token=token) == "SESSION_REVOKED"
    assert await code_of(door, "logout", refresh_token="nobody's") == "TOKEN_INVALID"
    device = await world.connect()
    with pytest.raises(Refused, match="SESSION_REVOKED"):
        await device.enter("/profile", token=ana.token)


async def test_a_new_password_replaces_the_old_and_ends_the_other_sessions(world, ana, door):
    other = await log_in(door)
    phone = await (await world.connect(other["access_token"])).enter("/profile")
    change = {"current_password": PASSWORD, "new_password": NEW}
    for wrong, code in [
        ({"current_password": "wrong"}, "CREDENTIALS_WRONG"),
        ({"new_password": "short"}, "PASSWORD_WEAK"),
        ({"new_password": "password123"}, "PASSWORD_WEAK"),
        ({"new_password": ""}, "INVALID"),
    ]:
        with pytest.raises(Refused) as refused:
            await ana.call("/profile", "change_password", **change | wrong)
        assert refused.value.code == code
    assert len(await world.stored("NEW_PASSWORD_SET")) == 1, "that of signing up"
    assert await ana.call("/profile", "change_password", **change) == {}
    await phone.until(phone.closed.is_set)
    assert phone.events("session_ended")
    assert (await ana.call("/profile", "me"))["id"] == ana.id, "one's own session goes on"
    assert await code_of(door, "refresh", refresh_token=other["refresh_token"]) == "SESSION_REVOKED"
    assert await code_of(door, "login", email=ana.email, password=PASSWORD) == "CREDENTIALS_WRONG"
    assert (await log_in(door, NEW))["user"]["id"] == ana.id
    set_by = [one["user_id"] for one in await world.stored("NEW_PASSWORD_SET")]
    assert set_by == [ana.id] * 2


def act_before_it_counts(monkeypatch, act) -> None:
    """Let `act` happen when the next password has proved right, before anything is made of it."""
    verify = commands.verify_password

    async def verify_and_act(password_hash, password) -> bool:
        monkeypatch.setattr(commands, "verify_password", verify)
        right = await verify(password_hash, password)
        await act()
        return right

    monkeypatch.setattr(commands, "verify_password", verify_and_act)


async def test_who_signs_in_while_the_password_changes_does_not_stay(world, ana, door, monkeypatch):
    change = {"current_password": PASSWORD, "new_password": NEW}
    await ana.enter("/profile")
    act_before_it_counts(monkeypatch, lambda: ana.call("/profile", "change_password", **change))
    assert await code_of(door, "login", email=ana.email, password=PASSWORD) == "CREDENTIALS_WRONG"
    assert (await log_in(door, NEW))["user"]["id"] == ana.id


async def test_of_two_changes_at_the_same_moment_one_counts(world, ana, door, monkeypatch):
    phone = await (await ana.device()).enter("/profile")
    await ana.enter("/profile")
    change = {"current_password": PASSWORD, "new_password": NEW}
    act_before_it_counts(monkeypatch, lambda: ana.call("/profile", "change_password", **change))
    with pytest.raises(Refused, match="CREDENTIALS_WRONG"):
        await phone.call("/profile", "change_password", **change | {"new_password": NEW + "!"})
    assert (await log_in(door, NEW))["user"]["id"] == ana.id


async def test_a_wrong_old_password_costs_no_second_hash(ana, monkeypatch):
    hashed = []
    monkeypatch.setattr(commands, "hash_password", hashed.append)
    with pytest.raises(Refused, match="CREDENTIALS_WRONG"):
        await ana.call("/profile", "change_password", current_password="wrong", new_password=NEW)
    assert hashed == []


@one_database
@pytest.mark.settings(PARLEY_LIMITS="default", PARLEY_ATTEMPTS_PER_MINUTE="2")
async def test_old_passwords_are_guessed_no_faster_than_at_the_door(world):
    ana = await (await world.person("ana")).enter("/profile")
    guess = {"current_password": "wrong", "new_password": NEW}
    answers = [await ana.client.ask("/profile", "change_password", guess) for _ in range(3)]
    codes = [answer["error"]["code"] for answer in answers]
    assert codes == ["CREDENTIALS_WRONG"] * 2 + ["RATE_LIMITED"]


async def test_a_timer_that_fires_while_a_session_is_refreshed_does_not_end_it(world, ana, door):
    session_id = session_id_of(ana.token)
    world.clock.advance(59 * DAY_S)
    was_due = world.clock.now()
    token = ana.session["refresh_token"]
    token = (await door.call("/auth", "refresh", refresh_token=token))["refresh_token"]
    due = SessionDue(user_id=ana.id, session_id=session_id, expires_at=was_due)

    def fire(tx):
        tx.cancel_timer(f"session:{session_id}")
        tx.publish(due)

    await world.transact(fire)
    await world.settle()
    assert await world.stored("SESSION_ENDED") == []
    assert await door.call("/auth", "refresh", refresh_token=token)
    await world.transact(fire)
    await world.settle()
    world.clock.advance(60 * DAY_S)
    await world.settle()
    [ended] = await world.stored("SESSION_ENDED")
    assert (ended["session_id"], ended["reason"]) == (session_id, "expired")


@pytest.mark.parametrize("database_kind", ["postgresql"], indirect=True)
async def test_a_session_that_is_just_ending_is_not_refreshed(world, ana, door, database_url):
    answer = await ask_before_commit(
        database_url,
        "UPDATE sessions SET ended_at = expires_at WHERE id = $1",
        session_id_of(ana.token),
        door.ask("/auth", "refresh", {"refresh_token": ana.session["refresh_token"]}),
    )
    assert answer["error"]["code"] == "SESSION_REVOKED"


@pytest.mark.parametrize("database_kind", ["postgresql"], indirect=True)
async def test_a_password_that_is_just_changing_signs_nobody_in(world, ana, door, database_url):
    answer = await ask_before_commit(
        database_url,
        "UPDATE credentials SET password_hash = 'another' WHERE user_id = $1",
        ana.id,
        door.ask("/auth", "login", {"email": ana.email, "password": PASSWORD}),
    )
    assert answer["error"]["code"] == "CREDENTIALS_WRONG"
