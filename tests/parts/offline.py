"""A world without a server: commands run in one SQLite transaction, which is rolled back.

For tests of decisions: what a command changes, publishes, answers and refuses. Such a world costs a
third of a server with connections. Tests of domains have it on SQLite, unless they ask for a server
with the mark `with_server`. They are written like any other test: the dispatcher, the connection
gate, the rooms, the relay, the domains and the statements are the real ones. There is no transport
(no HTTP, no Engine.IO), and timers fire only when the test calls `World.settle`.
"""

import asyncio
import json
import sqlite3
import uuid
from collections.abc import Callable
from itertools import count
from typing import Any, TypeVar
from unittest.mock import patch

from handlers.kit.errors import Refusal
from handlers.kit.kernel import Origin
from rooms.packets import Packet
from rooms.tasks import Tasks
from server.app import App
from server.dispatch import Incoming
from server.namespace_entry import refused
from server.session import Connection, Socket
from server.transport import Outgoing
from storage.engine.database import Committed, Kind, StorageUnavailable, Work, pass_on
from storage.engine.sqlite_batches import run_in_savepoint
from storage.engine.waiting import Waits
from tests.wire_client import Client, Refused
from tests.world import Mails, World

T = TypeVar("T")


class RolledBack:
    """A database whose transactions are savepoints of a single one, which is never committed."""

    shared = False

    def __init__(self, path: str) -> None:
        self.committed: Committed = lambda effects: None
        self.waits = Waits()
        self._path = path
        self._connection: sqlite3.Connection | None = None

    async def start(self) -> None:
        self._connection = sqlite3.connect(self._path, isolation_level=None)
        self._connection.execute("PRAGMA foreign_keys=ON")
        self._connection.execute("BEGIN")

    async def stop(self) -> None:
        if self._connection is not None:
            self._connection.close()
        self._connection = None

    async def transact(
        self,
        work: Work[T],
        *,
        savepoint: bool = False,
        kind: Kind = "commands",
        serializable: bool = False,
    ) -> T:
        if self._connection is None:
            raise StorageUnavailable("the test is over")
        outcome = run_in_savepoint(self._connection, work)
        pass_on(outcome.effects, self.committed)
        if outcome.error is not None:
            raise outcome.error
        value: T = outcome.value
        return value

    async def read(self, work: Work[T], *, kind: Kind = "commands") -> T:
        return await self.transact(work)

    async def ready(self) -> bool:
        return True


def open_rolled_back(url: str) -> RolledBack:
    return RolledBack(url.removeprefix("sqlite:///"))


class Direct(Outgoing):
    """Delivers the packets of a connection to its client at once."""

    def __init__(self, receive: Callable[[str], None]) -> None:
        super().__init__()
        self._receive = receive

    def send(self, packet: Packet) -> bool:
        self._receive(packet.text.decode())
        return True


class OfflineClient(Client):
    """A client of a server without a transport: it has a connection and sockets in rooms."""

    def __init__(self, app: App, token: str | None, device: str) -> None:
        super().__init__("", token)
        self._app = app
        origin = Origin("127.0.0.1", device)
        outgoing = Direct(self._receive)
        self.connection = Connection(new_sid(), outgoing, origin, "127.0.0.1", self._cut)
        self._turns: dict[str, asyncio.Lock] = {}
        """Commands of a namespace run one after the other."""
        self._tasks = Tasks()

    async def enter(self, *namespaces: str, **auth: Any) -> "OfflineClient":
        if self.token is not None:
            auth.setdefault("token", self.token)
        for namespace in namespaces:
            try:
                await self._enter(namespace, auth)
            except Refusal as refusal:
                error = refused(refusal)
                raise Refused({**error["data"], "message": error["message"]}) from None
        return self

    async def _enter(self, namespace: str, auth: dict[str, Any]) -> None:
        gate = self._app.gate
        known = await gate.admit(self.connection, namespace, auth)
        socket = Socket(self.connection, namespace, new_sid(), known=known)
        self.connection.sockets[namespace] = socket
        self._turns[namespace] = asyncio.Lock()
        await gate.let_in(socket, auth)

    async def begin(self, namespace: str, command: str, payload: Any) -> asyncio.Future[Any]:
        return self._tasks.spawn(self.ask(namespace, command, payload))

    async def ask(self, namespace: str, command: str, payload: Any) -> dict[str, Any]:
        socket = self.connection.sockets[namespace]
        body = json.dumps(payload).encode()
        async with self._turns[namespace]:
            origin = self.connection.origin
            incoming = Incoming(namespace, command, body, socket.actor, origin, socket)
            answer = await self._app.dispatcher.answer(incoming)
            for afterwards in answer.context.after_ack:
                afterwards()
        answered: dict[str, Any] = json.loads(answer.body)
        return answered

    @property
    def is_waiting(self) -> bool:
        """Whether a command is not answered yet."""
        return any(turn.locked() for turn in self._turns.values())

    async def close(self) -> None:
        await self._tasks.end()
        self.hang_up()

    def hang_up(self) -> None:
        """Lose the connection, as the server notices it."""
        connection, gate = self.connection, self._app.gate
        if connection.gone:
            return
        connection.gone = True
        for socket in list(connection.sockets.values()):
            del connection.sockets[socket.namespace]
            gate.left(socket)
            gate.disconnect(socket)
        gate.gone(connection)
        self._hang_up()

    def _cut(self, connection: Connection) -> None:
        self.hang_up()


SIDS = count(1)


def new_sid() -> str:
    return f"offline-{next(SIDS)}"


class OfflineWorld(World):
    """A `World` on a database that is rolled back, without a server."""

    async def start(self, port: int = 0) -> World:
        with (
            patch("server.app.load_domains", self._load_domains),
            patch("server.app.open_database", open_rolled_back),
        ):
            self.app = app = App(self.settings, self.clock)
        app.gate.end = self._end
        await app.database.start()
        app.gate.epoch = str(uuid.uuid4())
        await app.kernel.objects.start()
        await app.rooms.start()
        await app.control.start(app.rooms)
        await app.heartbeat.start()
        await app.relay.start()
        self.mails = Mails(self.settings.data_dir / "mail")
        return self

    async def stop(self) -> None:
        app = self.app
        await app.gate.stop()
        await app.heartbeat.stop()
        await app.relay.stop()
        await app.rooms.stop()
        await app.kernel.providers.stop()
        await app.kernel.pages.stop()
        await app.sandbox.stop()
        await app.kernel.objects.stop()
        await app.database.stop()

    async def connect(self, token: str | None = None, **headers: str) -> Client:
        client = OfflineClient(self.app, token, headers.get("User-Agent", ""))
        self.clients.append(client)
        return client

    async def _end(self, connection: Connection) -> None:
        """End the connection of a session that has ended."""
        for client in self._connected():
            if client.connection is connection:
                client.hang_up()

    def _all_answered(self) -> bool:
        return not any(client.is_waiting for client in self._connected())

    def _connected(self) -> list[OfflineClient]:
        return [client for client in self.clients if isinstance(client, OfflineClient)]
