"""The declarations that the server reads: commands, REST routes and consumers."""

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
RoomOf = Callable[[str], str]
"""The name of a room, from an id (`rooms/names.py`)."""
VARIABLE = re.compile(r"\{[^{}:]*(:[^{}]*(?:\{[^{}]*\}[^{}]*)*)?\}")
"""A variable in a route's path: its name, and optionally a pattern."""
SMALL = Cost()
"""The default cost limit, for a command that reads or changes a few rows."""
OUTSIDE_WITHIN_S = 45.0
"""The default time limit for an outbound consumer."""


@dataclass(frozen=True)
class Command:
    """One command, with everything that the dispatcher, the catalog and the tests need."""

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
    """The class of the value that each step except the last one keeps, by the step's name."""
    repeatable: bool = True
    """Whether a client may send it again after a lost answer, without a `request_id`; not when that
    would send a second mail, open a second session or use up a pincode."""
    ephemeral: bool = False
    """Whether it is worth nothing when it arrives late, so that clients do not queue it."""
    watches: RoomOf | None = None
    """The room of its namespace that it subscribes to, by the id in its request."""

    @property
    def changes(self) -> bool:
        """Whether it accepts a `request_id`."""
        return issubclass(self.request, Change)

    @property
    def purpose(self) -> str:
        return inspect.getdoc(self.run) or ""


@dataclass(frozen=True)
class Route:
    """One REST endpoint, for browser redirects and for bodies that are not messages."""

    method: str
    path: str
    run: Callable[[Context, Any], Awaitable[Any]]
    roles: frozenset[str]
    visitors: bool
    rate: str
    cross_site: bool
    streams: bool
    """Whether its function reads the body itself, within its own limits; if not, the server reads
    the whole body first."""
    head: bool
    """Whether HEAD asks for the headers of its answer alone."""
    takes: type[Request] | None
    gives: type[View] | None
    refuses: tuple[type[Refusal], ...]

    @property
    def pattern(self) -> str:
        """The path without variable names, which do not distinguish routes."""
        return VARIABLE.sub(r"{\1}", self.path)

    @property
    def purpose(self) -> str:
        return inspect.getdoc(self.run) or ""


@dataclass(frozen=True)
class Consumer:
    """A reaction to events of other domains.

    A plain consumer runs in its own transaction, together with the claim on its delivery. An
    `outbound` consumer is async, may call external services, and gets each event at least once.
    """

    name: str
    events: tuple[type[Event], ...]
    run: Callable[..., Any]
    outbound: bool
    backfill: bool
    filter: EventFilter
    within_s: float = OUTSIDE_WITHIN_S
    """The time limit of an outbound consumer. The relay runs consumers with a longer limit than the
    default in separate slots."""
    formerly: tuple[str, ...] = ()
    """Earlier full names of this consumer; it takes over their pending deliveries."""
    rebuild: Rebuild | None = None
    """Builds the events of a backfill from the domain's tables; without it, stored events are
    used."""

    @property
    def is_backfilled(self) -> bool:
        return self.backfill or self.rebuild is not None
