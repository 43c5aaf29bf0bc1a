"""A world without a server: commands run in one SQLite transaction, which is rolled back.

For tests of decisions: what a command changes, answers and refuses. Such a world costs a third of
a server with connections. A test asks for it with the mark `without_server`, and is written like
any other test: the dispatcher, the domains, the relay and the statements are the real ones. There
are no connections, so clients receive no events (`World.stored` has them), and no timers but those
that `World.settle` runs. On PostgreSQL, the same test has a server.
"""

import json
import sqlite3
from typing import Any, TypeVar
from unittest.mock import patch

from handlers.kit.kernel import Actor, Origin
from server.app import App
from server.dispatch import Incoming
from storage.engine.database import Committed, Kind, StorageUnavailable, Work, pass_on
from storage.engine.sqlite_batches import run_in_savepoint
from storage.engine.waiting import Waits
from tests.wire_client import Refused
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


class OfflineClient:
    """What `Client` is to a server: it asks commands, as the person of a token or as a visitor."""

    def __init__(self, app: App, token: str | None) -> None:
        self._app = app
        self._token = token
        self.synced: dict[str, dict[str, Any]] = {}

    async def enter(self, *namespaces: str, **auth: Any) -> "OfflineClient":
        """Nothing is entered here."""
        self.synced |= {namespace: {} for namespace in namespaces}
        return self

    async def call(self, namespace: str, command: str, **payload: Any) -> Any:
        """The data of the answer; raises Refused."""
        answer = await self.ask(namespace, command, payload)
        if not answer["ok"]:
            raise Refused(answer["error"])
        return answer["data"]

    async def ask(self, namespace: str, command: str, payload: Any) -> Any:
        """The whole answer."""
        body = json.dumps(payload).encode()
        asked = Incoming(namespace, command, body, await self._actor(), Origin("127.0.0.1"))
        return json.loads((await self._app.dispatcher.answer(asked)).body)

    async def _actor(self) -> Actor | None:
        return await self._app.admission.identify(self._token, None) if self._token else None

    async def close(self) -> None:
        """Nothing is open."""


class OfflineWorld(World):
    """A `World` on a database that is rolled back, without a server and connections."""

    async def start(self, port: int = 0) -> World:
        with (
            patch("server.app.load_domains", self._load_domains),
            patch("server.app.open_database", open_rolled_back),
        ):
            self.app = App(self.settings, self.clock)
        await self.app.database.start()
        await self.app.relay.start()
        self.mails = Mails(self.settings.data_dir / "mail")
        return self

    async def stop(self) -> None:
        await self.app.relay.stop()
        await self.app.database.stop()

    async def connect(self, token: str | None = None, **headers: str) -> Any:
        return OfflineClient(self.app, token)
