"""The clock, which all instances share and tests can move."""

from datetime import UTC, datetime, timedelta
from time import monotonic
from typing import Protocol

from sqlalchemy import DateTime, func, select

from storage.engine.database import Database, Queries

ALIGNED_WITHIN_S = 1.0
_NOW = select(func.clock_timestamp(type_=DateTime(timezone=True)))


class Clock(Protocol):
    def now(self) -> datetime:
        """The current time, timezone-aware, in UTC."""


class SystemClock:
    """The machine's clock."""

    def now(self) -> datetime:
        return datetime.now(UTC)


class SharedClock:
    """The database's clock, accurate to one round trip on every instance.

    An instance whose machine has a wrong clock, or one that jumps, therefore does not declare other
    instances dead or expire anything early. Between two alignments it uses the monotonic clock.
    """

    def __init__(self) -> None:
        self._at = datetime.now(UTC)
        self._since = monotonic()

    def now(self) -> datetime:
        return self._at + timedelta(seconds=monotonic() - self._since)

    async def align(self, database: Database) -> bool:
        """Align with the database; returns False if the answer took too long to be accurate."""
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
