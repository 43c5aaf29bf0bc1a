"""What a domain offers and hears: commands, REST routes and consumers, as the server knows them."""

import inspect
import re
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any

import msgspec

from handlers.kit.backfill import Rebuild
from handlers.kit.context import Context
from handlers.kit.contract import Change, Event, Request, View
from handlers.kit.cost import Cost
from handlers.kit.errors import Refusal
from handlers.kit.kernel import EventFilter

CommandFunction = Callable[..., Awaitable[View | msgspec.Raw]]
VARIABLE = re.compile(r"\{[^{}:]*(:[^{}]*(?:\{[^{}]*\}[^{}]*)*)?\}")
"""A variable of a route's path: its name, then the pattern that it may have."""
SMALL = Cost()
"""What a command takes that reads or changes a few things."""
OUTSIDE_WITHIN_S = 45.0
"""What outbound consumers do takes no longer than this, unless they say so."""


@dataclass(frozen=True)
class Command:
    """One command: everything that dispatching, the catalog and the tests need to know of it."""

    namespace: str
    name: str
    run: CommandFunction
    request: type[Request]
    view: type[View]
    roles: frozenset[str]
    visitors: bool
    rate: str
    """The name of a declared rate (`handlers/kit/rates.py`)."""
    refuses: tuple[type[Refusal], ...]
    costs: Cost
    decoder: msgspec.json.Decoder[Request]
    steps: Mapping[str, type[msgspec.Struct]]
    """What each of its steps but the last one gives, by their names."""

    @property
    def changes(self) -> bool:
        """Whether it takes a `request_id`."""
        return issubclass(self.request, Change)

    @property
    def purpose(self) -> str:
        return inspect.getdoc(self.run) or ""


@dataclass(frozen=True)
class Route:
    """One REST endpoint: for browsers that are sent here, and for bytes that are no messages."""

    method: str
    path: str
    run: Callable[[Context, Any], Awaitable[Any]]
    roles: frozenset[str]
    visitors: bool
    rate: str
    cross_site: bool
    streams: bool
    """Whether its function reads the body itself, by bounds of its own; else it comes whole."""
    takes: type[Request] | None
    gives: type[View] | None
    refuses: tuple[type[Refusal], ...]

    @property
    def pattern(self) -> str:
        """The path without the names of its variables, which do not tell routes apart."""
        return VARIABLE.sub(r"{\1}", self.path)

    @property
    def purpose(self) -> str:
        return inspect.getdoc(self.run) or ""


@dataclass(frozen=True)
class Consumer:
    """A reaction to events of other domains.

    A plain one runs in a transaction of its own with the claim on its delivery; an `outbound` one
    is async, may call outside, and hears an event at least once.
    """

    name: str
    events: tuple[type[Event], ...]
    run: Callable[..., Any]
    outbound: bool
    backfill: bool
    filter: EventFilter
    within_s: float = OUTSIDE_WITHIN_S
    """How long an outbound one may take; one that may take longer waits in a line of its own."""
    formerly: tuple[str, ...] = ()
    """Full names that it had before; it goes on with what they have still to hear."""
    rebuild: Rebuild | None = None
    """What a backfill tells it, from its domain's tables; without it, the stored events."""

    @property
    def is_backfilled(self) -> bool:
        return self.backfill or self.rebuild is not None
