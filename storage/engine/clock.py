"""Where time comes from, so that instances agree on it and tests can move it."""

from datetime import UTC, datetime, timedelta
from time import monotonic
from typing import Protocol

from sqlalchemy import DateTime, func, select

from storage.engine.database import Database, Queries

ALIGNED_WITHIN_S = 1.0
_NOW = select(func.clock_timestamp(type_=DateTime(timezone=True)))


class Clock(Protocol):
    def now(self) -> datetime:
        """The present moment, aware, in UTC."""


class SystemClock:
    """The machine's clock."""

    def now(self) -> datetime:
        return datetime.now(UTC)


class SharedClock:
    """The database's clock, as every instance on it sees it within a round trip.

    A machine whose own clock is wrong, or steps, then takes nobody for dead and expires nothing
    early. Between two alignments time passes as measured, whatever the machine's clock does.
    """

    def __init__(self) -> None:
        self._at = datetime.now(UTC)
        self._since = monotonic()

    def now(self) -> datetime:
        return self._at + timedelta(seconds=monotonic() - self._since)

    async def align(self, database: Database) -> bool:
        """Set it by the database; False when the answer took so long that it says too little."""
        asked = monotonic()
        at = await database.read(_read_now, kind="upkeep")
        answered = monotonic()
        if answered - asked >= ALIGNED_WITHIN_S:
            return False
        self._at, self._since = at, (asked + answered) / 2
        return True


def _read_now(tx: Queries) -> datetime:
    now: datetime = tx.scalar(_NOW)
    return now.astimezone(UTC)
