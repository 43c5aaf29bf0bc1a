"""Sample rows for tests: timers, which nothing fires here."""

from datetime import UTC, datetime

from storage.engine.database import Queries
from storage.events.timers import list_due_timers, set_timer

NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)
FOR_EVER = datetime(9999, 1, 1, tzinfo=UTC)


class Failed(Exception):
    """Raised by a transaction that a test makes fail."""


class FailedButKept(Failed):
    keeps = True


def put(queries: Queries, key: str, *, effect: bool = False) -> str:
    set_timer(queries, key, NOW, "SCRATCH", "{}")
    if effect:
        queries.effects.append(key)
    return key


def keys(queries: Queries) -> set[str]:
    return {timer.key for timer in list_due_timers(queries, FOR_EVER, 10_000)}
