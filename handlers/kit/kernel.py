"""What every command, consumer and transaction stands on, and what they hand on."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

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

if TYPE_CHECKING:  # its declarations speak of transactions, which stand on this
    from handlers.kit.personal_data import AllPersonalData

CHECKS_MAX, CHECKS_WAITING_MAX, CHECKS_OF_ONE_MAX = 16, 500, 32
CHECK_WAIT_S = 20.0


class Actor(msgspec.Struct, frozen=True):
    """Who acts: a signed-in person, by one session."""

    id: str
    session_id: str
    roles: frozenset[str]


class Origin(msgspec.Struct, frozen=True):
    """Where a command came from: for logs, events and limits."""

    address: str = ""
    device: str = ""
    correlation_id: str = ""


class EphemeralEvent(msgspec.Struct, frozen=True):
    """Something said to a room that is not stored and carries no number.

    `hidden_from` are the ids of people who do not hear it, though they are in the room.
    """

    namespace: str
    room: str
    name: str
    data: Any
    skip: object | None = None
    hidden_from: frozenset[str] = frozenset()


class Stored(msgspec.Struct, frozen=True):
    """An event was stored; counted once, however many rooms and consumers hear it."""

    name: str


class Wake(msgspec.Struct, frozen=True):
    """Work for the relay that a commit made: queues to serve, or a timer that is due at `due`."""

    consumers: tuple[str, ...] = ()
    order_key: str = ""
    due: datetime | None = None


EventFilter = Callable[[Rules, Any], bool]
"""Whether a consumer has anything to do with an event, under these rules."""


class Hearer(NamedTuple):
    """A consumer's name, and which of an event's kind it is told of."""

    name: str
    filter: EventFilter


class Audience(Protocol):
    """What a context needs of the rooms and of its own socket."""

    def publish_ephemeral(self, ephemeral: EphemeralEvent) -> None: ...

    async def follow(
        self, socket: Any, stream_name: str, read: Callable[[], Awaitable[int]]
    ) -> Callable[[], None]: ...

    def unfollow(self, socket: Any, stream_name: str) -> None: ...

    async def listen(self, socket: Any, stream_names: list[str]) -> Callable[[], None]: ...


class Mailer(Protocol):
    """The mail channel, as the send domain made it."""

    async def send(self, content: Any) -> None: ...


class Providers(Protocol):
    """The houses where people sign in, as the identities domain made them."""

    def find(self, name: str) -> Any: ...

    def list(self) -> list[Any]: ...

    async def stop(self) -> None: ...


class Pages(Protocol):
    """The public web, as the previews domain looks at it."""

    async def get_page(self, person_id: str, address: str) -> Any: ...

    async def stop(self) -> None: ...


class Places(Protocol):
    """Where addresses are, in words."""

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
    """What every context stands on; made once, in the composition root."""

    database: Database
    clock: Clock
    rules: Rules
    keys: Keys
    hearers: dict[type, tuple[Hearer, ...]]
    roles: dict[str, Role]
    """By name, in the order in which a person's roles are shown."""
    instance_id: str
    mailer: Mailer
    providers: Providers
    places: Places
    pages: Pages
    objects: ObjectStore
    filter: Filter
    personal_data: "AllPersonalData"
    """What all domains do about personal data, those that are not served too."""
    scratch: Path
    """A folder on a disk, for what is on its way and too large for memory, where /tmp may be."""
    sandbox: Sandbox
    checks: Turns = field(default_factory=_make_checks)
    """At moving, joining and hashing files that were brought: long for large ones, so that each
    person does one at a time."""
    audience: Audience | None = None
