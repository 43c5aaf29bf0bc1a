"""What a provider, its people and strangers may send: nothing of it is believed or breaks."""

import asyncio
import json
import time
from typing import Any
from unittest.mock import patch
from urllib.parse import urlencode

import pytest
from sqlalchemy import text
from sqlalchemy.util import await_only

from handlers.platform.identities.http_client import (
    HttpClient,
    ProviderRefused,
    ProviderUnavailable,
)
from handlers.platform.identities.openid import Provider, identity_of
from handlers.platform.identities.providers import ProviderConfig, ProviderSettings, provider_config
from server.settings import WrongSetting, read_settings
from storage.platform.identities import IdentityRow, insert_identity
from tests.parts.provider import CLIENT_ID, KeySet, honest_key, person, query_of
from tests.platform.identities.test_methods import code_of, proof_of
from tests.platform.identities.travel import VERIFIER, Traveller, settings_for, traveller
from tests.world import World, one_database, until, with_server

pytestmark = with_server


async def arrive(ana: Traveller, provider: Any, **query: str) -> dict[str, str]:
    """All the way; whatever the house does, the browser is sent somewhere with a word."""
    answer = await ana.get("/oauth/house/callback", **provider.answer(await ana.leave(**query)))
    assert answer.status == 303, await answer.text()
    return query_of(answer.headers["Location"])


# People.


@one_database
async def test_a_ticket_that_was_begun_without_the_verifier_is_not_taken_with_one(
    world, provider, ana
):
    """A page that sent its verifier left by itself; this ticket was put under it."""
    door = await world.visitor("/auth")
    payload = {"ticket": await ana.ticket(provider), "verifier": VERIFIER}
    answer = await door.ask("/auth", "oauth", payload)
    assert answer["error"]["code"] == "TICKET_INVALID"


@pytest.mark.parametrize("database_kind", ["postgresql"], indirect=True)
async def test_no_session_lives_on_that_a_removed_way_in_began(world, provider, ana):
    owner = await world.sign_up("ana")
    methods = await owner.call("/profile", "link", **await proof_of(ana, provider))
    ticket, door = await ana.ticket(provider), await world.visitor("/auth")
    looked, go = asyncio.Event(), asyncio.Event()

    def wait(tx: Any, ticket: str) -> None:
        looked.set()
        await_only(go.wait())

    with patch("handlers.platform.identities.tickets.delete_ticket", wait):
        signing = asyncio.create_task(door.ask("/auth", "oauth", {"ticket": ticket}))
        await looked.wait()
        removing = asyncio.create_task(
            owner.call("/profile", "unlink", identity_id=methods["identities"][0]["id"])
        )
        await until(lambda: waits_for_a_lock(world))
        go.set()
        session = (await signing)["data"]
    await removing
    refreshed = await door.ask("/auth", "refresh", {"refresh_token": session["refresh_token"]})
    assert refreshed["error"]["code"] == "SESSION_REVOKED"


async def waits_for_a_lock(world: World) -> bool:
    waiting = text("SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock'")
    async with world.app.database.connect() as connection:
        return bool((await connection.execute(waiting)).scalar_one())


@one_database
async def test_a_house_that_is_not_set_up_any_more_is_no_way_in(world, provider, ana):
    owner = await world.sign_up("ana")
    await owner.call("/profile", "link", **await proof_of(ana, provider))

    def gone(tx: Any) -> bool:
        row = IdentityRow(tx.new_id(), "https://gone.example", "s", owner.id, "gone", None, tx.now)
        return insert_identity(tx, row)

    await world.transact(gone)
    methods = await owner.call("/profile", "remove_password")
    (mine,) = [one for one in methods["identities"] if one["provider"] == "house"]
    assert await code_of(owner, "unlink", identity_id=mine["id"]) == "LAST_METHOD"


@one_database
async def test_who_takes_the_password_away_ends_the_sessions_that_it_may_have_opened(
    world, provider, ana
):
    owner = await world.sign_up("ana")
    other = await (await world.another_session(owner)).enter("/profile")
    await owner.call("/profile", "link", **await proof_of(ana, provider))
    await owner.call("/profile", "remove_password")
    await asyncio.wait_for(other.client.closed.wait(), 5)


@one_database
async def test_a_ticket_links_once_and_proves_once(world, provider, ana):
    owner = await world.sign_up("ana")
    proof = await proof_of(ana, provider)
    await owner.call("/profile", "link", **proof)
    assert await code_of(owner, "link", **proof) == "TICKET_INVALID"
    proof = await proof_of(ana, provider, fresh="1")
    await owner.call("/profile", "prove", **proof)
    assert await code_of(owner, "prove", **proof) == "TICKET_INVALID"
    unbound = await ana.ticket(provider, fresh="1")
    assert await code_of(owner, "prove", ticket=unbound) == "TICKET_INVALID"


# What a house says.


@one_database
async def test_an_address_that_is_none_is_not_believed(world, provider, ana):
    door = await world.visitor("/auth")
    for address in ("nobody", "a b@example.org", "a@example.org, b@example.org", "x@y\0.example"):
        provider.person = person("ana", email=address)
        ticket = (await arrive(ana, provider))["ticket"]
        answer = await door.ask("/auth", "oauth", {"ticket": ticket})
        assert answer["error"]["code"] == "EMAIL_NEEDED", address


def test_an_address_is_not_cut_to_another():
    victim = "ceo@" + "v" * 60 + ".example"
    long = victim + "x" * (254 - len(victim)) + ".evil.example"
    said = {"sub": "s", "email": long, "email_verified": True}
    found = identity_of("https://house.example", said, said)
    assert (found.email, found.email_verified) == (None, False)


def test_half_characters_are_left_out_of_names_and_make_no_subject():
    said = {"sub": "s", "given_name": "A\ud83dna"}
    assert identity_of("https://house.example", said, said).first_name == "Ana"
    with pytest.raises(ProviderRefused):
        identity_of("https://house.example", {"sub": "\ud83d"}, said)


@one_database
async def test_the_word_for_an_address_counts_only_where_the_address_is(world, provider, ana):
    subject = provider.person["sub"]
    provider.userinfo = {"sub": subject, "email": "victim@example.org", "email_verified": False}
    provider.lies = {"email_verified": True}
    door = await world.visitor("/auth")
    answer = await door.ask("/auth", "oauth", {"ticket": await ana.ticket(provider)})
    assert answer["error"]["code"] == "EMAIL_NEEDED"


WRONG: dict[str, tuple[dict[str, Any], dict[str, str]]] = {
    "auth_time empty": ({"auth_time": ""}, {"fresh": "1"}),
    "auth_time a list": ({"auth_time": [1]}, {"fresh": "1"}),
    "at_hash a number": ({"at_hash": 7}, {}),
    "at_hash a list": ({"at_hash": [1]}, {}),
    "aud an object": ({"aud": {"a": 1}}, {}),
    "aud of others, meant for us": ({"aud": ["another"], "azp": CLIENT_ID}, {}),
    "aud of two without azp": ({"aud": [CLIENT_ID, "another"]}, {}),
    "azp of another": ({"azp": "another"}, {}),
    "nonce a list": ({"nonce": ["x"]}, {}),
    "iat a word": ({"iat": "x"}, {}),
    "over for two minutes": ({"exp": int(time.time()) - 120}, {}),
    "not yet": ({"nbf": int(time.time()) + 9_999}, {}),
    "a subject with NUL": ({"sub": "a\0b"}, {}),
}
ODD: dict[str, dict[str, Any]] = {
    "a name with NUL": {"given_name": "A\0na"},
    "names that are none": {"name": [1], "given_name": {}},
    "a word for the address that is none": {"email_verified": {}},
}


@one_database
async def test_claims_of_every_odd_kind_are_refused(provider, ana):
    for name, (lies, query) in WRONG.items():
        provider.lies = lies
        assert await arrive(ana, provider, **query) == {"error": "OAUTH_FAILED"}, name


@pytest.mark.parametrize("database_kind", ["postgresql"], indirect=True)
async def test_odd_names_are_left_out(world, provider, ana):
    door = await world.visitor("/auth")
    for number, (name, lies) in enumerate(ODD.items()):
        provider.person, provider.lies = person(f"ana{number}"), lies
        answer = await door.ask(
            "/auth", "oauth", {"ticket": (await arrive(ana, provider))["ticket"]}
        )
        code = "OK" if answer["ok"] else answer["error"]["code"]
        assert code == ("EMAIL_NEEDED" if "email_verified" in lies else "OK"), name


@pytest.mark.parametrize("database_kind", ["postgresql"], indirect=True)
async def test_a_name_told_in_the_address_is_a_line_of_text(world, provider, ana):
    door = await world.visitor("/auth")
    for number, first in enumerate(("a\0b", "   ", "a\nBcc: x@y.example")):
        provider.person = {
            "sub": f"{number}",
            "email": f"a{number}@example.org",
            "email_verified": True,
        }
        said = await ana.come_back(**provider.answer(await ana.leave()), first=first)
        session = await door.call("/auth", "oauth", ticket=query_of(said)["ticket"])
        shown = session["user"]["first_name"]
        assert shown.strip() == shown != ""
        assert "\n" not in shown


TOKENS = (
    *(
        "",
        "a.b.c",
        "..",
        "W10.W10.AA",
        "bnVsbA.e30.AA",
        "e30.e30.AA",
        "a.b.c.d.e",
        "\xfc.\xfc.\xfc",
    ),
    "eyJhbGciOlsxXX0.e30.AA",  # alg a list
    "eyJhbGciOiJSUzI1NiIsImtpZCI6W119.e30.AA",  # kid a list
    "eyJhbGciOiJSUzI1NiIsImNyaXQiOjd9.e30.AA",  # crit a number
    "eyJhbGciOm51bGx9.e30.AA",  # alg null
    "x" * 100_000,
)


@one_database
async def test_id_tokens_of_every_odd_form_are_refused(provider, ana):
    for token in TOKENS:
        with patch.object(type(provider), "_id_token", lambda self, asked, token=token: token):
            assert await arrive(ana, provider) == {"error": "OAUTH_FAILED"}, token[:60]


KEYS: tuple[Any, ...] = (
    {"kty": "EC", "crv": "brainpoolP256r1", "x": "AA", "y": "AA", "kid": "b"},
    {"kty": "OKP", "crv": "Ed999", "x": "AA", "kid": "b"},
    {"kty": "RSA", "n": 7, "e": "AQAB", "kid": "b"},
    {"kty": "RSA", "n": "AQAB", "e": "AQAB", "kid": ["b"]},
    *("x", 7, None, {"kty": []}, {}),
)


@one_database
async def test_a_key_that_we_do_not_understand_hides_no_other(provider, ana):
    ours = KeySet([honest_key()]).as_dict(private=False)["keys"]
    provider.own_keys = [*KEYS, *ours]
    assert "ticket" in await arrive(ana, provider)


DOCUMENTS = {
    "a list in a query": {"authorization_endpoint": "http://127.0.0.1:1/authorize?p=[1]"},
    "userinfo a number": {"userinfo_endpoint": 7},
    "no port": {"authorization_endpoint": "https://h:port/authorize"},
    "no host": {"authorization_endpoint": "https:///authorize"},
    "half an address": {"authorization_endpoint": "https://[::1/authorize"},
}


@one_database
@pytest.mark.parametrize("document", DOCUMENTS.values(), ids=DOCUMENTS)
async def test_a_document_of_an_odd_kind_breaks_nothing(provider, ana, document):
    provider.document = document
    answer = await ana.get("/oauth/house/start")
    assert answer.status == 303, await answer.text()


@one_database
async def test_what_a_house_says_at_length_or_elsewhere_is_not_listened_to(provider, ana):
    long_answer = json.dumps({"id_token": "a.b.c", "more": "x" * 300_000})
    for body in ('{"a":' * 50_000 + "1" + "}" * 50_000, "[]", "no JSON", long_answer):
        provider.token_body = body
        assert await arrive(ana, provider) == {"error": "OAUTH_UNAVAILABLE"}
    provider.token_body, provider.status = None, 307
    assert await arrive(ana, provider) == {"error": "OAUTH_UNAVAILABLE"}
    assert len(provider.shown_secrets) == 5  # nobody followed it to where it pointed


def test_a_far_house_cannot_point_to_this_machine():
    provider = ProviderConfig("corp", "Corp", "https://accounts.example", "openid", "c", "s")
    for place in ("http://127.0.0.1:6379/", "http://localhost/", "http://accounts.example/"):
        document = {
            "issuer": provider.issuer,
            "authorization_endpoint": "https://accounts.example/a",
            "token_endpoint": "https://accounts.example/t",
            "jwks_uri": place,
        }
        with pytest.raises(ProviderUnavailable):
            Provider(provider, HttpClient())._check(document)


@one_database
async def test_of_many_who_leave_at_once_one_asks_the_house(provider, ana):
    await asyncio.gather(*(ana.get("/oauth/house/start") for _ in range(10)))
    assert provider.asked.count("discovery") == 1


# What strangers send.

FORM = "application/x-www-form-urlencoded"
POSTS: dict[str, tuple[bytes, str]] = {
    "deep": (b"user=" + b"[" * 20_000 + b"]" * 20_000, FORM),
    "bad UTF-8": (b"user=\xff", FORM),
    "another charset": (b"a=b", FORM + "; charset=nope"),
    "half a character": (b'user={"name":{"firstName":"\\ud83d"}}', FORM),
    "many": (b"&".join(b"a%d=1" % number for number in range(5_000)), FORM),
    "big": (b"user=" + b"x" * 100_000, FORM),
    "multipart": (b"--a\r\n\r\nx\r\n--a--\r\n", "multipart/form-data; boundary=a"),
    "JSON": (b"{}", "application/json"),
}


@one_database
async def test_posts_of_every_odd_kind_are_answered(world, ana):
    for name, (body, kind) in POSTS.items():
        place = f"{world.url}/oauth/house/callback"
        headers = {"Content-Type": kind}
        async with ana.http.post(place, data=body, headers=headers, allow_redirects=False) as said:
            assert said.status in (303, 400, 413), name


@one_database
async def test_bytes_that_are_no_text_are_answered(world):
    for request in (
        b"GET /oauth/house/callback?state=a HTTP/1.1\r\nCookie: __Host-parley_oauth=\xff\xfe\r\n",
        b"GET /oauth/house/start HTTP/1.1\r\nCookie: __Host-parley_oauth=\xff\xfe\r\n",
        b"GET /oauth/house/callback?state=%FF%ED%A0%80 HTTP/1.1\r\n",
        b"GET /oauth/house/callback?state=%00 HTTP/1.1\r\nCookie: __Host-parley_oauth=a\r\n",
        b"GET /oauth/house/start?%ED%A0%80=1 HTTP/1.1\r\n",
        b"POST /oauth/house/callback HTTP/1.1\r\nOrigin: \xff\r\nContent-Length: 0\r\n",
    ):
        reader, writer = await asyncio.open_connection("127.0.0.1", world.port)
        writer.write(request + b"Host: x\r\nConnection: close\r\n\r\n")
        line = await reader.readline()
        writer.close()
        assert b" 50" not in line, (request, line)


@one_database
@pytest.mark.settings(PARLEY_LIMITS="default", PARLEY_ATTEMPTS_PER_MINUTE="3")
async def test_pictures_of_other_sites_spend_no_log_ins(world, ana):
    place, headers = f"{world.url}/oauth/house/start", {"Sec-Fetch-Dest": "image"}
    for _ in range(4):
        async with ana.http.get(place, allow_redirects=False, headers=headers) as answer:
            assert answer.status in (400, 429)
    door = await world.visitor("/auth")
    answer = await door.ask("/auth", "login", {"email": "a@example.org", "password": "x"})
    assert answer["error"]["code"] == "CREDENTIALS_WRONG"


@one_database
async def test_a_query_that_says_something_twice_is_invalid(ana):
    answer = await ana.get("/oauth/house/start?fresh=1&fresh=1&x")
    assert answer.status == 400


@one_database
@pytest.mark.parametrize("name", ["code", "state"])
async def test_a_callback_that_says_something_twice_is_not_believed(provider, ana, name):
    said = provider.answer(await ana.leave())
    query = urlencode([*said.items(), (name, "another")])
    answer = await ana.get(f"/oauth/house/callback?{query}")
    assert query_of(answer.headers["Location"]) == {"error": "OAUTH_FAILED"}


# What operators set.


@pytest.mark.parametrize(
    "said",
    [
        {"corp": {"client_id": "c", "issuer": "http://accounts.example"}},
        {"corp": {"client_id": "c"}},
        {"password": {"client_id": "c", "issuer": "https://accounts.example"}},
        {"google": {"client_id": "c", "client_auth": "client_secret_jwt"}},
        {"google": {"client_id": "c", "nonsense": "x"}},
        {"apple": {"client_id": "c", "team_id": "t"}},
        {"apple": {"client_id": "c", "team_id": "t", "key_id": "k", "private_key": "no PEM"}},
    ],
)
def test_a_provider_that_cannot_work_stops_the_start_and_shows_no_secret(said):
    text = json.dumps({name: {**one, "client_secret": "hush"} for name, one in said.items()})
    with pytest.raises(WrongSetting) as wrong:
        read_settings({"PARLEY_OAUTH_PROVIDERS": text})
    assert "hush" not in str(wrong.value)


def test_the_known_houses_need_no_more_than_a_client():
    for name, title in (("google", "Google"), ("apple", "Apple"), ("facebook", "Facebook")):
        provider = provider_config(name, ProviderSettings(client_id="c", client_secret="s"))
        assert (provider.title, provider.issuer[:8]) == (title, "https://")


@one_database
async def test_a_house_may_want_the_secret_in_its_form(make_world, provider):
    world = await make_world(**settings_for(provider, client_auth="client_secret_post"))
    async with traveller(world) as ana:
        assert "ticket" in await ana.travel(provider)
    assert provider.shown_secrets == ["a secret: with/odd+characters%"]
