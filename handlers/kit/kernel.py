"""The parts that every command, consumer and transaction uses, and the effects that they
produce."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, Protocol

import msgspec

from handlers.kit.filter import Filter
from handlers.kit.keys import Keys
from handlers.kit.roles import Role
from handlers.kit.rules import Rules
from handlers.kit.sandbox import Sandbox
from handlers.kit.turns import Turns
from storage.engine.clock import Clock
from storage.engine.database import Database
from storage.objects import ObjectStore

if TYPE_CHECKING:  # this module imports transactions, which import this one
    from handlers.kit.personal_data import AllPersonalData

CHECKS_MAX, CHECKS_WAITING_MAX, CHECKS_OF_ONE_MAX = 16, 500, 32
CHECK_WAIT_S = 20.0


class Actor(msgspec.Struct, frozen=True):
    """The signed-in person who acts, with their session."""

    id: str
    session_id: str
    roles: frozenset[str]


class Origin(msgspec.Struct, frozen=True):
    """The source of a command, for logs, events and limits."""

    address: str = ""
    device: str = ""
    correlation_id: str = ""
    reached: str = ""
    """The origin by which the client reached the server, if the operator allows it."""


class EphemeralEvent(msgspec.Struct, frozen=True):
    """An event for a room that is not stored and has no sequence number.

    `hidden_from` are the ids of members of the room who do not receive it.
    """

    namespace: str
    room: str
    name: str
    data: Any
    skip: object | None = None
    hidden_from: frozenset[str] = frozenset()


class Stored(msgspec.Struct, frozen=True):
    """An event was stored. Counted once, for any number of rooms and consumers."""

    name: str


class Logged(msgspec.Struct, frozen=True):
    """A log entry about a committed change; `fields` contain no data of clients."""

    level: Literal["info", "warning", "error"]
    logger: str
    event: str
    fields: dict[str, Any]


class Wake(msgspec.Struct, frozen=True):
    """Work for the relay after a commit: queues to serve, or a timer that is due at `due`."""

    consumers: tuple[str, ...] = ()
    order_key: str = ""
    due: datetime | None = None


EventFilter = Callable[[Rules, Any], bool]
"""Whether a consumer handles an event, under these rules."""


class EventConsumer(NamedTuple):
    """The name of a consumer, and the filter of the events that it handles."""

    name: str
    filter: EventFilter


class Audience(Protocol):
    """The functions of the rooms and of its own socket that a context uses."""

    def publish_ephemeral(self, ephemeral: EphemeralEvent) -> None: ...

    async def follow(
        self, socket: Any, stream_name: str, read: Callable[[], Awaitable[int]]
    ) -> Callable[[], None]: ...

    def unfollow(self, socket: Any, stream_name: str) -> None: ...

    async def listen(self, socket: Any, stream_names: list[str]) -> Callable[[], None]: ...


class Channel(Protocol):
    """A way to reach people, such as mail; the send domain provides it."""

    async def send(self, message: Any) -> Any:
        """Hand a message over, at least once; returns its `Outcome` and raises nothing for it."""


class Providers(Protocol):
    """The identity providers; the identities domain provides this."""

    def find(self, name: str) -> Any: ...

    def list(self) -> list[Any]: ...

    async def stop(self) -> None: ...


class Pages(Protocol):
    """The public web; the previews domain provides it."""

    async def get_page(self, person_id: str, address: str) -> Any: ...

    async def stop(self) -> None: ...


class Tally(Protocol):
    """Counts what domains report, by labels, for `/metrics`."""

    def add(self, *labels: str) -> None: ...


class Places(Protocol):
    """The location of an address as text."""

    def find(self, address: str) -> str: ...


def _make_checks() -> Turns:
    return Turns(
        CHECKS_MAX,
        line_max=CHECKS_OF_ONE_MAX,
        waiting_max=CHECKS_WAITING_MAX,
        wait_s=CHECK_WAIT_S,
    )


@dataclass
class Kernel:
    """The dependencies of every context; the composition root creates one kernel."""

    database: Database
    clock: Clock
    rules: Rules
    keys: Keys
    hearers: dict[type, tuple[EventConsumer, ...]]
    roles: dict[str, Role]
    """By name, in the order in which a person's roles are shown."""
    instance_id: str
    channels: Mapping[str, Channel]
    """By name, such as `email`."""
    providers: Providers
    places: Places
    pages: Pages
    objects: ObjectStore
    filter: Filter
    personal_data: "AllPersonalData"
    """The personal data declarations of all domains, including those that are not served."""
    scratch: Path
    """A directory on disk for temporary files too large for memory; /tmp may be in memory."""
    sandbox: Sandbox
    reported: Tally
    """Takes two labels from small fixed sets: what was reported, and the word for it."""
    checks: Turns = field(default_factory=_make_checks)
    """Turns for moving, joining and hashing uploaded files. Large files take long, so each person
    gets one turn at a time."""
    audience: Audience | None = None
