"""Signing in with a provider by HTTP requests, without a real browser."""

import base64
import hashlib
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any
from urllib.parse import urlencode, urlsplit

import aiohttp

from tests.parts.provider import CLIENT_ID, CLIENT_SECRET, FakeProvider, query_of
from tests.world import World

PUBLIC_URL = "https://parley.example"
APP = "org.example.parley://signed-in"
VERIFIER = "the verifier that only this client of the test knows"
VERIFIER = VERIFIER.replace(" ", "-")
CHALLENGE = (
    base64.urlsafe_b64encode(hashlib.sha256(VERIFIER.encode()).digest()).rstrip(b"=").decode()
)


def settings_for(provider: FakeProvider, name: str = "house", **more: str) -> dict[str, str]:
    """The settings of a server where users can sign in with this provider."""
    response = {
        "client_id": CLIENT_ID,
        "client_secret": CLIENT_SECRET,
        "issuer": provider.url,
        **more,
    }
    return {
        "PARLEY_OAUTH_PROVIDERS": json.dumps({name: response}),
        "PARLEY_PUBLIC_URL": PUBLIC_URL,
        "PARLEY_OAUTH_REDIRECTS": APP,
    }


class Browser:
    """A client that keeps cookies as a browser does, and does not follow redirects by itself."""

    def __init__(self, world: World, http: aiohttp.ClientSession) -> None:
        self.world = world
        self.http = http

    async def get(self, path: str, **query: str) -> aiohttp.ClientResponse:
        """Send a request, and keep its cookies as a browser does with TLS."""
        url = f"{self.world.url}{path}?{urlencode(query)}"
        async with self.http.get(url, allow_redirects=False) as answer:
            await answer.read()
        for name, cookie in answer.cookies.items():
            self.http.headers["Cookie"] = f"{name}={cookie.value}"  # type: ignore[index]
        return answer

    async def start(self, name: str = "house", **query: str) -> dict[str, str]:
        """Start a sign-in, and return the query of the authorization request."""
        answer = await self.get(f"/oauth/{name}/start", **query)
        assert answer.status == 303, await answer.text()
        return query_of(answer.headers["Location"])

    async def call_back(self, name: str = "house", **response: str) -> str:
        """Send the callback, and return the URL of its redirect."""
        answer = await self.get(f"/oauth/{name}/callback", **response)
        assert answer.status == 303, await answer.text()
        return answer.headers["Location"]

    async def sign_in(
        self, provider: FakeProvider, name: str = "house", **query: str
    ) -> dict[str, str]:
        """Run the whole sign-in, and return `{ticket}` or `{error}`."""
        asked = await self.start(name, **query)
        return query_of(await self.call_back(name, **provider.answer(asked)))

    async def ticket(self, provider: FakeProvider, name: str = "house", **query: str) -> str:
        return (await self.sign_in(provider, name, **query))["ticket"]


@asynccontextmanager
async def open_browser(world: World) -> AsyncIterator[Browser]:
    async with aiohttp.ClientSession(cookie_jar=aiohttp.DummyCookieJar()) as http:
        yield Browser(world, http)


def host_of(url: str) -> str:
    return urlsplit(url).netloc


def without(claims: dict[str, Any], *names: str) -> dict[str, Any]:
    return {name: value for name, value in claims.items() if name not in names}
