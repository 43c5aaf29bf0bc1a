"""How long rows are kept. The domain that owns the rows declares it (`Domain.forgets`).

Housekeeping (`server/housekeeping.py`) runs these functions, also for domains that are not served.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

from handlers.kit.rules import Rules
from storage.engine.database import Queries

Forget = Callable[[Queries, datetime, int], int]
"""Deletes at most `limit` rows older than `before`; returns how many it deleted."""


@dataclass(frozen=True)
class Retention:
    """A deletion after `kept`: a duration, or the name of the rule that holds it."""

    name: str
    kept: str | timedelta
    forget: Forget

    def before(self, now: datetime, rules: Rules) -> datetime:
        """The age limit at `now`: older rows are deleted."""
        return now - (rules.span(self.kept) if isinstance(self.kept, str) else self.kept)
