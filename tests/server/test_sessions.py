"""Sessions: valid tokens, refreshing, and the end of a session on all connections."""

import asyncio
import base64
import hashlib
import hmac
import json
from datetime import timedelta

import pytest

from handlers.kit.keys import Keys
from handlers.platform.auth.service import sessions
from handlers.platform.auth.tokens import make_access_token
from handlers.platform.profile.public import add_role
from tests.kit import probe as probes
from tests.kit.probe import NAMESPACE
from tests.kit.wire import Poller, Raw
from tests.wire_client import Client, Refused
from tests.world import PASSWORD, Person, World, both_databases, one_database, session_id_of, until

WITHIN_S = 1.0


@pytest.fixture
async def auth(world):
    return await world.visitor("/auth")


def part(value: dict) -> str:
    return base64.urlsafe_b64encode(json.dumps(value).encode()).rstrip(b"=").decode()


def claims_of(token: str) -> dict:
    text = token.split(".")[1]
    return json.loads(base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)))


def forge(world: World, header: dict, claims: dict, key: bytes | None = None) -> str:
    """A correctly signed token with any content."""
    signed = f"{part(header)}.{part(claims)}"
    secret = world.app.kernel.keys.tokens if key is None else key
    digest = {"HS512": hashlib.sha512, "HS384": hashlib.sha384}.get(
        header.get("alg"), hashlib.sha256
    )
    mac = hmac.new(secret, signed.encode(), digest).digest()
    return f"{signed}.{base64.urlsafe_b64encode(mac).rstrip(b'=').decode()}"


HEADER = {"alg": "HS256", "typ": "at+jwt"}


async def code_of(world: World, token: object) -> str:
    """Connect /profile with a token; returns OK or the refusal's code."""
    client = await world.connect()
    try:
        await client.enter("/profile", token=token)
    except Refused as refused:
        return str(refused.code)
    return "OK"


# Access tokens.


@one_database
async def test_a_token_issued_by_the_server_is_valid(world, ana):
    claims = claims_of(ana.token)
    assert await code_of(world, ana.token) == "OK"
    assert await code_of(world, forge(world, HEADER, claims)) == "OK"
    assert claims["exp"] - claims["iat"] == 900


@one_database
@pytest.mark.parametrize(
    "change",
    [
        {"iss": "somebody"},
        {"aud": "parley-mail"},
        {"aud": ["parley-sockets", "others"]},
        {"sub": None},
        {"sid": None},
        {"exp": None},
        {"exp": "soon"},
        {"exp": 1e308},
        {"sub": "01a1fbe8-c08b-7024-9784-34adb333fbf0"},
        {"sid": "01a1fbe8-c08b-7024-9784-34adb333fbf0"},
    ],
    ids=str,
)
async def test_a_token_with_other_claims_is_invalid(world, ana, change):
    claims = {k: v for k, v in {**claims_of(ana.token), **change}.items() if v is not None}
    assert await code_of(world, forge(world, HEADER, claims)) == "TOKEN_INVALID"


@one_database
@pytest.mark.parametrize(
    "header",
    [
        {"alg": "none", "typ": "at+jwt"},
        {"alg": "None", "typ": "at+jwt"},
        {"alg": "RS256", "typ": "at+jwt"},
        {"alg": "ES256", "typ": "at+jwt"},
        {"alg": "HS512", "typ": "at+jwt"},
        {"alg": "HS384", "typ": "at+jwt"},
        {"alg": "HS256", "typ": "JWT"},
        {"alg": "HS256"},
        {"typ": "at+jwt"},
        {"alg": "HS256", "typ": "at+jwt", "crit": ["x"], "x": 1},
        {"alg": "HS256", "typ": "at+jwt", "zip": "DEF"},
        {},
    ],
    ids=str,
)
async def test_a_token_of_another_kind_or_algorithm_is_invalid(world, ana, header):
    claims = claims_of(ana.token)
    unsigned = f"{part(header)}.{part(claims)}."
    for token in (forge(world, header, claims), unsigned):
        assert await code_of(world, token) == "TOKEN_INVALID"


@one_database
async def test_a_token_that_was_tampered_with_or_signed_by_another_key_is_invalid(world, ana):
    head, claims, mac = ana.token.split(".")
    other = forge(world, HEADER, {**claims_of(ana.token), "sub": "x"})
    kernel = world.app.kernel
    for token in (
        f"{head}.{other.split('.')[1]}.{mac}",
        f"{head}.{claims}.{mac[:-2]}AA",
        f"{head}.{claims}",
        f"{head}.{claims}.{mac}.{mac}",
        forge(world, HEADER, claims_of(ana.token), key=b""),
        forge(world, HEADER, claims_of(ana.token), key=Keys("x" * 40).tokens),
        forge(world, HEADER, claims_of(ana.token), key=kernel.keys._prints),
        ana.session["refresh_token"],
        ana.token + "\n",
        "é" * 10,
        "." * 100,
        "x" * 60_000,
    ):
        assert await code_of(world, token) == "TOKEN_INVALID"


@pytest.mark.stopped_clock
@one_database
async def test_an_old_token_is_expired_but_its_connection_lives_on(world, ana):
    await ana.enter("/profile")
    token = ana.token
    world.clock.advance(899)
    assert await code_of(world, token) == "OK"
    world.clock.advance(2)
    assert await code_of(world, token) == "TOKEN_EXPIRED"
    assert await ana.call("/profile", "me")


async def test_roles_are_those_of_the_database_and_change_on_open_connections(world, ana):
    with pytest.raises(Refused):
        await ana.call(NAMESPACE, "rule")
    await world.transact(add_role, ana.id, "moderator")
    assert await ana.call(NAMESPACE, "rule") == {}
    back = await ana.device()
    await back.enter(NAMESPACE)
    assert await back.call(NAMESPACE, "rule") == {}


# Refreshing.


async def refresh(auth: Client, token: str) -> str:
    """Refresh; returns the next refresh token or the refusal's code."""
    answer = await auth.ask("/auth", "refresh", {"refresh_token": token})
    return answer["data"]["refresh_token"] if answer["ok"] else answer["error"]["code"]


async def test_refreshing_gives_new_tokens_of_the_same_session(world, ana, auth):
    world.clock.advance(60)
    session = await auth.call("/auth", "refresh", refresh_token=ana.session["refresh_token"])
    assert session["refresh_token"] != ana.session["refresh_token"]
    assert session_id_of(session["access_token"]) == session_id_of(ana.session["access_token"])
    assert session["access_expires_in_s"] == 900
    assert await code_of(world, session["access_token"]) == "OK"


@pytest.mark.stopped_clock
async def test_a_spent_token_repeats_its_answer_within_its_seconds(world, ana, auth):
    first = ana.session["refresh_token"]
    second = await refresh(auth, first)
    world.clock.advance(29)
    assert await refresh(auth, first) == second
    assert (await refresh(auth, second)) not in (first, second)


async def test_a_spent_token_whose_successor_was_used_ends_the_session(world, ana, auth):
    await ana.enter("/profile")
    first = ana.session["refresh_token"]
    second = await refresh(auth, first)
    third = await refresh(auth, second)
    assert await refresh(auth, first) == "REFRESH_REUSED"
    await check_ended(ana.client, "refresh_reused")
    assert await refresh(auth, third) == "SESSION_REVOKED"
    assert await code_of(world, ana.token) == "SESSION_REVOKED"


async def test_a_spent_token_that_comes_back_too_late_ends_the_session(world, ana, auth):
    first = ana.session["refresh_token"]
    second = await refresh(auth, first)
    world.clock.advance(31)
    assert await refresh(auth, first) == "REFRESH_REUSED"
    assert await refresh(auth, second) == "SESSION_REVOKED"


@both_databases
async def test_ten_refreshes_at_once_have_one_successor(world, ana):
    visitors = [await world.visitor("/auth") for _ in range(10)]
    first = ana.session["refresh_token"]
    successors = await asyncio.gather(*(refresh(one, first) for one in visitors))
    assert len(set(successors)) == 1
    assert await refresh(visitors[0], successors[0]) not in (first, successors[0])


@one_database
async def test_a_foreign_refresh_token_is_invalid(auth, ana):
    for token in ("x", "x" * 200, ana.token[:200]):
        assert await refresh(auth, token) == "TOKEN_INVALID"


async def test_refresh_tokens_are_not_stored_in_plain_text(world, ana, auth):
    tokens = {ana.session["refresh_token"], await refresh(auth, ana.session["refresh_token"])}
    stored = await everything_stored(world)
    assert not [token for token in tokens if token in stored]


async def everything_stored(world: World) -> str:
    from storage.engine.columns import metadata

    def read(tx):
        return [str(tx.scalars(column.table.select().with_only_columns(column)))
                for table in metadata.sorted_tables for column in table.columns]  # fmt: skip

    return "\n".join(await world.app.database.read(read))


@one_database
async def test_a_session_that_is_never_refreshed_ends_after_its_days(world, ana, auth):
    await ana.enter("/profile")
    world.clock.advance(59 * 86_400)
    await world.settle()
    assert not ana.client.closed.is_set()
    token = await refresh(auth, ana.session["refresh_token"])
    world.clock.advance(59 * 86_400)
    await world.settle()
    assert not ana.client.closed.is_set(), "refreshing prolonged it"
    world.clock.advance(2 * 86_400)
    await world.settle()
    await check_ended(ana.client, "expired")
    assert await refresh(auth, token) == "SESSION_REVOKED"


# Ending.


async def check_ended(client: Client, reason: str):
    """Check that the connection gets the notice and closes within a second."""
    async with asyncio.timeout(WITHIN_S):
        await client.closed.wait()
    told = client.events("session_ended")
    assert {heard.data["reason"] for heard in told} == {reason}
    assert {heard.namespace for heard in told} == set(client.synced)
    last = [frame for frame in client.frames if frame.startswith("4")]
    assert any("session_ended" in frame for frame in last[-2 * len(told) :])


async def test_logging_out_ends_every_connection_of_the_session_and_no_other(world, ana, auth):
    await ana.enter("/profile", NAMESPACE)
    second = await ana.device()
    await second.enter("/profile")
    other = await world.another_session(ana)
    await other.enter("/profile")
    await auth.call("/auth", "logout", refresh_token=ana.session["refresh_token"])
    await check_ended(ana.client, "logout")
    await check_ended(second, "logout")
    assert await code_of(world, ana.token) == "SESSION_REVOKED"
    assert await refresh(auth, ana.session["refresh_token"]) == "SESSION_REVOKED"
    assert await other.call("/profile", "me")


async def test_logging_out_twice_succeeds(ana, auth):
    for _ in range(2):
        assert await auth.call(
            "/auth", "logout", refresh_token=ana.session["refresh_token"]
        ) == {}  # fmt: skip


async def test_a_new_password_ends_every_other_session(world, auth):
    ana = await world.sign_up("ana")
    await ana.enter("/profile")
    others = [await world.another_session(ana) for _ in range(2)]
    for other in others:
        await other.enter("/profile")
    new = {"current_password": PASSWORD, "new_password": "a longer one still"}
    assert await ana.call("/profile", "change_password", **new) == {}
    for other in others:
        await check_ended(other.client, "password_changed")
    assert await ana.call("/profile", "me")
    answer = await auth.ask("/auth", "login", {"email": ana.email, "password": PASSWORD})
    assert answer["error"]["code"] == "CREDENTIALS_WRONG"
    assert await auth.call("/auth", "login", email=ana.email, password=new["new_password"])


async def test_a_wrong_current_password_changes_nothing(world, auth):
    ana = await world.sign_up("ana")
    wrong = {"current_password": "not this one", "new_password": "a longer one still"}
    with pytest.raises(Refused) as refused:
        await ana.call("/profile", "change_password", **wrong)
    assert refused.value.code == "CREDENTIALS_WRONG"
    assert await auth.call("/auth", "login", email=ana.email, password=PASSWORD)


async def end(world: World, person: Person, reason: str = "logout"):
    session_id = session_id_of(person.session["access_token"])
    await world.transact(sessions.end_session, session_id, person.id, reason)


@one_database
async def test_pollers_and_stalled_readers_are_ended_too(world, ana):
    poller = await (await Poller(world).open()).enter(NAMESPACE, ana.token)
    raw = await Raw(world).open()
    raw.say(f"40{NAMESPACE}," + json.dumps({"token": ana.token}))
    await raw.until(b'"synced"')
    polling = asyncio.create_task(poller.poll())
    await until(lambda: not polling.done() and waits(world))
    await end(world, ana)
    people = world.app.gate.people
    await until(lambda: people.count(ana.id) == 0, within_s=WITHIN_S)
    assert await polling == 200
    assert "session_ended" in "".join(poller.frames)


def waits(world: World) -> bool:
    """Whether all polls are waiting."""
    ways_out = [one.outgoing for one in world.app.sockets.connections]
    return all(way._getters for way in ways_out if way.websocket is None)


async def test_no_events_arrive_after_the_session_ended(world, ana):
    await ana.enter(NAMESPACE)
    await end(world, ana)
    say = probes.Say(text="too late", room=f"user:{ana.id}")
    await world.transact(probes.say_it, say)
    async with asyncio.timeout(WITHIN_S):
        await ana.client.closed.wait()
    assert ana.events("PROBE_SAID") == []


async def test_a_session_that_ends_during_admission_is_ended(world, ana, monkeypatch):
    """The session ends after it was looked up, but before its connection is registered."""
    identify = world.app.gate._admission.identify

    async def and_then_it_ends(*args):
        actor = await identify(*args)
        await end(world, ana)
        return actor

    monkeypatch.setattr(world.app.gate._admission, "identify", and_then_it_ends)
    with pytest.raises(Refused) as refused:
        await ana.enter("/profile")
    assert refused.value.code == "SESSION_REVOKED"


@pytest.mark.parametrize("database_kind", ["postgresql"], indirect=True)
async def test_a_session_that_ends_on_one_instance_ends_on_all_within_a_second(world, make_world):
    ana = await world.person("ana")
    other = await make_world()
    there = Client(other.url, ana.token)
    other.clients.append(there)
    await (await there.open()).enter("/profile", NAMESPACE)
    await end(world, ana)
    await check_ended(there, "logout")


@one_database
async def test_tokens_survive_a_restart_but_not_a_change_of_the_secret(world, ana, make_world):
    await world.restart()
    assert await code_of(world, ana.token) == "OK"
    keys = Keys("another secret, as long as the first one")
    life = timedelta(minutes=5)
    session_id = session_id_of(ana.session["access_token"])
    token = make_access_token(keys, ana.id, session_id, world.clock.now(), life)
    assert await code_of(world, token) == "TOKEN_INVALID"


# Leases.


async def test_a_socket_holds_one_lease_on_a_subject_however_often_it_asks(ana):
    for _ in range(3):
        await ana.call(NAMESPACE, "hold_lease", text="a call")
    await ana.client.close()
    await until(lambda: probes.switches.departed)
    assert probes.switches.departed == ["a call"]


async def test_a_socket_with_too_many_leases_is_refused_and_all_of_them_end(ana, monkeypatch):
    monkeypatch.setattr("server.session.LEASES_MAX", 2)
    for text in ("one", "two", "one"):
        await ana.call(NAMESPACE, "hold_lease", text=text)
    with pytest.raises(Refused) as refused:
        await ana.call(NAMESPACE, "hold_lease", text="three")
    assert refused.value.code == "TOO_MANY"
    await ana.client.close()
    await until(lambda: len(probes.switches.departed) == 2)
    assert sorted(probes.switches.departed) == ["one", "two"]
