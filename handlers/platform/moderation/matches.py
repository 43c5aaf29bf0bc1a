"""What a check finds in a text."""

from collections.abc import Iterable
from typing import Literal

import msgspec

Outcome = Literal["allow", "flag", "refuse"]


class Match(msgspec.Struct, frozen=True):
    """It may be said, or said and looked at, or not said at all; `hit` is why."""

    outcome: Outcome
    hit: str = ""


ALLOWED = Match("allow")


def worst_of(matches: Iterable[Match]) -> Match:
    """The first that is refused; else the first that is flagged; else nothing is found."""
    worst = ALLOWED
    for found in matches:
        if found.outcome == "refuse":
            return found
        worst = found if worst.outcome == "allow" else worst
    return worst
