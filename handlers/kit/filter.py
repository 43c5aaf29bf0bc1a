"""The text filter: any domain calls it through the kernel; at most one domain provides it.

That domain sets `opens_filter` on its `Domain`. Callers do not know which domain it is. They
declare `TextRefused` among the refusals of their commands.
"""

from collections.abc import Callable
from typing import Protocol

from handlers.kit.errors import Refusal
from handlers.kit.rules import Rules


class TextRefused(Refusal):
    """The text contains something that the filter does not allow."""


class Filter(Protocol):
    """Checks texts before other people see them."""

    def check(self, *texts: str) -> str:
        """A reason for a moderator to review these texts, or an empty text; raises TextRefused."""
        ...


class NoFilter:
    """The filter when no domain provides one: it accepts every text."""

    def check(self, *texts: str) -> str:
        return ""


OpenFilter = Callable[[Rules], Filter]
"""Creates the filter from the rules of its domain; raises UnusableSetting."""
