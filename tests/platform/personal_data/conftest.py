"""A life that can be exported and erased."""

from collections.abc import AsyncIterator

import pytest

from tests.parts.house import running_house
from tests.platform.personal_data.life import Life, living


@pytest.fixture
async def life(make_world) -> AsyncIterator[Life]:
    async with running_house() as house, living(make_world, house) as one:
        yield one
