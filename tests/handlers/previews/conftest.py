"""A web whose pages do what the test says."""

from collections.abc import AsyncIterator

import pytest

from tests.parts.web import Web, running_web


@pytest.fixture
async def web(tmp_path) -> AsyncIterator[Web]:
    async with running_web(tmp_path) as running:
        yield running
