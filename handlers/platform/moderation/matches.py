"""The matches that a check finds in a text."""

from collections.abc import Iterable
from typing import Literal

import msgspec

Outcome = Literal["allow", "flag", "refuse"]


class Match(msgspec.Struct, frozen=True):
    """The text is allowed, allowed and flagged for review, or refused; `hit` is the reason."""

    outcome: Outcome
    hit: str = ""


ALLOWED = Match("allow")


def worst_of(matches: Iterable[Match]) -> Match:
    """The first match that refuses the text, else the first that flags it, else `ALLOWED`."""
    worst = ALLOWED
    for found in matches:
        if found.outcome == "refuse":
            return found
        worst = found if worst.outcome == "allow" else worst
    return worst
