"""The Engine.IO transport of one client: a WebSocket, or polling only.

A line sends and receives complete Engine.IO packets. It raises `Lost` when it ends, for any reason.
"""

import asyncio
import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

import aiohttp

OPEN_WITHIN_S = 5.0
SILENT_AFTER_S = 17.0
"""The server's ping interval plus timeout plus a second, after which clients give up."""
FAILURES = (aiohttp.ClientError, OSError, TimeoutError)
CLOSED = RuntimeError
"""aiohttp's exception for a session that was closed meanwhile."""
PLACE = "parley"
"""The cookie with the instance that a proxy chose."""


class Lost(Exception):
    """The connection has ended; its unanswered commands may or may not have run."""


@dataclass(frozen=True)
class Way:
    """An address for clients, and how to connect to it."""

    url: str
    connector: Callable[[], aiohttp.BaseConnector] = aiohttp.TCPConnector

    def http(self, **options: Any) -> aiohttp.ClientSession:
        """An HTTP session for one line, with its own cookies."""
        cookies = aiohttp.CookieJar(unsafe=True)  # accepts cookies from IP addresses
        return aiohttp.ClientSession(connector=self.connector(), cookie_jar=cookies, **options)


def place_in(http: aiohttp.ClientSession) -> str:
    """The instance that a proxy chose; empty without a proxy."""
    return next((cookie.value for cookie in http.cookie_jar if cookie.key == PLACE), "")


class Line(Protocol):
    @property
    def place(self) -> str:
        """The instance that a proxy chose, if there is a proxy."""

    async def open(self) -> None: ...

    async def send(self, packet: str) -> None: ...

    async def read(self) -> list[str]:
        """The next packets; raises Lost."""

    async def close(self) -> None:
        """Disconnect without waiting."""


class ByWebSocket:
    """A WebSocket."""

    def __init__(self, who: str, way: Way) -> None:
        self._address = f"{way.url}/socket.io/?EIO=4&transport=websocket&who={who}"
        self._http = way.http()

    @property
    def place(self) -> str:
        return place_in(self._http)

    async def open(self) -> None:
        try:
            async with asyncio.timeout(OPEN_WITHIN_S):
                self._ws = await self._http.ws_connect(
                    self._address, max_msg_size=0, timeout=aiohttp.ClientWSTimeout(ws_close=0.2)
                )
        except FAILURES as error:
            raise Lost(f"not connected: {error!r}") from None

    async def send(self, packet: str) -> None:
        try:
            await self._ws.send_str(packet)
        except FAILURES as error:
            raise Lost(repr(error)) from None

    async def read(self) -> list[str]:
        try:
            async with asyncio.timeout(SILENT_AFTER_S):
                message = await self._ws.receive()
        except FAILURES as error:
            raise Lost(repr(error)) from None
        if message.type is not aiohttp.WSMsgType.TEXT:
            raise Lost("closed")
        return [message.data]

    async def close(self) -> None:
        if hasattr(self, "_ws"):
            await self._ws.close()
        await self._http.close()


class ByPolling:
    """Polls, which wait for packets, and POST requests, which send some.

    A failed poll ends the connection, because its packets are lost. aiohttp's automatic retry is
    off, since it would hide that loss.
    """

    def __init__(self, who: str, way: Way) -> None:
        self._address = f"{way.url}/socket.io/?EIO=4&transport=polling&who={who}"
        self._http = way.http(
            timeout=aiohttp.ClientTimeout(total=SILENT_AFTER_S, sock_connect=OPEN_WITHIN_S)
        )
        self._http._retry_connection = False
        self._one_at_a_time = asyncio.Lock()

    @property
    def place(self) -> str:
        return place_in(self._http)

    async def open(self) -> None:
        async with asyncio.timeout(OPEN_WITHIN_S):
            opened = json.loads((await self._get())[0][1:])
        self._address += f"&sid={opened['sid']}"

    async def send(self, packet: str) -> None:
        try:
            async with (
                self._one_at_a_time,
                self._http.post(self._address, data=packet) as answer,
            ):
                if answer.status != 200:
                    raise Lost(f"the request was answered {answer.status}")
        except (*FAILURES, CLOSED) as error:
            raise Lost(repr(error)) from None

    async def read(self) -> list[str]:
        return await self._get()

    async def _get(self) -> list[str]:
        try:
            async with self._http.get(self._address) as answer:
                if answer.status != 200:
                    raise Lost(f"the poll was answered {answer.status}")
                return (await answer.text()).split("\x1e")
        except FAILURES as error:
            raise Lost(repr(error)) from None

    async def close(self) -> None:
        try:
            async with asyncio.timeout(0.5):
                await self.send("1")
        except (Lost, TimeoutError):
            pass  # the server detects it by its ping timeout
        await self._http.close()
