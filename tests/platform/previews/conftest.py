"""A web server with pages that the test defines."""

from collections.abc import AsyncIterator

import pytest

from tests.parts.web import Web, running_web
from tests.world import World


@pytest.fixture
async def web(tmp_path) -> AsyncIterator[Web]:
    async with running_web(tmp_path) as running:
        yield running


@pytest.fixture
async def world(make_world, web: Web) -> World:
    """A server with link previews that fetches pages from the test's web server."""
    world = await make_world(PARLEY_LINK_PREVIEWS="true")
    world.app.kernel.pages = web.client()
    return world
