"""Invalid input from providers, users and strangers is refused and causes no server error."""

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
from tests.platform.identities.travel import VERIFIER, Browser, open_browser, settings_for
from tests.world import World, one_database, until, with_server

pytestmark = with_server


async def get_outcome(browser: Browser, provider: Any, **query: str) -> dict[str, str]:
    """Run the whole sign-in; whatever the provider answers, it must end with a redirect."""
    answer = await browser.get(
        "/oauth/house/callback", **provider.answer(await browser.start(**query))
    )
    assert answer.status == 303, await answer.text()
    return query_of(answer.headers["Location"])


# Users.


@one_database
async def test_a_ticket_started_without_a_challenge_is_refused_with_a_verifier(
    world, provider, browser
):
    """A client that has a verifier sent its challenge, so this ticket is someone else's."""
    visitor = await world.visitor("/auth")
    payload = {"ticket": await browser.ticket(provider), "verifier": VERIFIER}
    answer = await visitor.ask("/auth", "oauth", payload)
    assert answer["error"]["code"] == "TICKET_INVALID"


@pytest.mark.parametrize("database_kind", ["postgresql"], indirect=True)
async def test_unlinking_a_provider_ends_a_session_that_is_just_being_opened(
    world, provider, browser
):
    owner = await world.sign_up("ana")
    methods = await owner.call("/profile", "link", **await proof_of(browser, provider))
    ticket, visitor = await browser.ticket(provider), await world.visitor("/auth")
    ticket_read, go = asyncio.Event(), asyncio.Event()

    def wait(tx: Any, ticket: str) -> None:
        ticket_read.set()
        await_only(go.wait())

    with patch("handlers.platform.identities.tickets.delete_ticket", wait):
        signing = asyncio.create_task(visitor.ask("/auth", "oauth", {"ticket": ticket}))
        await ticket_read.wait()
        removing = asyncio.create_task(
            owner.call("/profile", "unlink", identity_id=methods["identities"][0]["id"])
        )
        await until(lambda: waits_for_a_lock(world))
        go.set()
        session = (await signing)["data"]
    await removing
    refreshed = await visitor.ask("/auth", "refresh", {"refresh_token": session["refresh_token"]})
    assert refreshed["error"]["code"] == "SESSION_REVOKED"


async def waits_for_a_lock(world: World) -> bool:
    waiting = text("SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock'")
    async with world.app.database.connect() as connection:
        return bool((await connection.execute(waiting)).scalar_one())


@one_database
async def test_a_provider_that_is_no_longer_configured_is_not_a_sign_in_method(
    world, provider, browser
):
    owner = await world.sign_up("ana")
    await owner.call("/profile", "link", **await proof_of(browser, provider))

    def gone(tx: Any) -> bool:
        row = IdentityRow(tx.new_id(), "https://gone.example", "s", owner.id, "gone", None, tx.now)
        return insert_identity(tx, row)

    await world.transact(gone)
    methods = await owner.call("/profile", "remove_password")
    (mine,) = [one for one in methods["identities"] if one["provider"] == "house"]
    assert await code_of(owner, "unlink", identity_id=mine["id"]) == "LAST_METHOD"


@one_database
async def test_removing_the_password_ends_sessions_opened_with_it(world, provider, browser):
    owner = await world.sign_up("ana")
    other = await (await world.another_session(owner)).enter("/profile")
    await owner.call("/profile", "link", **await proof_of(browser, provider))
    await owner.call("/profile", "remove_password")
    await asyncio.wait_for(other.client.closed.wait(), 5)


@one_database
async def test_a_ticket_can_be_used_once_to_link_or_to_prove(world, provider, browser):
    owner = await world.sign_up("ana")
    proof = await proof_of(browser, provider)
    await owner.call("/profile", "link", **proof)
    assert await code_of(owner, "link", **proof) == "TICKET_INVALID"
    proof = await proof_of(browser, provider, fresh="1")
    await owner.call("/profile", "prove", **proof)
    assert await code_of(owner, "prove", **proof) == "TICKET_INVALID"
    unbound = await browser.ticket(provider, fresh="1")
    assert await code_of(owner, "prove", ticket=unbound) == "TICKET_INVALID"


# Responses of providers.


@one_database
async def test_an_invalid_email_address_from_a_provider_is_ignored(world, provider, browser):
    visitor = await world.visitor("/auth")
    for address in ("nobody", "a b@example.org", "a@example.org, b@example.org", "x@y\0.example"):
        provider.person = person("ana", email=address)
        ticket = (await get_outcome(browser, provider))["ticket"]
        answer = await visitor.ask("/auth", "oauth", {"ticket": ticket})
        assert answer["error"]["code"] == "EMAIL_NEEDED", address


def test_a_long_email_address_is_not_truncated_to_another():
    victim = "ceo@" + "v" * 60 + ".example"
    long = victim + "x" * (254 - len(victim)) + ".evil.example"
    response = {"sub": "s", "email": long, "email_verified": True}
    found = identity_of("https://house.example", response, response)
    assert (found.email, found.email_verified) == (None, False)


def test_lone_surrogates_are_removed_from_names_and_refused_in_subjects():
    response = {"sub": "s", "given_name": "A\ud83dna"}
    assert identity_of("https://house.example", response, response).first_name == "Ana"
    with pytest.raises(ProviderRefused):
        identity_of("https://house.example", {"sub": "\ud83d"}, response)


@one_database
async def test_email_verified_counts_only_in_the_source_of_the_address(world, provider, browser):
    subject = provider.person["sub"]
    provider.userinfo = {"sub": subject, "email": "victim@example.org", "email_verified": False}
    provider.lies = {"email_verified": True}
    visitor = await world.visitor("/auth")
    answer = await visitor.ask("/auth", "oauth", {"ticket": await browser.ticket(provider)})
    assert answer["error"]["code"] == "EMAIL_NEEDED"


WRONG_CLAIMS: dict[str, tuple[dict[str, Any], dict[str, str]]] = {
    "empty auth_time": ({"auth_time": ""}, {"fresh": "1"}),
    "list as auth_time": ({"auth_time": [1]}, {"fresh": "1"}),
    "number as at_hash": ({"at_hash": 7}, {}),
    "list as at_hash": ({"at_hash": [1]}, {}),
    "object as aud": ({"aud": {"a": 1}}, {}),
    "aud without the client, azp with it": ({"aud": ["another"], "azp": CLIENT_ID}, {}),
    "two audiences without azp": ({"aud": [CLIENT_ID, "another"]}, {}),
    "azp of another client": ({"azp": "another"}, {}),
    "list as nonce": ({"nonce": ["x"]}, {}),
    "word as iat": ({"iat": "x"}, {}),
    "expired two minutes ago": ({"exp": int(time.time()) - 120}, {}),
    "not valid yet": ({"nbf": int(time.time()) + 9_999}, {}),
    "subject with NUL": ({"sub": "a\0b"}, {}),
}
MALFORMED_CLAIMS: dict[str, dict[str, Any]] = {
    "name with NUL": {"given_name": "A\0na"},
    "list and object as names": {"name": [1], "given_name": {}},
    "object as email_verified": {"email_verified": {}},
}


@one_database
async def test_invalid_claims_are_refused(provider, browser):
    for name, (lies, query) in WRONG_CLAIMS.items():
        provider.lies = lies
        assert await get_outcome(browser, provider, **query) == {"error": "OAUTH_FAILED"}, name


@pytest.mark.parametrize("database_kind", ["postgresql"], indirect=True)
async def test_malformed_optional_claims_are_ignored(world, provider, browser):
    visitor = await world.visitor("/auth")
    for number, (name, lies) in enumerate(MALFORMED_CLAIMS.items()):
        provider.person, provider.lies = person(f"ana{number}"), lies
        answer = await visitor.ask(
            "/auth", "oauth", {"ticket": (await get_outcome(browser, provider))["ticket"]}
        )
        code = "OK" if answer["ok"] else answer["error"]["code"]
        assert code == ("EMAIL_NEEDED" if "email_verified" in lies else "OK"), name


@pytest.mark.parametrize("database_kind", ["postgresql"], indirect=True)
async def test_a_name_in_the_callback_url_is_reduced_to_one_line(world, provider, browser):
    visitor = await world.visitor("/auth")
    for number, first in enumerate(("a\0b", "   ", "a\nBcc: x@y.example")):
        provider.person = {
            "sub": f"{number}",
            "email": f"a{number}@example.org",
            "email_verified": True,
        }
        response = await browser.call_back(**provider.answer(await browser.start()), first=first)
        session = await visitor.call("/auth", "oauth", ticket=query_of(response)["ticket"])
        shown = session["user"]["first_name"]
        assert shown.strip() == shown != ""
        assert "\n" not in shown


MALFORMED_TOKENS = (
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
    "eyJhbGciOlsxXX0.e30.AA",  # list as alg
    "eyJhbGciOiJSUzI1NiIsImtpZCI6W119.e30.AA",  # list as kid
    "eyJhbGciOiJSUzI1NiIsImNyaXQiOjd9.e30.AA",  # number as crit
    "eyJhbGciOm51bGx9.e30.AA",  # null as alg
    "x" * 100_000,
)


@one_database
async def test_malformed_id_tokens_are_refused(provider, browser):
    for token in MALFORMED_TOKENS:
        with patch.object(type(provider), "_id_token", lambda self, asked, token=token: token):
            assert await get_outcome(browser, provider) == {"error": "OAUTH_FAILED"}, token[:60]


UNSUPPORTED_KEYS: tuple[Any, ...] = (
    {"kty": "EC", "crv": "brainpoolP256r1", "x": "AA", "y": "AA", "kid": "b"},
    {"kty": "OKP", "crv": "Ed999", "x": "AA", "kid": "b"},
    {"kty": "RSA", "n": 7, "e": "AQAB", "kid": "b"},
    {"kty": "RSA", "n": "AQAB", "e": "AQAB", "kid": ["b"]},
    *("x", 7, None, {"kty": []}, {}),
)


@one_database
async def test_unsupported_keys_do_not_hide_the_valid_one(provider, browser):
    ours = KeySet([honest_key()]).as_dict(private=False)["keys"]
    provider.own_keys = [*UNSUPPORTED_KEYS, *ours]
    assert "ticket" in await get_outcome(browser, provider)


DOCUMENTS = {
    "brackets in the query": {"authorization_endpoint": "http://127.0.0.1:1/authorize?p=[1]"},
    "number as userinfo_endpoint": {"userinfo_endpoint": 7},
    "invalid port": {"authorization_endpoint": "https://h:port/authorize"},
    "no host": {"authorization_endpoint": "https:///authorize"},
    "unclosed IPv6 address": {"authorization_endpoint": "https://[::1/authorize"},
}


@one_database
@pytest.mark.parametrize("document", DOCUMENTS.values(), ids=DOCUMENTS)
async def test_a_malformed_discovery_document_causes_no_server_error(provider, browser, document):
    provider.document = document
    answer = await browser.get("/oauth/house/start")
    assert answer.status == 303, await answer.text()


@one_database
async def test_oversized_malformed_and_redirected_token_responses_are_refused(provider, browser):
    long_answer = json.dumps({"id_token": "a.b.c", "more": "x" * 300_000})
    for body in ('{"a":' * 50_000 + "1" + "}" * 50_000, "[]", "no JSON", long_answer):
        provider.token_body = body
        assert await get_outcome(browser, provider) == {"error": "OAUTH_UNAVAILABLE"}
    provider.token_body, provider.status = None, 307
    assert await get_outcome(browser, provider) == {"error": "OAUTH_UNAVAILABLE"}
    assert len(provider.shown_secrets) == 5  # the redirect was not followed


def test_a_remote_provider_cannot_name_local_endpoints():
    provider = ProviderConfig("corp", "Corp", "https://accounts.example", "openid", "c", "s")
    for url in ("http://127.0.0.1:6379/", "http://localhost/", "http://accounts.example/"):
        document = {
            "issuer": provider.issuer,
            "authorization_endpoint": "https://accounts.example/a",
            "token_endpoint": "https://accounts.example/t",
            "jwks_uri": url,
        }
        with pytest.raises(ProviderUnavailable):
            Provider(provider, HttpClient())._check(document)


@one_database
async def test_concurrent_starts_fetch_the_discovery_document_once(provider, browser):
    await asyncio.gather(*(browser.get("/oauth/house/start") for _ in range(10)))
    assert provider.asked.count("discovery") == 1


# Requests of strangers.

FORM = "application/x-www-form-urlencoded"
POSTS: dict[str, tuple[bytes, str]] = {
    "deeply nested": (b"user=" + b"[" * 20_000 + b"]" * 20_000, FORM),
    "invalid UTF-8": (b"user=\xff", FORM),
    "unknown charset": (b"a=b", FORM + "; charset=nope"),
    "lone surrogate": (b'user={"name":{"firstName":"\\ud83d"}}', FORM),
    "many fields": (b"&".join(b"a%d=1" % number for number in range(5_000)), FORM),
    "large field": (b"user=" + b"x" * 100_000, FORM),
    "multipart": (b"--a\r\n\r\nx\r\n--a--\r\n", "multipart/form-data; boundary=a"),
    "JSON": (b"{}", "application/json"),
}


@one_database
async def test_malformed_posts_to_the_callback_cause_no_server_error(world, browser):
    for name, (body, kind) in POSTS.items():
        url = f"{world.url}/oauth/house/callback"
        headers = {"Content-Type": kind}
        async with browser.http.post(
            url, data=body, headers=headers, allow_redirects=False
        ) as response:
            assert response.status in (303, 400, 413), name


@one_database
async def test_invalid_bytes_in_requests_cause_no_server_error(world):
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
async def test_image_requests_from_other_sites_do_not_count_as_login_attempts(world, browser):
    url, headers = f"{world.url}/oauth/house/start", {"Sec-Fetch-Dest": "image"}
    for _ in range(4):
        async with browser.http.get(url, allow_redirects=False, headers=headers) as answer:
            assert answer.status in (400, 429)
    visitor = await world.visitor("/auth")
    answer = await visitor.ask("/auth", "login", {"email": "a@example.org", "password": "x"})
    assert answer["error"]["code"] == "CREDENTIALS_WRONG"


@one_database
async def test_a_start_with_a_repeated_parameter_is_invalid(browser):
    answer = await browser.get("/oauth/house/start?fresh=1&fresh=1&x")
    assert answer.status == 400


@one_database
@pytest.mark.parametrize("name", ["code", "state"])
async def test_a_callback_with_a_repeated_parameter_fails(provider, browser, name):
    response = provider.answer(await browser.start())
    query = urlencode([*response.items(), (name, "another")])
    answer = await browser.get(f"/oauth/house/callback?{query}")
    assert query_of(answer.headers["Location"]) == {"error": "OAUTH_FAILED"}


# Settings of operators.


@pytest.mark.parametrize(
    "providers",
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
def test_an_invalid_provider_setting_stops_startup_and_reveals_no_secret(providers):
    text = json.dumps({name: {**one, "client_secret": "hush"} for name, one in providers.items()})
    with pytest.raises(WrongSetting) as wrong:
        read_settings({"PARLEY_OAUTH_PROVIDERS": text})
    assert "hush" not in str(wrong.value)


def test_well_known_providers_need_only_client_credentials():
    for name, title in (("google", "Google"), ("apple", "Apple"), ("facebook", "Facebook")):
        provider = provider_config(name, ProviderSettings(client_id="c", client_secret="s"))
        assert (provider.title, provider.issuer[:8]) == (title, "https://")


@one_database
async def test_the_client_secret_can_be_sent_in_the_form(make_world, provider):
    world = await make_world(**settings_for(provider, client_auth="client_secret_post"))
    async with open_browser(world) as browser:
        assert "ticket" in await browser.sign_in(provider)
    assert provider.shown_secrets == ["a secret: with/odd+characters%"]
