"""A started database for each test, and the effects that it reports as committed."""

from collections.abc import AsyncIterator
from typing import Any

import pytest

from storage.engine.database import Database, open_database


@pytest.fixture
async def database(database_url: str) -> AsyncIterator[Database]:
    database = open_database(database_url)
    await database.start()
    yield database
    await database.stop()


@pytest.fixture
def effects(database: Database) -> list[Any]:
    """The effects that reached `committed`, in order."""
    effects: list[Any] = []
    database.committed = effects.append
    return effects
