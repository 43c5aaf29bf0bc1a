"""Unusual requests to every route get a client error, never a server error."""

import itertools
import json
import re
from typing import Any

import aiohttp
import pytest
from yarl import URL

from tests.parts.provider import running_provider
from tests.platform.identities.travel import settings_for
from tests.world import World, one_database

pytestmark = one_database
VARIABLE = re.compile(r"\{\w+(?::[^{}]*(?:\{[^{}]*\}[^{}]*)*)?\}")
FILLINGS = (
    "x",
    "%00",
    "%ff%fe",
    "%ed%a0%80",
    "..%2f..%2fetc%2fpasswd",
    "incoming/x",
    "1",
    "99999",
    "%d9%a3",
    "a" * 3_000,
    "a/" * 1_000,
    "00000000-0000-0000-0000-000000000000",
)
SIGNED = "signature=x&until=9&name=n"
QUERIES = (
    "",
    "a=b=c",
    "state=%00&code=%ff",
    "challenge=%00&fresh=1&fresh=2",
    "type=%0d%0aX:y",
    "small=%ff",
    f"{SIGNED}&type=t&size=x&sha256=y",
    f"{SIGNED}&type=t&type=u",
    "EIO=4&transport=polling&sid=none",
    "EIO=x&transport=carrier",
    "EIO=4&transport=polling&j=x",
    "&" * 500,
)
LINE_MAX = 4_096
"""Longer request lines are refused before they are parsed."""
BODIES = (b"", b"{}", b"[" * 20_000, b"\xff\x00", b'{"size":1e999}', b"null", b"4" + b"9" * 400)
TYPES = ("application/json", "application/x-www-form-urlencoded", "text/plain;charset=none")


@pytest.fixture
async def world(make_world: Any) -> Any:
    async with running_provider() as house:
        yield await make_world(**settings_for(house))


def paths_of(world: World) -> list[tuple[str, str]]:
    """Every served method and path, with unusual values of its variables."""
    found = set()
    for route in world.app.web.router.routes():
        assert route.resource is not None
        path = route.resource.canonical
        for filling in FILLINGS:
            filled = path
            while VARIABLE.search(filled):
                filled = VARIABLE.sub(lambda _, by=filling: by, filled, count=1)
            found.add((route.method, filled))
            found.add((route.method, filled.replace(f"/{filling}", f"/house/{filling}", 1)))
    return sorted(found)


async def statuses(world: World, http: aiohttp.ClientSession, method: str, path: str) -> Any:
    """The status of each unusual request, with a description of the request."""
    bodies = itertools.cycle(itertools.product(BODIES, TYPES))
    for query in QUERIES:
        body, content_type = next(bodies) if method not in ("GET", "HEAD") else (None, "")
        url = URL(f"{world.url}{path}?{query}", encoded=True)
        if method == "HEAD" and len(url.raw_path_qs) > LINE_MAX:
            continue  # its method is not read either, so the refusal has a body
        headers = {"Content-Type": content_type} if content_type else {}
        async with http.request(
            method, url, data=body, headers=headers, allow_redirects=False
        ) as answer:
            await answer.read()
            yield answer.status, (method, path[:80], query[:80], body and body[:20])


@pytest.mark.parametrize("known", [False, True], ids=["stranger", "person"])
async def test_no_unusual_request_gets_a_server_error(world, known, logs):
    person = await world.person("ana") if known else None
    token = {"Authorization": f"Bearer {person.token}"} if person else {}
    asked = 0
    async with aiohttp.ClientSession(headers=token) as http:
        for method, path in paths_of(world):
            async for status, what in statuses(world, http, method, path):
                assert status < 500, (status, what)
                asked += 1
    assert asked > 1_000
    for sign in ("Traceback", "request_failed", "packet_failed"):
        assert sign not in logs.getvalue(), sign


async def test_malformed_bodies_are_refused_by_every_route_with_a_body(world):
    person = await world.person("ana")
    headers = {"Authorization": f"Bearer {person.token}", "Content-Type": "application/json"}
    routes = [route for route in world.app.registry.routes if route.takes is not None]
    assert routes
    odd = (b"{", b"[]", b"null", b'"x"', b"\xff", b'{"no":1}', b"[" * 20_000, b'{"size":-1}')
    async with aiohttp.ClientSession(headers=headers) as http:
        for route, body in itertools.product(routes, odd):
            path = VARIABLE.sub("1", route.path)
            async with http.request(route.method, world.url + path, data=body) as answer:
                said = json.loads(await answer.read())
            assert 400 <= answer.status < 500, (route.path, body[:20])
            assert said["error"]["code"] in ("INVALID", "NOT_FOUND"), (route.path, body[:20])
