"""A world at which one can sign in by a house of the test's own."""

from collections.abc import AsyncIterator

import pytest

from tests.parts.house import FakeHouse, running_house
from tests.platform.identities.travel import Traveller, settings_for, traveller
from tests.world import World


@pytest.fixture
async def house() -> AsyncIterator[FakeHouse]:
    async with running_house() as running:
        yield running


@pytest.fixture
async def world(make_world, house: FakeHouse) -> World:
    return await make_world(**settings_for(house))


@pytest.fixture
async def ana(world: World) -> AsyncIterator[Traveller]:
    """A browser."""
    async with traveller(world) as one:
        yield one
