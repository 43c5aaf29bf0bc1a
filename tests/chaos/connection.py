"""One Socket.IO connection, from its opening until it is lost.

Invariants:
- One reader processes packets in order, without waiting: it calls `hear` and `then` in the order
  of arrival.
- When the connection is lost, every waiter on it gets Lost once.
"""

import asyncio
import itertools
import json
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from tests.chaos.line import Line, Lost
from tests.wire_client import Refused

ENTER_WITHIN_S = 20.0
ANSWER_WITHIN_S = 25.0
"""Longer than it takes to detect a dead connection: a longer wait means that it is alive."""
SYNCED = "synced"

Hear = Callable[[str, str, Any, dict[str, Any]], None]
"""(namespace, name, data, meta)"""
Then = Callable[[Any], None]


class NoAnswer(Exception):
    """A command got no answer on a living connection."""


class Connection:
    """The namespaces, commands and events on one line."""

    def __init__(self, line: Line, hear: Hear) -> None:
        self._line = line
        self._hear = hear
        self._ids = itertools.count(1)
        self._waiting: dict[Any, tuple[asyncio.Future[Any], Then | None]] = {}
        self._pongs: set[asyncio.Task[None]] = set()
        self._reader: asyncio.Task[None] | None = None
        self.lost = asyncio.Event()
        self.place = ""
        """The instance that a proxy chose."""

    async def open(self) -> None:
        """Open the line; raises Lost."""
        try:
            await self._line.open()
        except (Lost, TimeoutError) as error:
            raise Lost(str(error)) from None
        self.place = self._line.place
        self._reader = asyncio.create_task(self._read())

    async def enter(self, namespace: str, auth: dict[str, Any]) -> None:
        """Connect to a namespace and wait for its `synced`; raises Lost, Refused and NoAnswer."""
        synced = self._wait_for((namespace, SYNCED))
        await self._line.send(f"40{namespace},{json.dumps(auth)}")
        await self._bounded(synced, ENTER_WITHIN_S, f"{namespace} was not synced")

    async def ask(
        self, namespace: str, command: str, payload: Any, then: Then | None = None
    ) -> dict[str, Any]:
        """Send a command; returns the answer, after `then` got it. Raises Lost and NoAnswer."""
        number = next(self._ids)
        answer = self._wait_for((namespace, number), then)
        await self._line.send(f"42{namespace},{number}{json.dumps([command, payload])}")
        what = f"{namespace} {command} was not answered"
        return await self._bounded(answer, ANSWER_WITHIN_S, what)  # type: ignore[no-any-return]

    async def close(self) -> None:
        tasks = [task for task in (self._reader, *self._pongs) if task is not None]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await self._line.close()

    def _wait_for(self, key: Any, then: Then | None = None) -> asyncio.Future[Any]:
        if self.lost.is_set():
            raise Lost("it is over")
        future = asyncio.get_running_loop().create_future()
        self._waiting[key] = (future, then)
        return future

    async def _bounded(self, future: asyncio.Future[Any], within_s: float, what: str) -> Any:
        try:
            async with asyncio.timeout(within_s):
                return await future
        except TimeoutError:
            raise NoAnswer(what) from None

    async def _read(self) -> None:
        try:
            while True:
                for packet in await self._line.read():
                    self._take(packet)
        except Lost:
            pass
        finally:
            self.lost.set()
            for future, _ in self._waiting.values():
                if not future.done():
                    future.set_exception(Lost("it was lost"))
                    future.exception()  # retrieved here in case nothing awaits it

    def _take(self, packet: str) -> None:
        if packet == "2":
            pong = asyncio.ensure_future(self._pong())
            self._pongs.add(pong)
            pong.add_done_callback(self._pongs.discard)
        elif packet[:1] == "1":
            raise Lost("closed by the server")
        elif packet[:1] == "4":
            self._take_message(packet[1], packet[2:])

    async def _pong(self) -> None:
        with suppress(Lost):
            await self._line.send("3")

    def _take_message(self, kind: str, rest: str) -> None:
        namespace, _, body = rest.partition(",")
        if kind == "1":
            raise Lost(f"put out of {namespace}")
        if kind == "3":
            start = body.index("[")
            self._settle((namespace, int(body[:start])), json.loads(body[start:])[0])
        elif kind == "4":
            refusal = json.loads(body)
            error = {**(refusal.get("data") or {}), "message": refusal["message"]}
            self._settle((namespace, SYNCED), Refused(error))
        elif kind == "2":
            name, data, *rest_of_it = json.loads(body)
            self._hear(namespace, name, data, rest_of_it[0] if rest_of_it else {})
            if name == SYNCED:
                self._settle((namespace, SYNCED), None)

    def _settle(self, key: Any, value: Any) -> None:
        future, then = self._waiting.pop(key, (None, None))
        if then is not None:
            then(value)
        if future is None or future.done():
            return
        if isinstance(value, Exception):
            future.set_exception(value)
        else:
            future.set_result(value)
