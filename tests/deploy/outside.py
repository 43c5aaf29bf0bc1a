"""Clients of a proxy, each from an address of its own."""

import asyncio
import itertools
import json
import ssl
from pathlib import Path
from typing import Any

import aiohttp

from tests.parts.node import find_node
from tests.parts.proxies import RunningProxy
from tests.wire_client import Client
from tests.world import WITHIN_S, until

SCRIPT = Path(__file__).with_name("caller.mjs")
_numbers = itertools.count(256)


def fresh_address() -> str:
    """A local address that no client has used yet."""
    high, low = divmod(next(_numbers), 256)
    return f"127.0.{high}.{low}"


def http_from(address: str, proxy: RunningProxy) -> aiohttp.ClientSession:
    """An HTTP session from an address; it trusts only the proxy's certificate."""
    trust = ssl.create_default_context(cafile=proxy.certificate)
    connector = aiohttp.TCPConnector(ssl=trust, local_addr=(address, 0), limit=0)
    return aiohttp.ClientSession(connector=connector)


class Visitor(Client):
    """The tests' client, by websocket, with its own address and headers."""

    def __init__(self, proxy: RunningProxy, address: str, **headers: str) -> None:
        super().__init__(proxy.url, headers=headers)
        self._proxy = proxy
        self._address = address

    async def open(self) -> "Visitor":
        self._http = http_from(self._address, self._proxy)
        self.ws = await self._http.ws_connect(
            f"{self.url}/socket.io/?EIO=4&transport=websocket", headers=self.headers
        )
        self._reader = asyncio.create_task(self._read())
        return self

    async def close(self) -> None:
        if hasattr(self, "_reader"):
            await super().close()
        else:
            await self._http.close()


class Poller:
    """A polling session in which each request can come from another address."""

    def __init__(self, proxy: RunningProxy, **headers: str) -> None:
        self._proxy = proxy
        self._url = f"{proxy.url}/socket.io/?EIO=4&transport=polling"
        self._headers = headers

    async def open(self, address: str) -> "Poller":
        handshake = json.loads((await self._request("GET", address))[1:])
        self._url += f"&sid={handshake['sid']}"
        return self

    async def post(self, address: str, *packets: str) -> None:
        assert await self._request("POST", address, "\x1e".join(packets)) == "OK"

    async def get(self, address: str) -> list[str]:
        return (await self._request("GET", address)).split("\x1e")

    async def close(self, address: str) -> None:
        await self.post(address, "1")

    async def _request(self, method: str, address: str, body: str | None = None) -> str:
        async with (
            http_from(address, self._proxy) as http,
            http.request(method, self._url, data=body, headers=self._headers) as answer,
        ):
            assert answer.status == 200, await answer.text()
            return await answer.text()


class ChatClient:
    """A user with the official client in /chat; keeps what it receives, in order."""

    def __init__(self, proxy: RunningProxy, token: str, transports: str) -> None:
        self.heard: list[list[Any]] = []
        self.transports = transports
        self.address = fresh_address()
        self._proxy = proxy
        self._token = token

    async def start(self, *, cookies: bool = False) -> "ChatClient":
        self._node = await asyncio.create_subprocess_exec(
            *(find_node(), SCRIPT, self._proxy.url, self.transports, self._token, self.address),
            *(["cookies"] if cookies else []),
            env={"NODE_EXTRA_CA_CERTS": str(self._proxy.certificate)},
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
        )
        self._reader = asyncio.create_task(self._read())
        await self.until(lambda: self.all("synced"))
        await self.until(lambda: self.transport == self.transports.split(",")[-1])
        return self

    async def call(self, command: str, **payload: Any) -> Any:
        """Ask a command, and return the data of its answer."""
        answers = len(self.all("answer"))
        assert self._node.stdin
        self._node.stdin.write(json.dumps([command, payload]).encode() + b"\n")
        await self.until(lambda: len(self.all("answer")) > answers)
        answer = self.all("answer")[answers]
        assert answer["ok"], answer
        return answer["data"]

    @property
    def transport(self) -> str:
        """The current transport."""
        return (self.all("transport") or [""])[-1]

    def all(self, name: str) -> list[Any]:
        """The data of everything received under this name."""
        return [said[1] for said in self.heard if said[0] == name]

    def texts(self) -> list[str]:
        """The texts of the received messages, in order."""
        return [data["message"]["text"] for data in self.all("MESSAGE_SENT")]

    async def until(self, condition: Any, within_s: float = WITHIN_S) -> None:
        try:
            await until(condition, within_s)
        except TimeoutError:
            raise AssertionError(f"timed out; {self.transports} received {self.heard}") from None

    async def close(self) -> None:
        """Disconnect cleanly; closing again does nothing."""
        assert self._node.stdin
        self._node.stdin.close()
        try:
            async with asyncio.timeout(WITHIN_S):
                await self._node.wait()
        finally:
            if self._node.returncode is None:
                self._node.kill()
        await self._reader

    async def _read(self) -> None:
        assert self._node.stdout
        async for line in self._node.stdout:
            self.heard.append(json.loads(line))
