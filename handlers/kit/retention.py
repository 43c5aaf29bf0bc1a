"""How long rows are kept: declared on the domain that has them (`Domain.forgets`).

Housekeeping (`server/housekeeping.py`) runs all of it, also of domains that are not served.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

from handlers.kit.rules import Rules
from storage.engine.database import Queries

Forget = Callable[[Queries, datetime, int], int]
"""Deletes at most `limit` rows that are older than `before`; how many it did."""


@dataclass(frozen=True)
class Retention:
    """What is forgotten after a time: that of a rule (by its name), or a fixed one."""

    name: str
    kept: str | timedelta
    forget: Forget

    def before(self, now: datetime, rules: Rules) -> datetime:
        """What is older than this is forgotten at `now`."""
        return now - (rules.span(self.kept) if isinstance(self.kept, str) else self.kept)
