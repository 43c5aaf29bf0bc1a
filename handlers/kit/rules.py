"""Rules: the durations and sizes that domains use. Each rule is a setting.

A domain declares its rules in a struct (`Domain(rules=...)`). A name that ends in `_s` or `_days`
is a duration in seconds or days; a name that ends in `_mb` is a size in megabytes. The struct's
`__post_init__` may raise UnusableSetting for a value that its type cannot refuse.
"""

from datetime import timedelta
from typing import Annotated, Any, TypeVar, cast

import msgspec
from msgspec import Meta

R = TypeVar("R", bound=msgspec.Struct)


class KitRules(msgspec.Struct, frozen=True):
    """The rules of the kernel."""

    presence_grace_s: Annotated[
        float, Meta(ge=0, description="time from the last disconnect until a user is offline")
    ] = 10.0
    answers_kept_days: Annotated[
        int, Meta(ge=1, description="how long request ids are remembered")
    ] = 30
    events_kept_days: Annotated[int, Meta(ge=1, description="how far back a replay can go")] = 7
    unserved_kept_days: Annotated[
        int, Meta(ge=1, description="how long deliveries of unknown consumers are kept")
    ] = 30
    public_url: Annotated[
        str, Meta(description="public address of this server, for links and allowed origins")
    ] = "http://localhost:8000"


class UnknownRule(LookupError):
    """No domain declares a rule by this name."""


class Rules:
    """The current rules of the kit and of domains, in the structs that declare them."""

    def __init__(self, *declared: msgspec.Struct) -> None:
        """Rules of the kit that are not given take their defaults."""
        self._by_kind = {type(rules): rules for rules in (KitRules(), *declared)}
        self._by_name = {
            name: value
            for rules in self._by_kind.values()
            for name, value in msgspec.structs.asdict(rules).items()
        }

    def of(self, kind: type[R]) -> R:
        """The struct `kind` with its current values; raises UnknownRule when none declares it."""
        if kind not in self._by_kind:
            raise UnknownRule(f"no domain declares {kind.__name__}")
        return cast("R", self._by_kind[kind])

    def value(self, name: str) -> Any:
        """The value of the rule `name`; raises UnknownRule."""
        if name not in self._by_name:
            raise UnknownRule(f"no domain declares the rule {name!r}")
        return self._by_name[name]

    def span(self, name: str) -> timedelta:
        """The rule `name` (one that ends in `_s` or `_days`) as a duration; raises UnknownRule."""
        value = self.value(name)
        return timedelta(days=value) if name.endswith("_days") else timedelta(seconds=value)
