"""Signing in, staying signed in, signing out: what each answers and what is recorded of it."""

import pytest
from sqlalchemy import select

from storage.auth import credentials, refresh_tokens
from storage.events import events
from tests.wire_client import Client, Refused
from tests.world import PASSWORD, World, address_of, session_id_of

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

    monkeypatch.setattr(world.app.relay, "fire_timers", asleep)
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
    assert (await ana.event("session_ended", within_s=1)).data is not None
    await ana.client.until(ana.client.closed.is_set, within_s=1)
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
    await phone.until(phone.closed.is_set, within_s=1)
    assert phone.events("session_ended")
    assert (await ana.call("/profile", "me"))["id"] == ana.id, "one's own session goes on"
    assert await code_of(door, "refresh", refresh_token=other["refresh_token"]) == "SESSION_REVOKED"
    assert await code_of(door, "login", email=ana.email, password=PASSWORD) == "CREDENTIALS_WRONG"
    assert (await log_in(door, NEW))["user"]["id"] == ana.id
    assert await world.stored("NEW_PASSWORD_SET") == [{"user_id": ana.id}] * 2
