"""A world at which one can sign in by a house of the test's own."""

from collections.abc import AsyncIterator

import pytest

from tests.parts.provider import FakeProvider, running_provider
from tests.platform.identities.travel import Traveller, settings_for, traveller
from tests.world import World


@pytest.fixture
async def provider() -> AsyncIterator[FakeProvider]:
    async with running_provider() as running:
        yield running


@pytest.fixture
async def world(make_world, provider: FakeProvider) -> World:
    return await make_world(**settings_for(provider))


@pytest.fixture
async def ana(world: World) -> AsyncIterator[Traveller]:
    """A browser."""
    async with traveller(world) as one:
        yield one
