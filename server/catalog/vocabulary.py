"""Commands, events and ephemeral events by namespace, and the server's own notices."""

import sys
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

import msgspec
from msgspec import Struct

from handlers.kit.command import Command, Route
from handlers.kit.contract import Event
from handlers.kit.domain import Domain
from handlers.kit.errors import ALWAYS_POSSIBLE, Invalid, RateLimited, Refusal, Unavailable
from handlers.kit.registry import Registry
from handlers.kit.rules import Rules
from handlers.platform.auth.contracts import SessionRevoked, TokenExpired, TokenInvalid
from server.admission import TokenMissing, UnknownNamespace
from server.catalog.shapes import Shapes
from server.dispatch import Error

CONNECT_REFUSALS: tuple[type[Refusal], ...] = (
    TokenMissing,
    TokenInvalid,
    TokenExpired,
    SessionRevoked,
    UnknownNamespace,
    RateLimited,
    Unavailable,
    Invalid,
)
# Names that the generated files use themselves.
TAKEN = (
    "Commands",
    "ErrorCode",
    "Events",
    "Notices",
    "Record",
    "Partial",
    "RoleName",
    "EphemeralEvents",
)


class Meta(Struct):
    """The room and time of a stored event, and its number in that room."""

    room: str
    seq: int
    id: str
    at: datetime


class EphemeralMeta(Struct):
    """The room of an ephemeral event, which has no number."""

    room: str


class RoomState(Struct):
    """A room's latest number, and whether the server replayed everything after yours."""

    seq: int
    recovered: bool


class Synced(Struct):
    """Sent once after a namespace connects, when missed events have been replayed."""

    protocol: int
    epoch: str
    rooms: dict[str, RoomState]


class SessionOver(Struct):
    """The last message on a connection whose session has ended."""

    session_id: str
    reason: str


NOTICES: dict[str, type[Struct]] = {"synced": Synced, "session_ended": SessionOver}


@dataclass(frozen=True)
class Namespace:
    """One namespace with its commands and events, sorted by name."""

    name: str
    purpose: str
    visitors: bool
    anonymous: bool
    commands: tuple[Command, ...]
    events: tuple[type[Event], ...]
    ephemeral_events: dict[str, type[Struct]]

    @property
    def heard(self) -> dict[str, type[Struct]]:
        """Data of events and ephemeral events by name."""
        named = {event.NAME: event for event in self.events}
        return dict(sorted({**self.ephemeral_events, **named}.items()))


class Vocabulary:
    """All messages of the protocol, and their types."""

    def __init__(self, registry: Registry, rules: Rules) -> None:
        self.namespaces = tuple(
            self._namespace(registry, name, domain)
            for name, domain in sorted(registry.namespaces.items())
        )
        self.routes = tuple(registry.routes)
        self.roles = registry.roles
        self._rates = registry.rates
        self.codes = tuple(sorted({refusal.CODE for refusal in self._refusals()}))
        self.failure = failure_of(self.codes)
        own: tuple[type, ...] = (Meta, EphemeralMeta, RoomState, Synced, SessionOver, self.failure)
        self.shapes = Shapes(
            incoming=[
                *(c.request for n in self.namespaces for c in n.commands),
                *(route.takes for route in self.routes if route.takes),
            ],
            outgoing=[
                *(c.view for n in self.namespaces for c in n.commands),
                *(route.gives for route in self.routes if route.gives),
                *(data for n in self.namespaces for data in n.heard.values()),
            ],
            own={cls.__name__: cls for cls in own},
            taken=TAKEN,
            rules=rules,
        )
        self.shapes.choices[frozenset(self.codes)] = "ErrorCode"

    def rate_of(self, endpoint: Command | Route) -> dict[str, Any]:
        """An endpoint's default rate: `{name, burst, per_s}` or `{name, per_minute}`."""
        return {"name": endpoint.rate, **self._rates[endpoint.rate].sizes}

    @staticmethod
    def _namespace(registry: Registry, name: str, domain: Domain) -> Namespace:
        stored = {event.NAME: event for event in declared_events() if name == event.NAMESPACE}
        ephemeral_events: dict[str, type[Struct]] = getattr(domain, "ephemeral_events", {})
        return Namespace(
            name=name,
            purpose=purpose_of(domain),
            visitors=domain.visitors,
            anonymous=domain.anonymous,
            commands=tuple(c for (of, _), c in sorted(registry.commands.items()) if of == name),
            events=tuple(event for _, event in sorted(stored.items())),
            ephemeral_events={
                n: cls for n, cls in sorted(ephemeral_events.items()) if n not in stored
            },
        )

    def _refusals(self) -> Iterator[type[Refusal]]:
        yield from ALWAYS_POSSIBLE
        yield from CONNECT_REFUSALS
        for namespace in self.namespaces:
            for command in namespace.commands:
                yield from command.refuses
        for route in self.routes:
            yield from route.refuses


def declared_events(cls: type[Event] = Event) -> Iterator[type[Event]]:
    """The events of handlers that have rooms; excludes events that tests declare."""
    for child in cls.__subclasses__():
        has_rooms = child.rooms is not Event.rooms and "NAME" in child.__dict__
        if has_rooms and child.__module__.startswith("handlers."):
            yield child
        yield from declared_events(child)


def purpose_of(domain: Domain) -> str:
    """The first line of the docstring of the domain's package."""
    package = sys.modules.get(f"handlers.{domain.key}")
    return ((package.__doc__ if package else None) or "").strip().partition("\n")[0]


def purpose_in(cls: type) -> str:
    """The docstring of a class on one line, without inheriting one."""
    return " ".join((cls.__doc__ or "").split())


def refusals_of(endpoint: Command | Route) -> dict[str, str]:
    """The refusals that an endpoint declares itself: code → meaning."""
    return {r.CODE: purpose_in(r) for r in sorted(endpoint.refuses, key=lambda r: r.CODE)}


def failure_of(codes: tuple[str, ...]) -> type[Struct]:
    """The type of an answer's error, whose code is one of `codes`."""
    rest = [(f.name, f.type, f.default) for f in msgspec.structs.fields(Error) if f.name != "code"]
    head = ("code", Literal[codes], msgspec.NODEFAULT)
    fields = [(name, kind, msgspec.field(default=default)) for name, kind, default in (head, *rest)]
    return msgspec.defstruct(
        "Failure",
        fields,
        omit_defaults=True,
        module=__name__,
        namespace={"__doc__": "Why a command was refused."},
    )
