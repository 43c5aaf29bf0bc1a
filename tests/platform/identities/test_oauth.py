"""Signing in with a provider: the whole flow, and the responses that are refused."""

import asyncio
import time
from pathlib import Path

import pytest

from handlers.platform.identities.contracts import StartOAuth
from handlers.platform.identities.http_client import HttpClient, ProviderUnavailable
from handlers.platform.identities.tickets import hash_of, make_authorization_request
from tests.consulting.waiting_room.scenes import ask_before_commit
from tests.parts.provider import CLIENT_ID, another_key, person, query_of, shared_secret
from tests.platform.identities.travel import APP, CHALLENGE, PUBLIC_URL, VERIFIER, open_browser
from tests.wire_client import Refused
from tests.world import PASSWORD, World, both_databases, one_database, until, with_server

pytestmark = with_server


@pytest.fixture
async def visitor(world: World):
    """A visitor in /auth and /signup."""
    return await world.visitor("/auth", "/signup")


async def code_of(client, command: str, **payload) -> str:
    with pytest.raises(Refused) as refused:
        await client.call("/auth", command, **payload)
    return refused.value.code


async def test_the_first_sign_in_creates_a_user_and_later_ones_find_it(
    world, provider, browser, visitor
):
    session = await visitor.call("/auth", "oauth", ticket=await browser.ticket(provider))
    user = session["user"]
    assert (user["email"], user["email_verified"]) == ("ana@example.org", True)
    assert (user["first_name"], user["last_name"]) == ("Ana", "Example")
    device = await world.connect(session["access_token"])
    await device.enter("/profile")
    assert await device.call("/profile", "me") == user
    again = await visitor.call("/auth", "oauth", ticket=await browser.ticket(provider))
    assert again["user"] == user
    assert again["refresh_token"] != session["refresh_token"]
    assert await world.stored("USER_CREATED") == [{"user": user}]
    (linked,) = await world.stored("OAUTH_LINKED")
    assert (linked["user_id"], linked["provider"]) == (user["id"], "house")
    successes = await world.stored("AUTH_SUCCESS")
    assert [(one["user_id"], one["method"]) for one in successes] == [(user["id"], "house")] * 2
    assert not any(one["new_device"] for one in successes)  # the first sign-in is not notified
    assert await visitor.call("/auth", "providers") == {
        "providers": [{"name": "house", "title": "House"}]
    }


@one_database
async def test_the_authorization_request_has_a_state_a_nonce_and_a_pkce_challenge(
    provider, browser
):
    first, second = await browser.start(), await browser.start(fresh="1")
    assert first.keys() == {
        *("response_type", "client_id", "redirect_uri", "scope", "state", "nonce"),
        *("code_challenge", "code_challenge_method"),
    }
    assert first["response_type"] == "code"
    assert first["client_id"] == CLIENT_ID
    assert first["redirect_uri"] == f"{PUBLIC_URL}/oauth/house/callback"
    assert first["code_challenge_method"] == "S256"
    assert (second["prompt"], second["max_age"]) == ("login", "0")
    for name in ("state", "nonce", "code_challenge"):
        assert len(first[name]) >= 43
        assert first[name] != second[name]


@one_database
async def test_the_state_cookie_is_secure_http_only_and_host_bound(browser):
    answer = await browser.get("/oauth/house/start")
    (cookie,) = answer.cookies.values()
    assert (cookie["httponly"], cookie["secure"], cookie["samesite"]) == (True, True, "Lax")
    assert (cookie["path"], cookie["max-age"]) == ("/", "600")
    assert cookie.key.startswith("__Host-parley_oauth_")  # no other host of the domain can set it
    assert answer.headers["Cache-Control"] == "no-store"


WRONG_CLAIMS = {
    "wrong nonce": {"nonce": "another"},
    "missing nonce": {"nonce": None},
    "wrong audience": {"aud": "another client"},
    "missing audience": {"aud": None},
    "wrong authorized party": {"aud": [CLIENT_ID, "another"], "azp": "another"},
    "wrong issuer": {"iss": "https://accounts.example"},
    "expired": {"exp": 1},
    "missing expiry": {"exp": None},
    "issued in the future": {"iat": int(time.time()) + 86_400},
    "missing subject": {"sub": None},
    "number as subject": {"sub": 7},
    "subject too long": {"sub": "x" * 256},
    "wrong access token hash": {"at_hash": "c29tZXRoaW5nIGVsc2UuLg"},
}


@one_database
@pytest.mark.parametrize("lies", WRONG_CLAIMS.values(), ids=WRONG_CLAIMS)
async def test_an_id_token_with_a_wrong_claim_is_refused(world, provider, browser, lies):
    provider.lies = lies
    assert await browser.sign_in(provider) == {"error": "OAUTH_FAILED"}
    (failure,) = await world.stored("AUTH_FAILURE")
    assert (failure["method"], failure["reason"]) == ("house", "OAUTH_FAILED")
    provider.lies = {}
    assert "ticket" in await browser.sign_in(provider)


WRONG_SIGNATURES = {
    "unsigned": ({"alg": "none"}, None),
    "wrong key": ({"alg": "RS256", "kid": "one"}, another_key()),
    "unknown key": ({"alg": "RS256", "kid": "two"}, another_key()),
    "client secret as key": ({"alg": "HS256"}, shared_secret()),
}


@one_database
@pytest.mark.parametrize(("header", "key"), WRONG_SIGNATURES.values(), ids=WRONG_SIGNATURES)
async def test_an_id_token_not_signed_by_the_provider_is_refused(provider, browser, header, key):
    provider.header, provider.key = header, key
    assert await browser.sign_in(provider) == {"error": "OAUTH_FAILED"}


@one_database
async def test_userinfo_must_have_the_subject_of_the_id_token(provider, browser):
    provider.userinfo = person("ana")
    assert "ticket" in await browser.sign_in(provider)
    provider.userinfo = person("ben")
    assert await browser.sign_in(provider) == {"error": "OAUTH_FAILED"}


@one_database
async def test_a_callback_with_the_iss_of_another_issuer_is_refused(provider, browser):
    """RFC 9207 prevents mix-up attacks on clients of several providers."""
    response = provider.answer(await browser.start())
    assert query_of(await browser.call_back(**response, iss="https://accounts.example")) == {
        "error": "OAUTH_FAILED"
    }
    response = provider.answer(await browser.start())
    assert "ticket" in query_of(await browser.call_back(**response, iss=provider.url))


# States.


async def test_a_state_is_valid_once_in_its_own_browser_for_ten_minutes(world, provider, browser):
    response = provider.answer(await browser.start())
    async with open_browser(world) as other:
        await other.start()  # it has a cookie with a different state
        assert query_of(await other.call_back(**response)) == {"error": "OAUTH_STATE"}
    forged = response | {"state": "x" * 43}
    assert query_of(await browser.call_back(**forged)) == {"error": "OAUTH_STATE"}
    assert query_of(await browser.call_back(code=response["code"])) == {"error": "OAUTH_STATE"}
    url = await browser.call_back(**response)  # failed attempts did not use up the state
    assert url.startswith(f"{PUBLIC_URL}/#/oauth?ticket=")
    assert query_of(await browser.call_back(**response)) == {"error": "OAUTH_STATE"}
    late = provider.answer(await browser.start())
    world.clock.advance(601)
    assert query_of(await browser.call_back(**late)) == {"error": "OAUTH_STATE"}
    reasons = [one["reason"] for one in await world.stored("AUTH_FAILURE")]
    assert reasons == ["OAUTH_STATE"] * 5


@both_databases
async def test_one_of_several_concurrent_identical_callbacks_succeeds(provider, browser):
    response = provider.answer(await browser.start())
    urls = await asyncio.gather(*(browser.call_back(**response) for _ in range(6)))
    answers = [query_of(url) for url in urls]
    assert sum("ticket" in answer for answer in answers) == 1
    assert sum(answer == {"error": "OAUTH_STATE"} for answer in answers) == 5


@one_database
async def test_two_tabs_that_start_before_either_has_a_cookie_both_sign_in(world, provider):
    answers, cookies = [], {}
    for _ in range(2):
        async with open_browser(world) as tab:  # without the cookie of the other tab
            answer = await tab.get("/oauth/house/start")
        answers.append(provider.answer(query_of(answer.headers["Location"])))
        cookies |= {name: cookie.value for name, cookie in answer.cookies.items()}
    async with open_browser(world) as browser:
        kept = "; ".join(f"{name}={value}" for name, value in cookies.items())
        browser.http.headers["Cookie"] = kept  # type: ignore[index]
        for response in answers:
            assert "ticket" in query_of(await browser.call_back(**response))
        (cookie,) = (await browser.get("/oauth/house/start")).cookies.values()
        assert cookie.key in cookies, "a browser with a key gets no other one"


@one_database
async def test_several_tabs_can_sign_in_at_the_same_time(provider, browser):
    first, second = await browser.start(), await browser.start()
    for asked in (second, first):
        assert "ticket" in query_of(await browser.call_back(**provider.answer(asked)))


@one_database
async def test_a_reused_authorization_code_is_refused(provider, browser):
    response = provider.answer(await browser.start())
    await browser.call_back(**response)
    fresh = await browser.start()
    replayed = {"state": fresh["state"], "code": response["code"]}
    assert query_of(await browser.call_back(**replayed)) == {"error": "OAUTH_FAILED"}


@one_database
async def test_a_provider_error_is_reported_as_cancelled_or_failed(world, browser):
    asked = await browser.start()
    url = await browser.call_back(state=asked["state"], error="access_denied")
    assert query_of(url) == {"error": "OAUTH_CANCELLED"}
    asked = await browser.start()
    url = await browser.call_back(state=asked["state"], error="server_error")
    assert query_of(url) == {"error": "OAUTH_FAILED"}
    reasons = [one["reason"] for one in await world.stored("AUTH_FAILURE")]
    assert reasons == ["OAUTH_CANCELLED", "OAUTH_FAILED"]


@one_database
async def test_an_error_status_of_the_provider_is_reported_as_unavailable(provider, browser):
    provider.status = 503
    assert await browser.sign_in(provider) == {"error": "OAUTH_UNAVAILABLE"}


@one_database
async def test_concurrent_requests_to_a_silent_provider_share_one_timeout(
    world, provider, browser, monkeypatch
):
    asked, timed_out = [], asyncio.Event()

    async def never_answer(outside, url, headers=None):
        asked.append(url)
        await timed_out.wait()
        raise ProviderUnavailable("TimeoutError")

    provider = world.app.kernel.providers.find("house")
    authorization_request = make_authorization_request(
        world.clock.now(), StartOAuth(), f"{PUBLIC_URL}/oauth/house/callback"
    )
    with monkeypatch.context() as patched:
        patched.setattr(HttpClient, "get", never_answer)
        requests = [
            asyncio.ensure_future(provider.authorization_url(authorization_request))
            for _ in range(5)
        ]
        await until(lambda: asked)
        timed_out.set()
        outcomes = await asyncio.gather(*requests, return_exceptions=True)
    assert [type(one) for one in outcomes] == [ProviderUnavailable] * 5
    assert len(asked) == 1
    await browser.start()  # a later request asks the provider again immediately


DOCUMENTS = {
    "wrong issuer": {"issuer": "https://accounts.example"},
    "endpoint without TLS": {"token_endpoint": "http://accounts.example/token"},
    "missing jwks_uri": {"jwks_uri": None},
}


@one_database
@pytest.mark.parametrize("document", DOCUMENTS.values(), ids=DOCUMENTS)
async def test_an_invalid_discovery_document_makes_the_provider_unavailable(
    provider, browser, document
):
    provider.document = document
    answer = await browser.get("/oauth/house/start")
    assert query_of(answer.headers["Location"]) == {"error": "OAUTH_UNAVAILABLE"}


# Tickets.


async def test_a_ticket_is_valid_once_for_ten_minutes(world, provider, browser, visitor):
    ticket = await browser.ticket(provider)
    assert await code_of(visitor, "oauth", ticket=ticket[:-1] + "!") == "TICKET_INVALID"
    await visitor.call("/auth", "oauth", ticket=ticket)
    assert await code_of(visitor, "oauth", ticket=ticket) == "TICKET_INVALID"
    late = await browser.ticket(provider)
    world.clock.advance(601)
    assert await code_of(visitor, "oauth", ticket=late) == "TICKET_INVALID"


@both_databases
async def test_one_of_several_concurrent_uses_of_a_ticket_succeeds(provider, browser, visitor):
    ticket = await browser.ticket(provider)
    answers = await asyncio.gather(
        *(visitor.ask("/auth", "oauth", {"ticket": ticket}) for _ in range(6))
    )
    assert sum(answer["ok"] for answer in answers) == 1
    assert {a["error"]["code"] for a in answers if not a["ok"]} == {"TICKET_INVALID"}


@pytest.mark.parametrize("database_kind", ["postgresql"], indirect=True)
async def test_a_ticket_deleted_by_a_concurrent_transaction_is_refused(
    provider, browser, visitor, database_url
):
    ticket = await browser.ticket(provider)
    answer = await ask_before_commit(
        database_url,
        "DELETE FROM oauth_tickets WHERE hash = $1",
        hash_of(ticket),
        visitor.ask("/auth", "oauth", {"ticket": ticket}),
    )
    assert answer["error"]["code"] == "TICKET_INVALID"


@one_database
async def test_a_ticket_with_a_challenge_needs_its_verifier(provider, browser, visitor):
    ticket = await browser.ticket(provider, challenge=CHALLENGE)
    assert await code_of(visitor, "oauth", ticket=ticket) == "TICKET_INVALID"
    wrong = VERIFIER.replace("only", "also")
    assert await code_of(visitor, "oauth", ticket=ticket, verifier=wrong) == "TICKET_INVALID"
    assert (await visitor.call("/auth", "oauth", ticket=ticket, verifier=VERIFIER))["user"]


@one_database
async def test_app_redirects_must_be_configured_and_need_a_challenge(provider, browser):
    asked = await browser.start(redirect=APP, challenge=CHALLENGE)
    url = await browser.call_back(**provider.answer(asked))
    assert url.startswith(f"{APP}?ticket=")
    asked = await browser.start(redirect=APP, challenge=CHALLENGE)
    url = await browser.call_back(state=asked["state"], error="access_denied")
    assert url == f"{APP}?error=OAUTH_CANCELLED"
    for query in (
        {"redirect": APP},
        {"redirect": f"{APP}.evil.example", "challenge": CHALLENGE},
        {"redirect": "https://evil.example", "challenge": CHALLENGE},
        {"challenge": "too short"},
        {"anything": "else"},
    ):
        answer = await browser.get("/oauth/house/start", **query)
        assert answer.status == 400, query
        assert (await answer.json())["error"]["code"] == "INVALID"


@one_database
async def test_an_unknown_provider_is_not_found(browser):
    for path in ("/oauth/nobody/start", "/oauth/nobody/callback"):
        answer = await browser.get(path)
        assert answer.status == 404
        assert (await answer.json())["error"]["code"] == "NOT_FOUND"


@one_database
@pytest.mark.settings(PARLEY_LIMITS="default", PARLEY_ATTEMPTS_PER_MINUTE="3")
async def test_starting_a_sign_in_counts_against_the_attempt_limit(browser):
    for _ in range(3):
        await browser.start()
    answer = await browser.get("/oauth/house/start")
    assert answer.status == 429
    assert int(answer.headers["Retry-After"]) >= 1


# Email addresses and names.


async def test_an_equal_email_address_alone_does_not_link_the_identity(
    world, provider, browser, visitor
):
    owner = await world.sign_up("ana")
    ticket = await browser.ticket(provider, challenge=CHALLENGE)
    proof = {"ticket": ticket, "verifier": VERIFIER}
    assert await code_of(visitor, "oauth", **proof) == "EMAIL_TAKEN"
    assert await world.stored("OAUTH_LINKED") == []
    # The refusal did not use up the ticket: the signed-in owner can link it.
    methods = await owner.call("/profile", "link", **proof)
    assert [one["provider"] for one in methods["identities"]] == ["house"]
    session = await visitor.call("/auth", "oauth", ticket=await browser.ticket(provider))
    assert session["user"]["id"] == owner.id


@pytest.mark.parametrize("claim", [False, None])
async def test_without_a_verified_address_the_user_confirms_one_with_a_pincode(
    world, provider, browser, visitor, claim
):
    provider.person = person("ana", email_verified=claim)
    ticket = await browser.ticket(provider)
    answer = await visitor.ask("/auth", "oauth", {"ticket": ticket})
    assert answer["error"]["code"] == "EMAIL_NEEDED"
    assert answer["error"]["details"] == {"suggested": "ana@example.org"}
    await visitor.call("/signup", "start", email="ana.at.work@example.org")
    pincode = await world.mails.pincode("ana.at.work@example.org")
    more = {"ticket": ticket, "email": "ana.at.work@example.org"}
    wrong = "000000" if pincode != "000000" else "000001"
    assert await code_of(visitor, "oauth", **more, pincode=wrong) == "PINCODE_WRONG"
    session = await visitor.call("/auth", "oauth", **more, pincode=pincode)
    assert session["user"]["email"] == "ana.at.work@example.org"
    assert session["user"]["first_name"] == "Ana"


@one_database
async def test_names_come_from_the_claims_or_the_address_and_are_cleaned(
    provider, browser, visitor
):
    provider.person = {"sub": "s", "email": "ana@example.org", "email_verified": "true"}
    session = await visitor.call("/auth", "oauth", ticket=await browser.ticket(provider))
    assert session["user"]["first_name"] == "ana"
    provider.person = {
        "sub": "t",
        "email": "b@example.org",
        "email_verified": True,
        "name": "Ben A B",
    }
    session = await visitor.call("/auth", "oauth", ticket=await browser.ticket(provider))
    assert (session["user"]["first_name"], session["user"]["last_name"]) == ("Ben", "A B")
    provider.person = {"sub": "u", "email": "c@example.org", "email_verified": True}
    provider.person |= {
        "given_name": "\u202eCleo\r\n\nPay",
        "family_name": "\u200b\x1b" + "x\u0301" * 99,
    }
    session = await visitor.call("/auth", "oauth", ticket=await browser.ticket(provider))
    user = session["user"]
    assert (user["first_name"], user["last_name"]) == ("Cleo Pay", "x\u0301" * 50)


@one_database
async def test_no_secret_of_a_sign_in_is_stored_or_logged_in_plain_text(
    world, provider, browser, logs
):
    asked = await browser.start(challenge=CHALLENGE)
    url = await browser.call_back(**provider.answer(asked))
    ticket = query_of(url)["ticket"]
    provider.lies = {"nonce": "another"}
    await browser.sign_in(provider)
    await until(lambda: "oauth_failed" in logs.getvalue())
    file = world.settings.database_url.removeprefix("sqlite:///")
    kept = b"".join(Path(f"{file}{end}").read_bytes() for end in ("", "-wal"))
    for secret in (ticket, asked["state"], asked["nonce"], PASSWORD):
        assert secret.encode() not in kept
        assert secret not in logs.getvalue()
