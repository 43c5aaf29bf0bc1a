"""A world whose files can be reached where it says that they are."""

from collections.abc import AsyncIterator

import pytest

from tests.parts.ports import free_port
from tests.platform.uploads.bringing import Bringer, bringer
from tests.world import World


@pytest.fixture
async def world(make_world) -> World:
    port = free_port()
    return await make_world(port=port, PARLEY_PUBLIC_URL=f"http://127.0.0.1:{port}")


@pytest.fixture
async def ana(world: World) -> AsyncIterator[Bringer]:
    async with bringer(world, await world.person("ana")) as one:
        yield one


@pytest.fixture
async def ben(world: World) -> AsyncIterator[Bringer]:
    async with bringer(world, await world.person("ben")) as one:
        yield one
