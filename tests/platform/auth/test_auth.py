"""Logging in, refreshing, logging out and changing the password: answers, events and sessions."""

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
NEW_PASSWORD = "another horse battery"


@pytest.fixture
async def ana(world):
    return await world.sign_up("ana")


@pytest.fixture
async def visitor(world: World) -> Client:
    """A client that is not signed in."""
    return await world.visitor("/auth")


async def log_in(visitor: Client, password: str = PASSWORD, email: str = address_of("ana")):
    return await visitor.call("/auth", "login", email=email, password=password)


async def code_of(visitor: Client, command: str, **payload):
    return (await visitor.ask("/auth", command, payload))["error"]["code"]


async def test_a_login_opens_a_session_and_stores_no_secrets(world, ana, visitor):
    session = await log_in(visitor, email="Ana@Example.ORG")
    assert session["user"] == ana.session["user"]
    assert session_id_of(session["access_token"]) != session_id_of(ana.token)
    for email, password in [(ana.email, "wrong"), (address_of("nobody"), PASSWORD)]:
        assert (
            await code_of(visitor, "login", email=email, password=password) == "CREDENTIALS_WRONG"
        )
    [success] = await world.stored("AUTH_SUCCESS")
    assert success["user_id"] == ana.id
    assert success["session_id"] == session_id_of(session["access_token"])
    failures = await world.stored("AUTH_FAILURE")
    assert [failure["user_id"] for failure in failures] == [ana.id, None]

    def read_stored_rows(tx):
        tables = [events, credentials, refresh_tokens]
        return [tx.all(lambda *row: row, select(table)) for table in tables]

    kept = repr(await world.read(read_stored_rows))
    for secret in (PASSWORD, session["refresh_token"], session["access_token"]):
        assert secret not in kept
    assert address_of("nobody") not in kept


async def test_a_refresh_token_is_exchanged_once_and_reuse_revokes_the_session(world, ana, visitor):
    first = ana.session["refresh_token"]
    second = await visitor.call("/auth", "refresh", refresh_token=first)
    assert second.keys() == ana.session.keys()
    assert second["refresh_token"] != first
    assert session_id_of(second["access_token"]) == session_id_of(ana.token)
    repeated = await visitor.call("/auth", "refresh", refresh_token=first)
    assert repeated["refresh_token"] == second["refresh_token"], "a lost answer logs nobody out"
    third = await visitor.call("/auth", "refresh", refresh_token=second["refresh_token"])
    assert await code_of(visitor, "refresh", refresh_token=first) == "REFRESH_REUSED"
    for token in (third["refresh_token"], second["refresh_token"], first):
        assert await code_of(visitor, "refresh", refresh_token=token) == "SESSION_REVOKED"
    assert await code_of(visitor, "refresh", refresh_token="nobody's") == "TOKEN_INVALID"


async def test_an_expired_session_is_refused_even_if_its_timer_did_not_fire(
    world, ana, visitor, monkeypatch
):
    async def fire_nothing():
        return 0

    monkeypatch.setattr(world.app.timers, "fire", fire_nothing)
    token = (await log_in(visitor))["refresh_token"]
    world.clock.advance(59 * DAY_S)
    token = (await visitor.call("/auth", "refresh", refresh_token=token))["refresh_token"]
    world.clock.advance(59 * DAY_S)
    token = (await visitor.call("/auth", "refresh", refresh_token=token))["refresh_token"]
    world.clock.advance(60 * DAY_S)
    assert await world.stored("SESSION_ENDED") == []
    assert await code_of(visitor, "refresh", refresh_token=token) == "SESSION_REVOKED"


async def test_logging_out_ends_the_session_and_its_connections(world, ana, visitor):
    other = await world.another_session(ana)
    await ana.enter("/profile")
    await other.enter("/profile")
    token = ana.session["refresh_token"]
    assert await visitor.call("/auth", "logout", refresh_token=token) == {}
    assert (await ana.event("session_ended")).data is not None
    await ana.client.until(ana.client.closed.is_set)
    assert (await other.call("/profile", "me"))["id"] == ana.id
    assert await code_of(visitor, "refresh", refresh_token=token) == "SESSION_REVOKED"
    assert await code_of(visitor, "logout", refresh_token="nobody's") == "TOKEN_INVALID"
    device = await world.connect()
    with pytest.raises(Refused, match="SESSION_REVOKED"):
        await device.enter("/profile", token=ana.token)


async def test_changing_the_password_ends_the_other_sessions(world, ana, visitor):
    other = await log_in(visitor)
    phone = await (await world.connect(other["access_token"])).enter("/profile")
    change = {"current_password": PASSWORD, "new_password": NEW_PASSWORD}
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
    assert (
        await code_of(visitor, "refresh", refresh_token=other["refresh_token"]) == "SESSION_REVOKED"
    )
    assert (
        await code_of(visitor, "login", email=ana.email, password=PASSWORD) == "CREDENTIALS_WRONG"
    )
    assert (await log_in(visitor, NEW_PASSWORD))["user"]["id"] == ana.id
    set_by = [one["user_id"] for one in await world.stored("NEW_PASSWORD_SET")]
    assert set_by == [ana.id] * 2


def act_after_verification(monkeypatch, act) -> None:
    """Run `act` after the next password is verified, before the command uses the result."""
    verify = commands.verify_password

    async def verify_and_act(password_hash, password) -> bool:
        monkeypatch.setattr(commands, "verify_password", verify)
        right = await verify(password_hash, password)
        await act()
        return right

    monkeypatch.setattr(commands, "verify_password", verify_and_act)


async def test_a_login_with_the_old_password_during_a_change_is_refused(
    world, ana, visitor, monkeypatch
):
    change = {"current_password": PASSWORD, "new_password": NEW_PASSWORD}
    await ana.enter("/profile")
    act_after_verification(monkeypatch, lambda: ana.call("/profile", "change_password", **change))
    assert (
        await code_of(visitor, "login", email=ana.email, password=PASSWORD) == "CREDENTIALS_WRONG"
    )
    assert (await log_in(visitor, NEW_PASSWORD))["user"]["id"] == ana.id


async def test_one_of_two_concurrent_password_changes_succeeds(world, ana, visitor, monkeypatch):
    phone = await (await ana.device()).enter("/profile")
    await ana.enter("/profile")
    change = {"current_password": PASSWORD, "new_password": NEW_PASSWORD}
    act_after_verification(monkeypatch, lambda: ana.call("/profile", "change_password", **change))
    with pytest.raises(Refused, match="CREDENTIALS_WRONG"):
        await phone.call(
            "/profile", "change_password", **change | {"new_password": NEW_PASSWORD + "!"}
        )
    assert (await log_in(visitor, NEW_PASSWORD))["user"]["id"] == ana.id


async def test_a_wrong_current_password_does_not_hash_the_new_one(ana, monkeypatch):
    hashed = []
    monkeypatch.setattr(commands, "hash_password", hashed.append)
    with pytest.raises(Refused, match="CREDENTIALS_WRONG"):
        await ana.call(
            "/profile", "change_password", current_password="wrong", new_password=NEW_PASSWORD
        )
    assert hashed == []


@one_database
@pytest.mark.settings(PARLEY_LIMITS="default", PARLEY_ATTEMPTS_PER_MINUTE="2")
async def test_wrong_current_passwords_count_against_the_attempt_limit(world):
    ana = await (await world.person("ana")).enter("/profile")
    guess = {"current_password": "wrong", "new_password": NEW_PASSWORD}
    answers = [await ana.client.ask("/profile", "change_password", guess) for _ in range(3)]
    codes = [answer["error"]["code"] for answer in answers]
    assert codes == ["CREDENTIALS_WRONG"] * 2 + ["RATE_LIMITED"]


async def test_an_outdated_expiry_timer_does_not_end_a_refreshed_session(world, ana, visitor):
    session_id = session_id_of(ana.token)
    world.clock.advance(59 * DAY_S)
    was_due = world.clock.now()
    token = ana.session["refresh_token"]
    token = (await visitor.call("/auth", "refresh", refresh_token=token))["refresh_token"]
    due = SessionDue(user_id=ana.id, session_id=session_id, expires_at=was_due)

    def fire(tx):
        tx.cancel_timer(f"session:{session_id}")
        tx.publish(due)

    await world.transact(fire)
    await world.settle()
    assert await world.stored("SESSION_ENDED") == []
    assert await visitor.call("/auth", "refresh", refresh_token=token)
    await world.transact(fire)
    await world.settle()
    world.clock.advance(60 * DAY_S)
    await world.settle()
    [ended] = await world.stored("SESSION_ENDED")
    assert (ended["session_id"], ended["reason"]) == (session_id, "expired")


@pytest.mark.parametrize("database_kind", ["postgresql"], indirect=True)
async def test_a_session_that_ends_concurrently_is_not_refreshed(world, ana, visitor, database_url):
    answer = await ask_before_commit(
        database_url,
        "UPDATE sessions SET ended_at = expires_at WHERE id = $1",
        session_id_of(ana.token),
        visitor.ask("/auth", "refresh", {"refresh_token": ana.session["refresh_token"]}),
    )
    assert answer["error"]["code"] == "SESSION_REVOKED"


@pytest.mark.parametrize("database_kind", ["postgresql"], indirect=True)
async def test_a_login_is_refused_if_the_password_changes_concurrently(
    world, ana, visitor, database_url
):
    answer = await ask_before_commit(
        database_url,
        "UPDATE credentials SET password_hash = 'another' WHERE user_id = $1",
        ana.id,
        visitor.ask("/auth", "login", {"email": ana.email, "password": PASSWORD}),
    )
    assert answer["error"]["code"] == "CREDENTIALS_WRONG"
