"""A Socket.IO client for tests, with its own protocol code so that tests see every frame."""

import asyncio
import contextlib
import itertools
import json
from dataclasses import dataclass, field
from typing import Any

import aiohttp

WITHIN_S = 10.0


class Refused(Exception):
    """An `{ok: false}` answer or a CONNECT_ERROR, with its `code`."""

    def __init__(self, error: dict[str, Any]) -> None:
        super().__init__(f"{error.get('code')}: {error}")
        self.error = error
        self.code = error.get("code")
        self.details = error.get("details")


@dataclass
class Heard:
    """One received event."""

    namespace: str
    name: str
    data: Any
    meta: dict[str, Any]


@dataclass
class Client:
    """One connection and its namespaces."""

    url: str
    token: str | None = None
    headers: dict[str, str] = field(default_factory=dict)
    heard: list[Heard] = field(default_factory=list)
    synced: dict[str, dict[str, Any]] = field(default_factory=dict)
    closed: asyncio.Event = field(default_factory=asyncio.Event)
    frames: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._ids = itertools.count(1)
        self._acks: dict[tuple[str, int], asyncio.Future[Any]] = {}
        self._connecting: dict[str, asyncio.Future[Any]] = {}
        self._changed = asyncio.Event()

    async def open(self) -> "Client":
        """Open the WebSocket, without entering a namespace."""
        self._http = aiohttp.ClientSession()
        self.ws = await self._http.ws_connect(
            f"{self.url}/socket.io/?EIO=4&transport=websocket",
            headers=self.headers,
            max_msg_size=0,
        )
        self._reader = asyncio.create_task(self._read())
        return self

    async def enter(self, *namespaces: str, **auth: Any) -> "Client":
        """Connect to namespaces and wait for each one's `synced`; raises Refused."""
        if self.token is not None:
            auth.setdefault("token", self.token)
        for namespace in namespaces:
            future = self._connecting[namespace] = asyncio.get_running_loop().create_future()
            await self.ws.send_str(f"40{namespace},{json.dumps(auth)}")
            async with asyncio.timeout(WITHIN_S):
                await future
            await self.until(lambda n=namespace: n in self.synced)
        return self

    async def call(self, namespace: str, command: str, **payload: Any) -> Any:
        """Send a command; returns the data of the answer, raises Refused."""
        answer = await self.ask(namespace, command, payload)
        if not answer["ok"]:
            raise Refused(answer["error"])
        return answer["data"]

    async def ask(self, namespace: str, command: str, payload: Any) -> dict[str, Any]:
        """Send a command; returns the complete answer."""
        async with asyncio.timeout(WITHIN_S):
            return await (await self.begin(namespace, command, payload))

    async def begin(self, namespace: str, command: str, payload: Any) -> asyncio.Future[Any]:
        """Send a command; returns a future of its answer."""
        number = next(self._ids)
        future = self._acks[namespace, number] = asyncio.get_running_loop().create_future()
        await self.ws.send_str(f"42{namespace},{number}{json.dumps([command, payload])}")
        return future

    async def until(self, condition: Any, within_s: float = WITHIN_S) -> None:
        """Wait until `condition()` is true; checks it after each frame."""
        async with asyncio.timeout(within_s):
            while not condition():
                await self._changed.wait()

    async def event(self, name: str, where: Any = None, within_s: float = WITHIN_S) -> Heard:
        """The first event `name` (with `where(data)` true), received already or awaited."""

        def find() -> Heard | None:
            for heard in self.heard:
                if heard.name == name and (where is None or where(heard.data)):
                    return heard
            return None

        await self.until(lambda: find() is not None, within_s)
        found = find()
        assert found is not None
        return found

    def events(self, name: str) -> list[Heard]:
        return [heard for heard in self.heard if heard.name == name]

    async def close(self) -> None:
        await self.ws.close()
        self._reader.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await self._reader
        await self._http.close()

    async def _read(self) -> None:
        async for message in self.ws:
            if message.type is not aiohttp.WSMsgType.TEXT:
                break
            if message.data == "2":
                await self.ws.send_str("3")
            self._receive(message.data)
        self._hang_up()

    def _receive(self, text: str) -> None:
        self.frames.append(text)
        if text.startswith("4"):
            self._take_packet(text[1], text[2:])
        self._notify()

    def _hang_up(self) -> None:
        self.closed.set()
        self._notify()

    def _notify(self) -> None:
        """Let everyone who waits look again."""
        self._changed.set()
        self._changed = asyncio.Event()

    def _take_packet(self, kind: str, rest: str) -> None:
        namespace = "/"
        if rest.startswith("/"):
            namespace, _, rest = rest.partition(",")
        if kind == "0":
            self._settle(namespace, None)
        elif kind == "4":
            data = json.loads(rest)
            self._settle(
                namespace, Refused({**(data.get("data") or {}), "message": data["message"]})
            )
        elif kind == "3":
            end = rest.index("[")
            self._acks.pop((namespace, int(rest[:end]))).set_result(json.loads(rest[end:])[0])
        elif kind == "2":
            name, *arguments = json.loads(rest)
            if name == "synced":
                self.synced[namespace] = arguments[0]
            else:
                meta = arguments[1] if len(arguments) > 1 else {}
                self.heard.append(Heard(namespace, name, arguments[0], meta))

    def _settle(self, namespace: str, error: Refused | None) -> None:
        future = self._connecting[namespace]
        if error is None:
            future.set_result(None)
        else:
            future.set_exception(error)
