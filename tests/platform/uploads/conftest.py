"""A server whose public URL is its real one, so that signed URLs work."""

from collections.abc import AsyncIterator

import pytest

from tests.parts.ports import free_port
from tests.platform.uploads.uploading import Uploader, uploader
from tests.world import World


@pytest.fixture
async def world(make_world) -> World:
    port = free_port()
    return await make_world(port=port, PARLEY_PUBLIC_URL=f"http://127.0.0.1:{port}")


@pytest.fixture
async def ana(world: World) -> AsyncIterator[Uploader]:
    async with uploader(world, await world.person("ana")) as one:
        yield one


@pytest.fixture
async def ben(world: World) -> AsyncIterator[Uploader]:
    async with uploader(world, await world.person("ben")) as one:
        yield one
