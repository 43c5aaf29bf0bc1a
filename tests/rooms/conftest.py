"""A hall for each test: rooms with their own database."""

from collections.abc import AsyncIterator

import pytest

from storage.engine.database import open_database
from tests.rooms.hall import Hall
from tests.world import MovableClock


@pytest.fixture
async def hall(
    database_url: str, clock: MovableClock, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[Hall]:
    monkeypatch.setattr("rooms.gaps.SWEEP_EVERY_S", 0.1)  # keeps tests short
    database = open_database(database_url)
    await database.start()
    hall = Hall(database, clock)
    await hall.rooms.start()
    yield hall
    await hall.rooms.stop()
    await database.stop()
