"""A server where users can sign in with a fake provider."""

from collections.abc import AsyncIterator

import pytest

from tests.parts.provider import FakeProvider, running_provider
from tests.platform.identities.travel import Browser, open_browser, settings_for
from tests.world import World


@pytest.fixture
async def provider() -> AsyncIterator[FakeProvider]:
    async with running_provider() as running:
        yield running


@pytest.fixture
async def world(make_world, provider: FakeProvider) -> World:
    return await make_world(**settings_for(provider))


@pytest.fixture
async def browser(world: World) -> AsyncIterator[Browser]:
    """A browser without a session."""
    async with open_browser(world) as one:
        yield one
