"""Routes of domains check roles, and none of them hides another."""

from types import SimpleNamespace
from typing import Any

import aiohttp
import pytest
from aiohttp import web
from multidict import CIMultiDict

from handlers.kit.context import Context
from handlers.kit.domain import Domain
from handlers.kit.registry import Registry
from handlers.kit.uniqueness import WrongDeclaration
from handlers.platform.profile.public import add_role, remove_role
from server.rest import Rest
from tests.world import World, one_database


async def fetch(world: World, token: str | None) -> tuple[int, Any]:
    """The status and JSON of a route for moderators and admins."""
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    async with (
        aiohttp.ClientSession(headers=headers) as http,
        http.get(f"{world.url}/probe/rule") as answer,
    ):
        return answer.status, await answer.json()


@one_database
async def test_a_route_is_open_to_exactly_its_roles_without_delay(world: World):
    ana = await world.person("ana")
    status, said = await fetch(world, None)
    assert (status, said["error"]["code"]) == (401, "TOKEN_MISSING")
    for change, expected in ((None, 403), (add_role, 200), (remove_role, 403)):
        if change is not None:
            await world.transact(change, ana.id, "moderator")
        status, said = await fetch(world, ana.token)
        assert status == expected
        assert expected == 200 or said["error"]["code"] == "FORBIDDEN"


@one_database
async def test_a_route_that_is_refused_counts_like_any_other_request(
    world: World, monkeypatch: pytest.MonkeyPatch
):
    ana, taken = await world.person("ana"), []

    async def take(rate: str, user_id: str, count: int) -> float:
        taken.append((rate, user_id))
        return 0.0

    monkeypatch.setattr(world.app.limits, "take", take)
    assert (await fetch(world, ana.token))[0] == 403
    assert taken == [("commands", ana.id)]


@one_database
async def test_two_tokens_are_refused(world: World):
    ana, ben = await world.person("ana", "moderator"), await world.person("ben")
    headers = [("Authorization", f"Bearer {one.token}") for one in (ana, ben)]
    async with (
        aiohttp.ClientSession(headers=CIMultiDict(headers)) as http,
        http.get(f"{world.url}/probe/rule") as answer,
    ):
        assert answer.status == 401
        assert (await answer.json())["error"]["code"] == "TOKEN_MISSING"


def test_a_route_by_a_path_of_the_server_itself_stops_the_start():
    async def get_metrics(ctx: Context, request: Any) -> web.Response: ...

    async def metrics(request: web.Request) -> web.Response: ...

    application = web.Application()
    application.router.add_get("/metrics", metrics)
    domain = Domain("gauges")
    domain.route("GET", "/metrics")(get_metrics)
    app: Any = SimpleNamespace(registry=Registry((domain,)), limits=None)
    with pytest.raises(WrongDeclaration, match=r"the server itself and .*get_metrics"):
        Rest(app).add_to(application)
