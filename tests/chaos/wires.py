"""TCP proxies to a server (an instance, PostgreSQL, Redis), which can be cut, muted and stalled.

Invariants:
- A wire listens on one port for the whole run, whatever happens to its server. Without a server, it
  accepts and closes connections, as a load balancer does.
- Small buffers pass back-pressure on, so that a server notices a reader that stalls.
- A muted link stays open at both ends and discards all data. Neither end notices that the other is
  gone, even if it closes. A stalled link keeps the data until it continues.
"""

import asyncio
import re
import socket

CHUNK = 16_384
WHO = re.compile(rb"[?&]who=([\w-]+)")


class Link:
    """One client's connection through a wire; `who` is the client's name, from its request."""

    def __init__(self) -> None:
        self.who = ""
        self.muted = False
        self._flowing = asyncio.Event()
        self._flowing.set()
        self._ends: list[asyncio.StreamWriter] = []

    def mute(self) -> None:
        self.muted = True

    def stall(self) -> None:
        self._flowing.clear()

    def go_on(self) -> None:
        self._flowing.set()

    def cut(self) -> None:
        """Drop the connection with its data in transit."""
        self.go_on()
        for end in self._ends:
            end.transport.abort()

    async def join(
        self, client: tuple[asyncio.StreamReader, asyncio.StreamWriter], port: int
    ) -> None:
        """Forward bytes in both directions until either end is closed."""
        self._ends.append(client[1])
        try:
            server = await connect(port)
        except OSError:
            client[1].transport.abort()
            return
        self._ends.append(server[1])
        pump = self._pump
        await asyncio.gather(pump(client, server[1]), pump(server, client[1]))

    def _learn_who(self, chunk: bytes) -> None:
        if not self.who and (found := WHO.search(chunk)):
            self.who = found[1].decode()

    async def _pump(
        self, source: tuple[asyncio.StreamReader, asyncio.StreamWriter], sink: asyncio.StreamWriter
    ) -> None:
        try:
            while chunk := await source[0].read(CHUNK):
                self._learn_who(chunk)
                await self._flowing.wait()
                if not self.muted:
                    sink.write(chunk)
                    await sink.drain()
        except OSError:
            pass  # one end is gone; the other one is closed below
        finally:
            source[1].close()
            if not self.muted:
                sink.close()


async def connect(port: int) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    bare = socket.socket()
    try:
        bare.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, CHUNK)
        bare.setblocking(False)
        await asyncio.get_running_loop().sock_connect(bare, ("127.0.0.1", port))
    except BaseException:
        bare.close()
        raise
    return await asyncio.open_connection(sock=bare, limit=CHUNK)


class Wire:
    """The address to which the clients of one server connect."""

    def __init__(self, server_port: int) -> None:
        self._server_port = server_port
        self._stalled = False
        self._links: dict[Link, asyncio.Task[None]] = {}

    async def open(self) -> "Wire":
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0, limit=CHUNK)
        self.port: int = self._server.sockets[0].getsockname()[1]
        return self

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def links(self) -> list[Link]:
        return list(self._links)

    def stall(self) -> None:
        """Stop all data, also on new links."""
        self._stalled = True
        for link in self._links:
            link.stall()

    def go_on(self) -> None:
        self._stalled = False
        for link in self._links:
            link.go_on()

    async def close(self) -> None:
        self._server.close()
        for link, task in list(self._links.items()):
            link.cut()
            task.cancel()
        await asyncio.gather(*self._links.values(), return_exceptions=True)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        link = Link()
        if self._stalled:
            link.stall()
        joined = link.join((reader, writer), self._server_port)
        task = self._links[link] = asyncio.ensure_future(joined)
        task.add_done_callback(lambda _: self._links.pop(link, None))
