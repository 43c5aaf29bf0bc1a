"""Sign in with Apple: a cross-site form post, a name beside the ID token, a signed secret."""

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


async def post(browser, response):
    """Send the form post of Apple's page, to which the browser adds none of our cookies."""
    url = f"{browser.world.url}/oauth/apple/callback"
    headers = {"Origin": "https://appleid.apple.com", "Cookie": ""}
    async with browser.http.post(
        url, data=response, headers=headers, allow_redirects=False
    ) as answer:
        return answer


async def test_apples_form_post_is_redirected_to_a_callback_with_the_cookie(
    world, provider, browser
):
    provider.person = {"sub": "a", "email": "x@privaterelay.example", "email_verified": "true"}
    asked = await browser.start("apple")
    assert asked["response_mode"] == "form_post"
    assert asked["scope"] == "openid email name"
    user = {"name": {"firstName": "Ana", "lastName": "Example"}, "email": "not@believed.example"}
    answer = await post(browser, provider.answer(asked) | {"user": json.dumps(user)})
    assert answer.status == 303
    url = answer.headers["Location"]
    assert url.startswith(f"{PUBLIC_URL}/oauth/apple/callback?")
    ticket = query_of(await browser.call_back("apple", **query_of(url)))["ticket"]
    visitor = await world.visitor("/auth")
    session = await visitor.call("/auth", "oauth", ticket=ticket)
    assert session["user"]["email"] == "x@privaterelay.example"
    assert (session["user"]["first_name"], session["user"]["last_name"]) == ("Ana", "Example")


@pytest.mark.parametrize(
    "user", ["", "no JSON", "[]", '{"name": 7}', '{"name": {"firstName": ""}}']
)
async def test_an_invalid_user_field_in_apples_post_is_ignored(provider, browser, user):
    answer = await post(browser, provider.answer(await browser.start("apple")) | {"user": user})
    response = query_of(answer.headers["Location"])
    assert response.keys() == {"state", "code"}
    assert "ticket" in query_of(await browser.call_back("apple", **response))


async def test_the_client_secret_for_apple_is_signed_with_the_teams_key(world, provider, browser):
    provider.person = person("ana")
    await browser.sign_in(provider, "apple")
    (secret,) = provider.shown_secrets
    read = jwt.decode(secret, ECKey.import_key(KEY.as_dict(private=False)), algorithms=["ES256"])
    assert (read.header["alg"], read.header["kid"]) == ("ES256", "KEY")
    claims = read.claims
    assert (claims["iss"], claims["sub"], claims["aud"]) == ("TEAM", CLIENT_ID, provider.url)
    assert 0 < claims["exp"] - claims["iat"] <= 600
