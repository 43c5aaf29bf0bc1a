"""An HTTPS server on loopback that sends exactly the bytes that a test gives it.

It implements no HTTP beyond finding the end of a request, so it can send invalid answers.
"""

import asyncio
import ssl
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

from handlers import READERS
from handlers.platform.previews.addresses import is_public
from handlers.platform.previews.fetch import PublicWeb
from server.sandbox.sandbox import Sandbox
from server.telemetry import Metrics
from tests.parts.proxies import make_certificate

HOST = "page.example"
LOOPBACK = "127.0.0.1"
Answer = Callable[[], AsyncIterator[bytes]]


class Whole(bytes):
    """An answer with a length, so that another can follow on the same connection."""


@dataclass
class Web:
    """One server; `pages` has the answers by path, `names` the addresses by host."""

    port: int = 0
    tls: ssl.SSLContext = field(default_factory=ssl.create_default_context)
    pages: dict[str, bytes | Answer] = field(default_factory=dict)
    names: dict[str, list[str]] = field(default_factory=lambda: {HOST: [LOOPBACK]})
    connections: int = 0
    asked: list[str] = field(default_factory=list)
    """The heads of the received requests."""
    looked_up: list[str] = field(default_factory=list)
    sandbox: Sandbox = field(default_factory=lambda: Sandbox(Metrics(), READERS))

    def url(self, path: str = "/", host: str = HOST) -> str:
        return f"https://{host}:{self.port}{path}"

    async def resolve(self, host: str) -> list[str]:
        self.looked_up.append(host)
        return self.names.get(host, [])

    def client(self, *, allows: Callable[[str], bool] | None = None) -> PublicWeb:
        """A client that accepts this server as a public one."""
        rule = allows or (lambda address: address == LOOPBACK or is_public(address))
        return PublicWeb(
            "Parley tests",
            self.sandbox,
            allows=rule,
            tls=self.tls,
            port=self.port,
            names=self.resolve,
        )

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        with suppress(OSError, asyncio.IncompleteReadError):
            while await self._answer(reader, writer):
                pass
        writer.close()

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        """Answer one request; returns whether another can follow."""
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
        self.asked.append(head)
        answer = self.pages.get(head.split(" ")[1], said(b"", status="404 Not Found"))
        async for part in _parts_of(answer):
            writer.write(part)
            await writer.drain()
        return isinstance(answer, Whole)


async def _parts_of(answer: bytes | Answer) -> AsyncIterator[bytes]:
    if isinstance(answer, bytes):
        yield answer
        return
    async for part in answer():
        yield part


def said(
    body: bytes, *, status: str = "200 OK", content_type: str = "text/html", headers: str = ""
) -> Whole:
    """A complete answer; `headers` are lines that end in CRLF."""
    head = f"HTTP/1.1 {status}\r\nContent-Type: {content_type}\r\n{headers}"
    return Whole(head.encode() + b"Content-Length: %d\r\n\r\n" % len(body) + body)


def page(title: str, **said_of_it: str) -> bytes:
    """A normal HTML page."""
    metas = "".join(f'<meta property="og:{n}" content="{v}">' for n, v in said_of_it.items())
    return f"<!doctype html><html><head><title>{title}</title>{metas}</head></html>".encode()


@asynccontextmanager
async def running_web(folder: Path) -> AsyncIterator[Web]:
    make_certificate(folder, HOST, "other.example", "*.example")
    inside = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    inside.load_cert_chain(folder / "parley.pem")
    web = Web(tls=ssl.create_default_context(cafile=str(folder / "parley.crt")))
    server = await asyncio.start_server(web.serve, LOOPBACK, 0, ssl=inside)
    web.port = server.sockets[0].getsockname()[1]
    async with server:
        yield web
        await web.sandbox.stop()
