"""Rates: how often a person or an address may use commands and routes of one kind.

A domain declares its rates (`Domain(rates=...)`); a command or route names its rate by `rate=`.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Literal

from msgspec import Meta

from handlers.kit.settings import Setting

NAME = re.compile(r"[a-z][a-z_]*")
MINUTE_S = 60


@dataclass(frozen=True)
class Rate:
    """Either `burst` uses immediately and then `per_s` a second, or `per_minute` uses a minute.

    `counts` describes the uses in the help of its settings, which are `PARLEY_<NAME>_BURST` and
    `PARLEY_<NAME>_PER_S`, or `PARLEY_<NAME>_PER_MINUTE`. A rate with `like` takes its limits from
    another rate but has its own counter.
    """

    name: str
    counts: str
    burst: int = 0
    per_s: float = 0
    per_minute: int = 0
    of: Literal["person", "address"] = "person"
    """Whether uses count per person or per address. Uses by visitors always count per address."""
    like: "Rate | None" = None

    @property
    def fault(self) -> str:
        """The fault of the declaration, or an empty text."""
        if not NAME.fullmatch(self.name):
            return "a name has small letters and _ only"
        both = self.burst > 0 and self.per_s > 0
        given = [bool(self.burst or self.per_s), bool(self.per_minute), self.like is not None]
        if sum(given) != 1 or self.per_minute < 0 or (given[0] and not both):
            return "it has burst and per_s, or per_minute, or like"
        return ""

    @property
    def sizes(self) -> dict[str, float]:
        """The default limits: `{burst, per_s}` or `{per_minute}`."""
        if self.like:
            return self.like.sizes
        if self.per_minute:
            return {"per_minute": self.per_minute}
        return {"burst": self.burst, "per_s": self.per_s}

    @property
    def settings(self) -> tuple[Setting, ...]:
        """The settings of its limits; none when it takes them from another rate."""
        if self.like:
            return ()
        return tuple(
            Setting(f"{self.name}_{size}", _kind_of(size, self), default)
            for size, default in self.sizes.items()
        )

    def limit(self, values: Mapping[str, Any]) -> tuple[float, float]:
        """Its burst and its uses a second, from the values of all settings."""
        if self.like:
            return self.like.limit(values)
        if self.per_minute:
            uses = values[f"{self.name}_per_minute"]
            return uses, uses / MINUTE_S
        return values[f"{self.name}_burst"], values[f"{self.name}_per_s"]


def _kind_of(size: str, rate: Rate) -> Any:
    """The type, bounds and description of one setting of a rate."""
    whose = "per address" if rate.of == "address" else "per user"
    if size == "per_s":
        return Annotated[float, Meta(gt=0, description=f"{rate.counts} per second after the burst")]
    span = "at once" if size == "burst" else "per minute"
    return Annotated[int, Meta(ge=1, description=f"{rate.counts} {span}, {whose}")]


COMMANDS = Rate("commands", "commands", burst=60, per_s=20)
"""The rate of commands and routes that name no other rate."""
ATTEMPTS = Rate("attempts", "sign-up and log-in attempts", per_minute=20, of="address")
"""The rate of commands and routes with which a client could guess secrets."""
KIT_RATES = (COMMANDS, ATTEMPTS)
