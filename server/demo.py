"""Fills an empty database with demo data, through the commands that clients use.

Each domain contributes its part in a `demo.py` (`handlers/kit/demo.py`). The clock starts a day ago
and advances with each command, so that the data has a history.
"""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from importlib import import_module
from importlib.util import find_spec
from types import ModuleType
from typing import Any

import msgspec

from handlers.kit.demo import Cast
from handlers.kit.kernel import Actor
from handlers.kit.registry import DEMO, Registry
from handlers.kit.transaction import Transaction
from handlers.platform.auth import public as accounts
from handlers.platform.profile import public as profiles
from server.app import App
from server.dispatch import Incoming
from server.settings import Settings
from storage.engine.migrate import migrate

BEGAN_AGO = timedelta(hours=27)
MOMENT = timedelta(seconds=7)
PASSWORD = "a small world to try"  # noqa: S105 - printed for users of the demo


class NotEmpty(Exception):
    """The database has users already: nothing was changed."""


class NotServed(Exception):
    """No domain that this installation serves has a demo."""


class StoryClock:
    """The demo's own time; it advances with every command and stops at the present."""

    def __init__(self) -> None:
        self._now = datetime.now(UTC) - BEGAN_AGO

    def now(self) -> datetime:
        return self._now

    def pass_by(self, span: timedelta) -> None:
        self._now = min(self._now + span, datetime.now(UTC))


class Person:
    """A demo user, who acts through commands."""

    def __init__(self, app: App, clock: StoryClock, actor: Actor, first_name: str) -> None:
        self.id = actor.id
        self.first_name = first_name
        self._app = app
        self._clock = clock
        self._actor = actor

    async def does(self, namespace: str, command: str, **payload: Any) -> Any:
        """Send a command; returns the data of its answer, and raises RuntimeError if refused."""
        self._clock.pass_by(MOMENT)
        incoming = Incoming(
            namespace,
            command,
            msgspec.json.encode(payload),
            self._actor,
            self._app.context().origin,
        )
        answer = msgspec.json.decode((await self._app.dispatcher.answer(incoming)).body)
        await self._app.relay.idle()
        if not answer["ok"]:
            raise RuntimeError(f"{namespace} {command}: {answer['error']}")
        return answer["data"]


class World:
    """The demo's users so far, and its clock."""

    def __init__(self, app: App, clock: StoryClock, password_hash: str) -> None:
        self.pass_by = clock.pass_by
        self._app = app
        self._clock = clock
        self._password_hash = password_hash
        self._people: dict[str, Person] = {}

    async def join(self, first_name: str) -> Person:
        """The user with this name, who signs up at the first call."""
        if first_name not in self._people:
            roles = frozenset(self._app.registry.roles)
            password_hash = self._password_hash
            actor = await self._app.context().transact(sign_up, first_name, password_hash, roles)
            self._people[first_name] = Person(self._app, self._clock, actor, first_name)
        return self._people[first_name]


async def fill(settings: Settings) -> str:
    """Fill an empty database; returns a line that says how to log in.

    Raises NotServed and NotEmpty.
    """
    clock = StoryClock()
    app = App(settings, clock)
    parts = list(parts_of(app.registry))
    if not parts:
        raise NotServed
    try:
        await migrate(app.database)
        await app.database.start()
        if not await app.context().read(profiles.is_empty):
            raise NotEmpty
        await app.relay.start()
        await app.timers.start()
        cast = await tell(World(app, clock, await accounts.hash_password(PASSWORD)), parts)
        await app.relay.idle()
    finally:
        await app.timers.stop()
        await app.relay.stop()
        await app.database.stop()
    people = " or ".join(f"{address_of(name)} ({who})" for name, who in cast.items())
    return f"Log in as {people}: {PASSWORD}"


def parts_of(registry: Registry) -> Iterator[ModuleType]:
    """The `demo.py` modules, in the order in which the registry lists their domains."""
    for domain in registry.domains:
        name = f"handlers.{domain.key}.{DEMO}"
        if find_spec(name):
            yield import_module(name)


async def tell(world: World, parts: list[ModuleType]) -> Cast:
    """Run all parts; returns the users to log in as."""
    cast: dict[str, str] = {}
    for part in parts:
        cast |= await part.tell(world)
    return cast


def sign_up(tx: Transaction, first_name: str, password_hash: str, roles: frozenset[str]) -> Actor:
    """Create a user with a session; raises NotEmpty if the address is taken."""
    user = profiles.create_user(tx, address_of(first_name), first_name, "(demo)")
    if user is None:
        raise NotEmpty  # the address was taken after the check
    accounts.set_password(tx, user.id, password_hash)
    view = accounts.open_session(tx, user.id)
    claims = accounts.read_access_token(tx.keys, view.access_token, tx.now)
    return Actor(user.id, claims.sid, roles)


def address_of(first_name: str) -> str:
    return f"{first_name.lower()}@demo.example"
