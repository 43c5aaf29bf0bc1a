"""What a check finds in a text."""

from collections.abc import Iterable
from typing import Literal

import msgspec

Outcome = Literal["allow", "flag", "refuse"]


class Finding(msgspec.Struct, frozen=True):
    """It may be said, or said and looked at, or not said at all; `hit` is why."""

    outcome: Outcome
    hit: str = ""


ALLOWED = Finding("allow")


def worst_of(findings: Iterable[Finding]) -> Finding:
    """The first that is refused; else the first that is flagged; else nothing is found."""
    worst = ALLOWED
    for found in findings:
        if found.outcome == "refuse":
            return found
        worst = found if worst.outcome == "allow" else worst
    return worst
