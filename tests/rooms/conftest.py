"""A hall for each test: rooms with their own database."""

from collections.abc import AsyncIterator

import pytest

from storage.engine.database import open_database
from tests.rooms.hall import Hall
from tests.world import MovableClock


@pytest.fixture
def sweep_every_s() -> float:
    """How often rooms look for lost events; short, to keep tests fast."""
    return 0.1


@pytest.fixture
async def hall(
    database_url: str, clock: MovableClock, monkeypatch: pytest.MonkeyPatch, sweep_every_s: float
) -> AsyncIterator[Hall]:
    monkeypatch.setattr("rooms.gaps.SWEEP_EVERY_S", sweep_every_s)
    database = open_database(database_url)
    await database.start()
    hall = Hall(database, clock)
    await hall.rooms.start()
    yield hall
    await hall.rooms.stop()
    await database.stop()
