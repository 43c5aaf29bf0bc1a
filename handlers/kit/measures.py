"""The metrics that a domain declares: counters that transactions increase, and gauges.

`/metrics` shows them with the prefix `parley_`. The values of labels come from small fixed sets,
never from clients.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import msgspec

Labels = tuple[str, ...]


@dataclass(frozen=True)
class Counter:
    """Counts what committed transactions of this instance did (`Transaction.count`)."""

    name: str
    about: str
    labels: Labels


class Counted(msgspec.Struct, frozen=True):
    """One more for a counter; an effect of a committed transaction."""

    counter: Counter
    values: Labels


@dataclass(frozen=True)
class Gauge:
    """A state of the database that all instances see alike.

    `read` is a plain function of a transaction; it returns the values by the values of the labels.
    """

    name: str
    about: str
    labels: Labels
    read: Callable[[Any], Mapping[Labels, float]]
