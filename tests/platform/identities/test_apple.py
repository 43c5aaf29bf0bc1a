"""Apple's ways: a post from its own site, a name beside the ID token, a secret that is signed."""

import json

import pytest
from joserfc import jwt
from joserfc.jwk import ECKey

from tests.parts.provider import CLIENT_ID, apple_key, person, query_of
from tests.platform.identities.travel import PUBLIC_URL, settings_for
from tests.world import one_database, with_server

pytestmark = [one_database, with_server]
KEY = apple_key()


@pytest.fixture
async def world(make_world, provider):
    key = KEY.as_pem(private=True).decode()
    signing = {"team_id": "TEAM", "key_id": "KEY", "private_key": key, "client_secret": ""}
    return await make_world(**settings_for(provider, "apple", **signing))


async def post(ana, said):
    """What Apple's page lets the browser post, which adds none of our cookies."""
    place = f"{ana.world.url}/oauth/apple/callback"
    headers = {"Origin": "https://appleid.apple.com", "Cookie": ""}
    async with ana.http.post(place, data=said, headers=headers, allow_redirects=False) as answer:
        return answer


async def test_apples_post_is_sent_on_to_where_the_cookie_is(world, provider, ana):
    provider.person = {"sub": "a", "email": "x@privaterelay.example", "email_verified": "true"}
    asked = await ana.leave("apple")
    assert asked["response_mode"] == "form_post"
    assert asked["scope"] == "openid email name"
    user = {"name": {"firstName": "Ana", "lastName": "Example"}, "email": "not@believed.example"}
    answer = await post(ana, provider.answer(asked) | {"user": json.dumps(user)})
    assert answer.status == 303
    place = answer.headers["Location"]
    assert place.startswith(f"{PUBLIC_URL}/oauth/apple/callback?")
    ticket = query_of(await ana.come_back("apple", **query_of(place)))["ticket"]
    door = await world.visitor("/auth")
    session = await door.call("/auth", "oauth", ticket=ticket)
    assert session["user"]["email"] == "x@privaterelay.example"
    assert (session["user"]["first_name"], session["user"]["last_name"]) == ("Ana", "Example")


@pytest.mark.parametrize(
    "user", ["", "no JSON", "[]", '{"name": 7}', '{"name": {"firstName": ""}}']
)
async def test_a_name_that_is_none_is_no_name(provider, ana, user):
    answer = await post(ana, provider.answer(await ana.leave("apple")) | {"user": user})
    said = query_of(answer.headers["Location"])
    assert said.keys() == {"state", "code"}
    assert "ticket" in query_of(await ana.come_back("apple", **said))


async def test_the_secret_that_apple_is_shown_is_signed_by_the_teams_key(world, provider, ana):
    provider.person = person("ana")
    await ana.travel(provider, "apple")
    (secret,) = provider.shown_secrets
    read = jwt.decode(secret, ECKey.import_key(KEY.as_dict(private=False)), algorithms=["ES256"])
    assert (read.header["alg"], read.header["kid"]) == ("ES256", "KEY")
    claims = read.claims
    assert (claims["iss"], claims["sub"], claims["aud"]) == ("TEAM", CLIENT_ID, provider.url)
    assert 0 < claims["exp"] - claims["iat"] <= 600
