"""The environment of a test: a complete server on loopback, a movable clock, and users."""

import asyncio
import base64
import email
import inspect
import os
import re
import signal
from collections.abc import Callable, Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from email import policy
from email.message import EmailMessage
from pathlib import Path
from typing import Any, Protocol
from unittest.mock import patch

import aiohttp
import msgspec
import pytest
from sqlalchemy import bindparam, select

from handlers import SYSTEMS
from handlers.kit.domain import Domain
from handlers.kit.registry import Registry, load_domains
from handlers.kit.transaction import Transaction
from handlers.platform.auth.public import open_session
from handlers.platform.auth.tokens import make_access_token
from handlers.platform.profile.public import add_role, create_user
from server.app import App
from server.http_server import Listener
from server.settings import Settings, read_settings
from storage.engine.clock import Clock, SystemClock
from storage.events.log import events
from tests.parts.launcher import launch
from tests.parts.ports import free_port
from tests.wire_client import Client, Heard

ROOT = Path(__file__).parent.parent
SECRET = "the secret of every test, long enough to be one"
PASSWORD = "correct horse battery"
PAUSE_S, PAUSE_MAX_S = 0.002, 0.03
WITHIN_S = 10.0
START_WITHIN_S = 30.0
"""A process that loads its modules itself takes seconds on a busy machine."""
one_database = pytest.mark.parametrize("database_kind", ["sqlite"], indirect=True)
"""For a test that does not involve the storage."""
both_databases = pytest.mark.both_databases
"""For a test of locks, races or SQL: `make test` runs it on PostgreSQL too."""
with_server = pytest.mark.with_server
"""For a test of a domain that needs HTTP, a second instance or real time: its world is served."""
QUIET_ROUNDS_MAX = 200
_NAMED = (
    select(events.c.data)
    .where(events.c.name.in_(bindparam("names", expanding=True)))
    .order_by(events.c.id)
)
_registries: dict[tuple[int, ...], Registry] = {}
"""By the identity of their domains, which they keep alive."""
_CONSULTANT = {
    "about_me": "I listen.",
    "languages": ["en"],
    "country": "DE",
    "time_zone": "UTC",
}


async def until(condition: Callable[[], Any], within_s: float = WITHIN_S) -> Any:
    """Wait for a true value of `condition()`, which may be async; raises TimeoutError.

    The pauses grow, because a condition that reads the database keeps what it waits for from the
    processor.
    """
    pause_s = PAUSE_S
    async with asyncio.timeout(within_s):
        while True:
            value = condition()
            if inspect.isawaitable(value):
                value = await value
            if value:
                return value
            await asyncio.sleep(pause_s)
            pause_s = min(pause_s * 1.2, PAUSE_MAX_S)


class Stopped:
    """A clock that stands still."""

    def __init__(self, moment: datetime) -> None:
        self._moment = moment

    def now(self) -> datetime:
        return self._moment


class MovableClock:
    """The system clock, plus an offset that the test sets."""

    def __init__(self) -> None:
        self._real: Clock = SystemClock()
        self._offset = timedelta(0)

    def now(self) -> datetime:
        return self._real.now() + self._offset

    def advance(self, seconds: float) -> None:
        """Move forward; `World.settle` then runs what became due."""
        self._offset += timedelta(seconds=seconds)

    def stop(self) -> None:
        """Stand still from now on, except for `advance` and `move_to`."""
        self._real = Stopped(self._real.now())

    def move_to(self, moment: datetime) -> None:
        """Set the current time to `moment`, an aware datetime."""
        self._offset = moment.astimezone(UTC) - self._real.now()


class Closes(Protocol):
    async def close(self) -> None: ...


class Host(Protocol):
    """The server, as users need it."""

    @property
    def url(self) -> str: ...

    async def connect(self, token: str | None = None) -> Client: ...

    def token_of(self, person: "Person") -> str: ...


@dataclass(eq=False)
class Person:
    """A user with a session and one open connection; `device` opens more."""

    host: Host
    name: str
    session: dict[str, Any]
    client: Client

    @property
    def id(self) -> str:
        user_id: str = self.session["user"]["id"]
        return user_id

    @property
    def email(self) -> str:
        address: str = self.session["user"]["email"]
        return address

    @property
    def token(self) -> str:
        """A valid access token."""
        return self.host.token_of(self)

    async def enter(self, *namespaces: str, **auth: Any) -> "Person":
        """Connect to namespaces and wait for each one's `synced`."""
        await self.client.enter(*namespaces, **{"token": self.token, **auth})
        return self

    async def call(self, namespace: str, command: str, **payload: Any) -> Any:
        """Send a command, entering its namespace first if necessary.

        Returns the data of the answer; raises Refused.
        """
        if namespace not in self.client.synced:
            await self.enter(namespace)
        return await self.client.call(namespace, command, **payload)

    async def event(self, name: str, where: Any = None, within_s: float = WITHIN_S) -> Heard:
        """The first event `name` (with `where(data)` true), received already or awaited."""
        return await self.client.event(name, where, within_s)

    def events(self, name: str) -> list[Heard]:
        """The events with this name received so far."""
        return self.client.events(name)

    async def device(self) -> Client:
        """Another connection of the same session, in no namespace yet."""
        return await self.host.connect(self.token)


def address_of(name: str) -> str:
    return f"{name}@example.org"


class Mails:
    """The folder to which the server writes mails."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def to(self, address: str) -> list[EmailMessage]:
        """The mails to an address so far, oldest first."""
        read = [
            email.message_from_bytes(file.read_bytes(), policy=policy.default)
            for file in sorted(self._folder.glob("*.eml"))
        ]
        return [mail for mail in read if mail["To"] == address]

    async def wait_for(self, address: str, count: int = 1) -> EmailMessage:
        """Wait for `count` mails to an address; returns the newest."""
        mails = await until(lambda: len(found := self.to(address)) >= count and found)
        return mails[-1]  # type: ignore[no-any-return]

    async def pincode(self, address: str, count: int = 1) -> str:
        """Wait for `count` pincodes to an address; returns the newest."""
        found = await until(lambda: len(pins := self._pincodes(address)) >= count and pins)
        newest: str = found[-1]
        return newest

    def _pincodes(self, address: str) -> list[str]:
        mails = [mail for mail in self.to(address) if "pincode" in str(mail["Subject"])]
        found = [re.search(r"\b\d{6}\b", text_of(mail)) for mail in mails]
        return [one[0] for one in found if one]


def text_of(mail: EmailMessage) -> str:
    """The plain text part."""
    part = mail.get_body(("plain",))
    assert part is not None
    return str(part.get_content())


async def sign_up(host: Host, mails: Mails, name: str) -> Person:
    """Sign up like a real user: request a pincode, read the mail, complete."""
    stranger = await host.connect()
    await stranger.enter("/signup")
    address = address_of(name)
    await stranger.call("/signup", "start", email=address)
    session = await stranger.call(
        "/signup",
        "complete",
        email=address,
        pincode=await mails.pincode(address),
        first_name=name.capitalize(),
        last_name="Example",
        password=PASSWORD,
    )
    await stranger.close()
    return Person(host, name, session, await host.connect(session["access_token"]))


async def add_topic(consultant: Person, name: str = "Taxes") -> dict[str, Any]:
    """Add a topic that costs 60 EUR an hour, for at least ten minutes."""
    topic: dict[str, Any] = await consultant.call(
        "/consultants",
        "add_topic",
        name=name,
        description="",
        hourly_rate={"amount": 6000, "currency": "EUR"},
        minimal_duration_minutes=10,
    )
    return topic


@dataclass
class World:
    """One instance that serves on loopback, in the test's own event loop."""

    settings: Settings
    clock: MovableClock
    domains: tuple[Domain, ...] = ()
    """Domains of the test, in addition to the real ones."""
    clients: list[Closes] = field(default_factory=list)
    """Everything to close together with the world."""

    async def start(self, port: int = 0) -> "World":
        with patch("server.app.load_domains", self._load_domains):
            self.app = App(self.settings, self.clock)
        await self.app.start()
        self._listener = Listener(self.app.web, self.app.capacity, self.app.rejections)
        await self._listener.start("127.0.0.1", port)
        self.port: int = self._listener.addresses[0][1]
        self._serving = True
        self.mails = Mails(self.settings.data_dir / "mail")
        return self

    async def stop(self) -> None:
        """Stop in the order of `server.serving.serve`; a second call does nothing."""
        if not self._serving:
            return
        self._serving = False
        try:
            await self.app.stop()
        finally:  # otherwise the event loop, with a running server, never closes
            await self._listener.stop()

    async def restart(self) -> None:
        """Stop and start again at the same address; clients have to reconnect."""
        await self.stop()
        await self.start(self.port)

    async def close(self) -> None:
        async with AsyncExitStack() as stack:  # closes all, even if one fails
            stack.push_async_callback(self.stop)
            for client in self.clients:
                stack.push_async_callback(client.close)
        exceeded = self.app.dispatcher.exceeded
        assert not exceeded, f"commands took more than they declare: {exceeded}"

    def _load_domains(self, systems: Mapping[str, tuple[str, ...]]) -> Registry:
        loaded = load_domains(systems)
        return registry_of((*loaded.domains, *self.domains)) if self.domains else loaded

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    # Users and visitors.

    async def connect(self, token: str | None = None, **headers: str) -> Client:
        """A connection that has sent nothing yet; closed with the world."""
        client = Client(self.url, token, headers)
        self.clients.append(client)
        return await client.open()

    async def visitor(self, *namespaces: str) -> Client:
        """A client without a user."""
        client = await self.connect()
        return await client.enter(*namespaces)

    async def person(self, name: str, *roles: str, consultant: bool = False) -> Person:
        """A user with a session, created without a mail and a password hash."""
        session = msgspec.to_builtins(await self.transact(_make_person, name, roles))
        person = await self._arrive(name, session)
        if consultant:
            await person.call("/consultants", "become", **_CONSULTANT)
        return person

    async def sign_up(self, name: str) -> Person:
        """A user who signed up with a pincode from a mail and the password `PASSWORD`."""
        return await sign_up(self, self.mails, name)

    async def another_session(self, person: Person) -> Person:
        """The same user, signed in a second time."""
        session = await self.transact(open_session, person.id)
        return await self._arrive(person.name, msgspec.to_builtins(session))

    async def _arrive(self, name: str, session: dict[str, Any]) -> Person:
        return Person(self, name, session, await self.connect(session["access_token"]))

    def token_of(self, person: Person) -> str:
        kernel = self.app.kernel
        life = kernel.rules.span("access_token_life_s")
        session_id = session_id_of(person.session["access_token"])
        return make_access_token(kernel.keys, person.id, session_id, self.clock.now(), life)

    # The state.

    async def transact(self, work: Callable[..., Any], *args: Any) -> Any:
        """Run `work(tx, *args)` in one transaction, without a socket."""
        return await self.app.context().transact(work, *args)

    async def read(self, work: Callable[..., Any], *args: Any) -> Any:
        return await self.app.context().read(work, *args)

    async def stored(self, name: str) -> list[dict[str, Any]]:
        """The data of all stored events with this name, oldest first."""
        found = await self.read(lambda tx: tx.scalars(_NAMED, names=stored_names(name)))
        return [msgspec.json.decode(data) for data in found]

    async def settle(self) -> None:
        """Wait until commands are answered, and due timers and all deliveries are processed."""
        await until(self._all_answered)
        app = self.app
        for _ in range(QUIET_ROUNDS_MAX):
            fired = await app.timers.fire()
            pages = await app.backfilling.run()
            found = await app.relay.sweep() + await app.relay.serve_backlog()
            await app.relay.idle()
            if not fired and not pages and not found:
                return
        raise AssertionError("the world does not come to rest")

    def _all_answered(self) -> bool:
        """Whether every socket has entered its rooms and has all answers."""
        connections = self.app.sockets.connections
        return not any(one.worker for each in connections for one in each.sockets.values())

    async def metrics(self) -> dict[str, float]:
        """The values of /metrics, by name and labels as written there."""
        async with aiohttp.ClientSession() as http, http.get(f"{self.url}/metrics") as answer:
            lines = (await answer.text()).splitlines()
        pairs = (line.rsplit(" ", 1) for line in lines if not line.startswith("#"))
        return {name: float(value) for name, value in pairs}


def stored_names(name: str) -> list[str]:
    """The possible stored names of events that clients receive as `name`."""
    return [name, *(f"{system}.{name}" for system in (*SYSTEMS, "kernel"))]


def _make_person(tx: Transaction, name: str, roles: tuple[str, ...]) -> Any:
    user = create_user(tx, address_of(name), name.capitalize(), "Example")
    assert user is not None, f"there is a {name} already"
    for role in roles:
        add_role(tx, user.id, role)
    return open_session(tx, user.id)


def session_id_of(token: str) -> str:
    """The session id in an access token, unverified."""
    payload = token.split(".")[1]
    claims = msgspec.json.decode(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))
    session_id: str = claims["sid"]
    return session_id


class Program(Protocol):
    """A program that runs, as `subprocess` or `tests.parts.launcher` started it."""

    @property
    def pid(self) -> int: ...

    def poll(self) -> int | None: ...

    def wait(self, timeout: float | None = None) -> int: ...

    def send_signal(self, number: signal.Signals) -> None: ...


class Process:
    """`run.py` as an operator runs it; it keeps its port and data folder over restarts."""

    def __init__(
        self, environ: Mapping[str, str], data_dir: Path, begin: Callable[..., Program] = launch
    ) -> None:
        self.port = free_port()
        self._begin = begin
        self.environ = {**environ, "PARLEY_PORT": str(self.port)}
        self.mails = Mails(data_dir / "mail")
        self.clients: list[Closes] = []
        self._log = data_dir.parent / f"log-{self.port}"
        self._running: Program | None = None
        self.command = ["run.py"]

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def pid(self) -> int:
        assert self._running is not None
        return self._running.pid

    @property
    def log(self) -> str:
        """Its whole output since the first start."""
        return self._log.read_text()

    async def start(self) -> "Process":
        with self._log.open("ab") as log:
            environ = {"PATH": os.environ["PATH"], **self.environ}
            self._running = self._begin(self.command, environ, log)
        await until(self._ready, START_WITHIN_S)
        return self

    def kill(self) -> None:
        """Send SIGKILL, so that nothing is cleaned up."""
        self._end(signal.SIGKILL)

    def drain(self) -> None:
        """Send SIGTERM, without waiting for the end."""
        assert self._running is not None
        self._running.send_signal(signal.SIGTERM)

    def stop(self) -> int:
        """Send SIGTERM and wait; returns the exit code."""
        return self._end(signal.SIGTERM)

    async def close(self) -> None:
        async with AsyncExitStack() as stack:
            if self._running is not None:
                stack.callback(self.kill)
            for client in self.clients:
                stack.push_async_callback(client.close)

    async def connect(self, token: str | None = None) -> Client:
        client = Client(self.url, token)
        self.clients.append(client)
        return await client.open()

    async def sign_up(self, name: str) -> Person:
        return await sign_up(self, self.mails, name)

    def token_of(self, person: Person) -> str:
        token: str = person.session["access_token"]
        return token

    def _end(self, number: signal.Signals) -> int:
        assert self._running is not None
        self._running.send_signal(number)
        code = self._running.wait(WITHIN_S)
        self._running = None
        return code

    async def _ready(self) -> bool:
        assert self._running is not None
        assert self._running.poll() is None, self.log
        try:
            async with (
                aiohttp.ClientSession() as http,
                http.get(f"{self.url}/health/ready") as answer,
            ):
                return answer.status == 200
        except aiohttp.ClientError:
            return False


def environ_of(data_dir: Path, database_url: str, **settings: str) -> dict[str, str]:
    """The environment variables of an instance, with rates off unless `settings` override it."""
    return {
        "PARLEY_DATA_DIR": str(data_dir),
        "PARLEY_DATABASE_URL": database_url,
        "PARLEY_SECRET": SECRET,
        "PARLEY_LIMITS": "off",
        **settings,
    }


def settings_of(
    data_dir: Path, database_url: str, domains: tuple[Domain, ...] = (), **settings: str
) -> Settings:
    """The settings of an instance with additional domains of the test."""
    every = registry_of((*load_domains(SYSTEMS).domains, *domains)) if domains else None
    return read_settings(environ_of(data_dir, database_url, **settings), every)


def registry_of(domains: tuple[Domain, ...]) -> Registry:
    """The registry of these very domains, checked once: the check takes longer than many tests."""
    key = tuple(map(id, domains))
    if key not in _registries:
        _registries[key] = Registry(domains)
    return _registries[key]
