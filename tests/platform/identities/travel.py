"""A browser's way to a provider and back, without a browser."""

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
    """The settings of a server at which one can sign in by `house`."""
    said = {"client_id": CLIENT_ID, "client_secret": CLIENT_SECRET, "issuer": provider.url, **more}
    return {
        "PARLEY_OAUTH_PROVIDERS": json.dumps({name: said}),
        "PARLEY_PUBLIC_URL": PUBLIC_URL,
        "PARLEY_OAUTH_REDIRECTS": APP,
    }


class Traveller:
    """Somebody's browser: it has cookies, and follows no redirect by itself."""

    def __init__(self, world: World, http: aiohttp.ClientSession) -> None:
        self.world = world
        self.http = http

    async def get(self, path: str, **query: str) -> aiohttp.ClientResponse:
        """One request; cookies are kept as a browser does on TLS."""
        place = f"{self.world.url}{path}?{urlencode(query)}"
        async with self.http.get(place, allow_redirects=False) as answer:
            await answer.read()
        for name, cookie in answer.cookies.items():
            self.http.headers["Cookie"] = f"{name}={cookie.value}"  # type: ignore[index]
        return answer

    async def leave(self, name: str = "house", **query: str) -> dict[str, str]:
        """Start; the query with which one comes to the provider."""
        answer = await self.get(f"/oauth/{name}/start", **query)
        assert answer.status == 303, await answer.text()
        return query_of(answer.headers["Location"])

    async def come_back(self, name: str = "house", **said: str) -> str:
        """Call back; the place that one is sent to."""
        answer = await self.get(f"/oauth/{name}/callback", **said)
        assert answer.status == 303, await answer.text()
        return answer.headers["Location"]

    async def travel(
        self, provider: FakeProvider, name: str = "house", **query: str
    ) -> dict[str, str]:
        """All the way: `{ticket}` or `{error}`."""
        asked = await self.leave(name, **query)
        return query_of(await self.come_back(name, **provider.answer(asked)))

    async def ticket(self, provider: FakeProvider, name: str = "house", **query: str) -> str:
        return (await self.travel(provider, name, **query))["ticket"]


@asynccontextmanager
async def traveller(world: World) -> AsyncIterator[Traveller]:
    async with aiohttp.ClientSession(cookie_jar=aiohttp.DummyCookieJar()) as http:
        yield Traveller(world, http)


def host_of(place: str) -> str:
    return urlsplit(place).netloc


def without(claims: dict[str, Any], *names: str) -> dict[str, Any]:
    return {name: value for name, value in claims.items() if name not in names}
