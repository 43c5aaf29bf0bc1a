"""How one client reaches Engine.IO: by a websocket, or by polling and nothing else.

A line gives and takes whole Engine.IO packets. Whatever ends it is `Lost`.
"""

import asyncio
import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

import aiohttp

OPEN_WITHIN_S = 5.0
SILENT_AFTER_S = 17.0
"""The server's ping interval and time-out, and a second: what clients wait before they give up."""
FAILURES = (aiohttp.ClientError, OSError, TimeoutError)
CLOSED = RuntimeError
"""What aiohttp raises for a session that was closed meanwhile."""
PLACE = "parley"
"""The cookie in which a proxy says to which instance it leads."""


class Lost(Exception):
    """The connection is over; what was asked on it may or may not have been done."""


@dataclass(frozen=True)
class Way:
    """An address that clients dial, and how they are connected to it."""

    url: str
    connector: Callable[[], aiohttp.BaseConnector] = aiohttp.TCPConnector

    def http(self, **options: Any) -> aiohttp.ClientSession:
        """HTTP for one line, with cookies of its own."""
        cookies = aiohttp.CookieJar(unsafe=True)  # of addresses without a name, too
        return aiohttp.ClientSession(connector=self.connector(), cookie_jar=cookies, **options)


def place_in(http: aiohttp.ClientSession) -> str:
    """The instance that a proxy led to; nothing where there is no proxy."""
    return next((cookie.value for cookie in http.cookie_jar if cookie.key == PLACE), "")


class Line(Protocol):
    @property
    def place(self) -> str:
        """The instance that a proxy led to, if there is a proxy."""

    async def open(self) -> None: ...

    async def send(self, packet: str) -> None: ...

    async def read(self) -> list[str]:
        """The next packets; raises Lost."""

    async def close(self) -> None:
        """Hang up, and wait for nobody."""


class ByWebSocket:
    """One websocket."""

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
    """Requests that wait for packets, and others that bring some.

    A poll that failed is the end of the connection. What was on its way then is lost, and nobody
    could say so if it were asked again in silence, as aiohttp would.
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
            pass  # it is found silent
        await self._http.close()
