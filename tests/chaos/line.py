"""How one client reaches Engine.IO: by a websocket, or by polling and nothing else.

A line gives and takes whole Engine.IO packets. Whatever ends it is `Lost`.
"""

import asyncio
import json
from typing import Protocol

import aiohttp

OPEN_WITHIN_S = 5.0
SILENT_AFTER_S = 17.0
"""The server's ping interval and time-out, and a second: what clients wait before they give up."""
FAILURES = (aiohttp.ClientError, OSError, TimeoutError)
CLOSED = RuntimeError
"""What aiohttp raises for a session that was closed meanwhile."""


class Lost(Exception):
    """The connection is over; what was asked on it may or may not have been done."""


class Line(Protocol):
    async def open(self, url: str) -> None: ...

    async def send(self, packet: str) -> None: ...

    async def read(self) -> list[str]:
        """The next packets; raises Lost."""

    async def close(self) -> None:
        """Hang up, and wait for nobody."""


class ByWebSocket:
    """One websocket."""

    def __init__(self, who: str) -> None:
        self._who = who
        self._http = aiohttp.ClientSession()

    async def open(self, url: str) -> None:
        address = f"{url}/socket.io/?EIO=4&transport=websocket&who={self._who}"
        try:
            async with asyncio.timeout(OPEN_WITHIN_S):
                self._ws = await self._http.ws_connect(
                    address, max_msg_size=0, timeout=aiohttp.ClientWSTimeout(ws_close=0.2)
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

    def __init__(self, who: str) -> None:
        self._who = who
        self._http = aiohttp.ClientSession(
            timeout=aiohttp.ClientTimeout(total=SILENT_AFTER_S, sock_connect=OPEN_WITHIN_S)
        )
        self._http._retry_connection = False
        self._one_at_a_time = asyncio.Lock()

    async def open(self, url: str) -> None:
        self._address = f"{url}/socket.io/?EIO=4&transport=polling&who={self._who}"
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
