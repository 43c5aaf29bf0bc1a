"""A web whose pages do what the test says."""

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
    """A world that shows pages, and for which the web is the test's."""
    world = await make_world(PARLEY_LINK_PREVIEWS="true")
    world.app.kernel.pages = web.client()
    return world
