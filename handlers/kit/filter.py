"""The filter of texts: any domain asks it through the kernel, and at most one domain answers.

The domain that answers sets `opens_filter` on its `Domain`. Who asks does not know which one it is,
and declares `TextRefused` among the refusals of its commands.
"""

from collections.abc import Callable
from typing import Protocol

from handlers.kit.errors import Refusal
from handlers.kit.rules import Rules


class TextRefused(Refusal):
    """The text contains something that the filter does not allow."""


class Filter(Protocol):
    """Reads texts before other people see them."""

    def check(self, *texts: str) -> str:
        """What in these texts a moderator should look at, or an empty text; raises TextRefused."""
        ...


class NoFilter:
    """The filter when no domain answers: it refuses no text and finds nothing in any."""

    def check(self, *texts: str) -> str:
        return ""


OpenFilter = Callable[[Rules], Filter]
"""Makes the filter by the rules of its domain; raises UnusableSetting."""
