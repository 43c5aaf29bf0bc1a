"""A user with data in every domain, to be exported and erased."""

from collections.abc import AsyncIterator

import pytest

from tests.parts.provider import running_provider
from tests.platform.personal_data.life import Life, living


@pytest.fixture
async def life(make_world) -> AsyncIterator[Life]:
    async with running_provider() as provider, living(make_world, provider) as one:
        yield one
