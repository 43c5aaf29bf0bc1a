"""Signing in at another house: the way there and back, and what is not believed."""

import asyncio
import time
from pathlib import Path

import pytest

from handlers.platform.identities.contracts import StartOAuth
from handlers.platform.identities.http_client import HttpClient, ProviderUnavailable
from handlers.platform.identities.tickets import hash_of, make_authorization_request
from tests.consulting.waiting_room.scenes import ask_before_commit
from tests.parts.provider import CLIENT_ID, another_key, person, query_of, shared_secret
from tests.platform.identities.travel import APP, CHALLENGE, PUBLIC_URL, VERIFIER, traveller
from tests.wire_client import Refused
from tests.world import PASSWORD, World, both_databases, one_database, until, with_server

pytestmark = with_server


@pytest.fixture
async def door(world: World):
    """A visitor in /auth."""
    return await world.visitor("/auth", "/signup")


async def code_of(client, command: str, **payload) -> str:
    with pytest.raises(Refused) as refused:
        await client.call("/auth", command, **payload)
    return refused.value.code


async def test_a_stranger_becomes_a_user_and_comes_back_as_the_same(world, provider, ana, door):
    session = await door.call("/auth", "oauth", ticket=await ana.ticket(provider))
    user = session["user"]
    assert (user["email"], user["email_verified"]) == ("ana@example.org", True)
    assert (user["first_name"], user["last_name"]) == ("Ana", "Example")
    device = await world.connect(session["access_token"])
    await device.enter("/profile")
    assert await device.call("/profile", "me") == user
    again = await door.call("/auth", "oauth", ticket=await ana.ticket(provider))
    assert again["user"] == user
    assert again["refresh_token"] != session["refresh_token"]
    assert await world.stored("USER_CREATED") == [{"user": user}]
    (linked,) = await world.stored("OAUTH_LINKED")
    assert (linked["user_id"], linked["provider"]) == (user["id"], "house")
    successes = await world.stored("AUTH_SUCCESS")
    assert [(one["user_id"], one["method"]) for one in successes] == [(user["id"], "house")] * 2
    assert not any(one["new_device"] for one in successes)  # the first one is no news
    assert await door.call("/auth", "providers") == {
        "providers": [{"name": "house", "title": "House"}]
    }


@one_database
async def test_the_provider_is_asked_with_everything_that_binds_its_answer(provider, ana):
    first, second = await ana.leave(), await ana.leave(fresh="1")
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
async def test_the_cookie_that_binds_the_browser_is_for_the_server_alone(ana):
    answer = await ana.get("/oauth/house/start")
    (cookie,) = answer.cookies.values()
    assert (cookie["httponly"], cookie["secure"], cookie["samesite"]) == (True, True, "Lax")
    assert (cookie["path"], cookie["max-age"]) == ("/", "600")
    assert cookie.key == "__Host-parley_oauth"  # which no other host of the domain can set
    assert answer.headers["Cache-Control"] == "no-store"


LIES = {
    "another nonce": {"nonce": "another"},
    "no nonce": {"nonce": None},
    "another audience": {"aud": "another client"},
    "no audience": {"aud": None},
    "ours and others', for another": {"aud": [CLIENT_ID, "another"], "azp": "another"},
    "another issuer": {"iss": "https://accounts.example"},
    "it is over": {"exp": 1},
    "no end": {"exp": None},
    "from the future": {"iat": int(time.time()) + 86_400},
    "no subject": {"sub": None},
    "a subject that is none": {"sub": 7},
    "a subject too long": {"sub": "x" * 256},
    "another access token": {"at_hash": "c29tZXRoaW5nIGVsc2UuLg"},
}


@one_database
@pytest.mark.parametrize("lies", LIES.values(), ids=LIES)
async def test_an_id_token_that_is_wrong_opens_nothing(world, provider, ana, lies):
    provider.lies = lies
    assert await ana.travel(provider) == {"error": "OAUTH_FAILED"}
    (failure,) = await world.stored("AUTH_FAILURE")
    assert (failure["method"], failure["reason"]) == ("house", "OAUTH_FAILED")
    provider.lies = {}
    assert "ticket" in await ana.travel(provider)


SIGNATURES = {
    "nobody's": ({"alg": "none"}, None),
    "another key's": ({"alg": "RS256", "kid": "one"}, another_key()),
    "an unknown key's": ({"alg": "RS256", "kid": "two"}, another_key()),
    "the client's own secret's": ({"alg": "HS256"}, shared_secret()),
}


@one_database
@pytest.mark.parametrize(("header", "key"), SIGNATURES.values(), ids=SIGNATURES)
async def test_an_id_token_that_the_house_did_not_sign_opens_nothing(provider, ana, header, key):
    provider.header, provider.key = header, key
    assert await ana.travel(provider) == {"error": "OAUTH_FAILED"}


@one_database
async def test_what_the_house_tells_apart_from_the_id_token_must_be_of_the_same_person(
    provider, ana
):
    provider.userinfo = person("ana")
    assert "ticket" in await ana.travel(provider)
    provider.userinfo = person("ben")
    assert await ana.travel(provider) == {"error": "OAUTH_FAILED"}


@one_database
async def test_an_answer_in_the_name_of_another_issuer_opens_nothing(provider, ana):
    """RFC 9207: where a server is a client of several providers they could be mixed up."""
    said = provider.answer(await ana.leave())
    assert query_of(await ana.come_back(**said, iss="https://accounts.example")) == {
        "error": "OAUTH_FAILED"
    }
    said = provider.answer(await ana.leave())
    assert "ticket" in query_of(await ana.come_back(**said, iss=provider.url))


# The state.


async def test_a_state_is_good_once_in_its_own_browser_and_in_its_time(world, provider, ana):
    said = provider.answer(await ana.leave())
    async with traveller(world) as other:
        await other.leave()  # it has a cookie, but another one
        assert query_of(await other.come_back(**said)) == {"error": "OAUTH_STATE"}
    forged = said | {"state": "x" * 43}
    assert query_of(await ana.come_back(**forged)) == {"error": "OAUTH_STATE"}
    assert query_of(await ana.come_back(code=said["code"])) == {"error": "OAUTH_STATE"}
    place = await ana.come_back(**said)  # what others tried did not cost it
    assert place.startswith(f"{PUBLIC_URL}/#/oauth?ticket=")
    assert query_of(await ana.come_back(**said)) == {"error": "OAUTH_STATE"}
    late = provider.answer(await ana.leave())
    world.clock.advance(601)
    assert query_of(await ana.come_back(**late)) == {"error": "OAUTH_STATE"}
    reasons = [one["reason"] for one in await world.stored("AUTH_FAILURE")]
    assert reasons == ["OAUTH_STATE"] * 5


@both_databases
async def test_of_the_same_answer_brought_many_times_at_once_one_counts(provider, ana):
    said = provider.answer(await ana.leave())
    places = await asyncio.gather(*(ana.come_back(**said) for _ in range(6)))
    answers = [query_of(place) for place in places]
    assert sum("ticket" in answer for answer in answers) == 1
    assert sum(answer == {"error": "OAUTH_STATE"} for answer in answers) == 5


@one_database
async def test_several_tabs_of_a_browser_do_not_disturb_each_other(provider, ana):
    first, second = await ana.leave(), await ana.leave()
    for asked in (second, first):
        assert "ticket" in query_of(await ana.come_back(**provider.answer(asked)))


@one_database
async def test_a_code_that_was_used_before_opens_nothing(provider, ana):
    said = provider.answer(await ana.leave())
    await ana.come_back(**said)
    fresh = await ana.leave()
    replayed = {"state": fresh["state"], "code": said["code"]}
    assert query_of(await ana.come_back(**replayed)) == {"error": "OAUTH_FAILED"}


@one_database
async def test_who_says_no_at_the_house_is_told_so_here(world, ana):
    asked = await ana.leave()
    place = await ana.come_back(state=asked["state"], error="access_denied")
    assert query_of(place) == {"error": "OAUTH_CANCELLED"}
    asked = await ana.leave()
    place = await ana.come_back(state=asked["state"], error="server_error")
    assert query_of(place) == {"error": "OAUTH_FAILED"}
    reasons = [one["reason"] for one in await world.stored("AUTH_FAILURE")]
    assert reasons == ["OAUTH_CANCELLED", "OAUTH_FAILED"]


@one_database
async def test_a_house_that_is_away_is_no_ones_fault(provider, ana):
    provider.status = 503
    assert await ana.travel(provider) == {"error": "OAUTH_UNAVAILABLE"}


@one_database
async def test_who_stands_in_line_for_a_house_that_does_not_answer_waits_once(
    world, provider, ana, monkeypatch
):
    asked, gives_up = [], asyncio.Event()

    async def be_silent(outside, url, headers=None):
        asked.append(url)
        await gives_up.wait()
        raise ProviderUnavailable("TimeoutError")

    provider = world.app.kernel.providers.find("house")
    errand = make_authorization_request(
        world.clock.now(), StartOAuth(), f"{PUBLIC_URL}/oauth/house/callback"
    )
    with monkeypatch.context() as patched:
        patched.setattr(HttpClient, "get", be_silent)
        leaving = [asyncio.ensure_future(provider.authorization_url(errand)) for _ in range(5)]
        await until(lambda: asked)
        gives_up.set()
        came_of_it = await asyncio.gather(*leaving, return_exceptions=True)
    assert [type(one) for one in came_of_it] == [ProviderUnavailable] * 5
    assert len(asked) == 1
    await ana.leave()  # it is asked again at once by who comes later


DOCUMENTS = {
    "another issuer's": {"issuer": "https://accounts.example"},
    "without TLS": {"token_endpoint": "http://accounts.example/token"},
    "none": {"jwks_uri": None},
}


@one_database
@pytest.mark.parametrize("document", DOCUMENTS.values(), ids=DOCUMENTS)
async def test_a_discovery_document_that_is_wrong_leads_nowhere(provider, ana, document):
    provider.document = document
    answer = await ana.get("/oauth/house/start")
    assert query_of(answer.headers["Location"]) == {"error": "OAUTH_UNAVAILABLE"}


# Tickets.


async def test_a_ticket_is_good_once_and_in_its_time(world, provider, ana, door):
    ticket = await ana.ticket(provider)
    assert await code_of(door, "oauth", ticket=ticket[:-1] + "!") == "TICKET_INVALID"
    await door.call("/auth", "oauth", ticket=ticket)
    assert await code_of(door, "oauth", ticket=ticket) == "TICKET_INVALID"
    late = await ana.ticket(provider)
    world.clock.advance(601)
    assert await code_of(door, "oauth", ticket=late) == "TICKET_INVALID"


@both_databases
async def test_of_many_who_spend_a_ticket_at_once_one_is_let_in(provider, ana, door):
    ticket = await ana.ticket(provider)
    answers = await asyncio.gather(
        *(door.ask("/auth", "oauth", {"ticket": ticket}) for _ in range(6))
    )
    assert sum(answer["ok"] for answer in answers) == 1
    assert {a["error"]["code"] for a in answers if not a["ok"]} == {"TICKET_INVALID"}


@pytest.mark.parametrize("database_kind", ["postgresql"], indirect=True)
async def test_a_ticket_that_is_just_being_spent_opens_nothing(provider, ana, door, database_url):
    ticket = await ana.ticket(provider)
    answer = await ask_before_commit(
        database_url,
        "DELETE FROM oauth_tickets WHERE hash = $1",
        hash_of(ticket),
        door.ask("/auth", "oauth", {"ticket": ticket}),
    )
    assert answer["error"]["code"] == "TICKET_INVALID"


@one_database
async def test_a_ticket_with_a_challenge_is_for_who_has_the_verifier(provider, ana, door):
    ticket = await ana.ticket(provider, challenge=CHALLENGE)
    assert await code_of(door, "oauth", ticket=ticket) == "TICKET_INVALID"
    wrong = VERIFIER.replace("only", "also")
    assert await code_of(door, "oauth", ticket=ticket, verifier=wrong) == "TICKET_INVALID"
    assert (await door.call("/auth", "oauth", ticket=ticket, verifier=VERIFIER))["user"]


@one_database
async def test_an_app_gets_its_ticket_at_an_address_of_the_list_and_only_with_a_challenge(
    provider, ana
):
    asked = await ana.leave(redirect=APP, challenge=CHALLENGE)
    place = await ana.come_back(**provider.answer(asked))
    assert place.startswith(f"{APP}?ticket=")
    asked = await ana.leave(redirect=APP, challenge=CHALLENGE)
    place = await ana.come_back(state=asked["state"], error="access_denied")
    assert place == f"{APP}?error=OAUTH_CANCELLED"
    for query in (
        {"redirect": APP},
        {"redirect": f"{APP}.evil.example", "challenge": CHALLENGE},
        {"redirect": "https://evil.example", "challenge": CHALLENGE},
        {"challenge": "too short"},
        {"anything": "else"},
    ):
        answer = await ana.get("/oauth/house/start", **query)
        assert answer.status == 400, query
        assert (await answer.json())["error"]["code"] == "INVALID"


@one_database
async def test_an_unknown_provider_is_not_there(ana):
    for path in ("/oauth/nobody/start", "/oauth/nobody/callback"):
        answer = await ana.get(path)
        assert answer.status == 404
        assert (await answer.json())["error"]["code"] == "NOT_FOUND"


@one_database
@pytest.mark.settings(PARLEY_LIMITS="default", PARLEY_ATTEMPTS_PER_MINUTE="3")
async def test_ways_to_a_provider_are_counted_as_attempts(ana):
    for _ in range(3):
        await ana.leave()
    answer = await ana.get("/oauth/house/start")
    assert answer.status == 429
    assert int(answer.headers["Retry-After"]) >= 1


# Addresses.


async def test_an_equal_address_links_nothing_by_itself(world, provider, ana, door):
    owner = await world.sign_up("ana")
    ticket = await ana.ticket(provider, challenge=CHALLENGE)
    proof = {"ticket": ticket, "verifier": VERIFIER}
    assert await code_of(door, "oauth", **proof) == "EMAIL_TAKEN"
    assert await world.stored("OAUTH_LINKED") == []
    # The refusal did not cost the ticket: who signs in as the owner can link it.
    methods = await owner.call("/profile", "link", **proof)
    assert [one["provider"] for one in methods["identities"]] == ["house"]
    session = await door.call("/auth", "oauth", ticket=await ana.ticket(provider))
    assert session["user"]["id"] == owner.id


@pytest.mark.parametrize("claim", [False, None])
async def test_an_address_that_the_house_does_not_vouch_for_is_proved_by_a_pincode(
    world, provider, ana, door, claim
):
    provider.person = person("ana", email_verified=claim)
    ticket = await ana.ticket(provider)
    answer = await door.ask("/auth", "oauth", {"ticket": ticket})
    assert answer["error"]["code"] == "EMAIL_NEEDED"
    assert answer["error"]["details"] == {"suggested": "ana@example.org"}
    await door.call("/signup", "start", email="ana.at.work@example.org")
    pincode = await world.mails.pincode("ana.at.work@example.org")
    more = {"ticket": ticket, "email": "ana.at.work@example.org"}
    wrong = "000000" if pincode != "000000" else "000001"
    assert await code_of(door, "oauth", **more, pincode=wrong) == "PINCODE_WRONG"
    session = await door.call("/auth", "oauth", **more, pincode=pincode)
    assert session["user"]["email"] == "ana.at.work@example.org"
    assert session["user"]["first_name"] == "Ana"


@one_database
async def test_who_has_no_name_at_the_house_is_called_by_their_address(provider, ana, door):
    provider.person = {"sub": "s", "email": "ana@example.org", "email_verified": "true"}
    session = await door.call("/auth", "oauth", ticket=await ana.ticket(provider))
    assert session["user"]["first_name"] == "ana"
    provider.person = {
        "sub": "t",
        "email": "b@example.org",
        "email_verified": True,
        "name": "Ben A B",
    }
    session = await door.call("/auth", "oauth", ticket=await ana.ticket(provider))
    assert (session["user"]["first_name"], session["user"]["last_name"]) == ("Ben", "A B")
    provider.person = {"sub": "u", "email": "c@example.org", "email_verified": True}
    provider.person |= {
        "given_name": "\u202eCleo\r\n\nPay",
        "family_name": "\u200b\x1b" + "x\u0301" * 99,
    }
    session = await door.call("/auth", "oauth", ticket=await ana.ticket(provider))
    user = session["user"]
    assert (user["first_name"], user["last_name"]) == ("Cleo Pay", "x\u0301" * 50)


@one_database
async def test_no_secret_of_the_way_is_kept_in_the_clear(world, provider, ana, logs):
    asked = await ana.leave(challenge=CHALLENGE)
    place = await ana.come_back(**provider.answer(asked))
    ticket = query_of(place)["ticket"]
    provider.lies = {"nonce": "another"}
    await ana.travel(provider)
    await until(lambda: "oauth_failed" in logs.getvalue())
    file = world.settings.database_url.removeprefix("sqlite:///")
    kept = b"".join(Path(f"{file}{end}").read_bytes() for end in ("", "-wal"))
    for secret in (ticket, asked["state"], asked["nonce"], PASSWORD):
        assert secret.encode() not in kept
        assert secret not in logs.getvalue()
