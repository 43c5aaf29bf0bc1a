"""A TCP proxy that can be cut and restored, to simulate an unreachable server."""

import asyncio
from urllib.parse import urlsplit


class Proxy:
    """Listens on loopback and forwards bytes to one TCP server, until it is cut."""

    def __init__(self, url: str) -> None:
        self._target = urlsplit(url)
        self._pipes: set[asyncio.Task[None]] = set()
        self._muted: set[asyncio.Task[None]] = set()
        self._port = 0
        self._lost: tuple[bytes, bool] | None = None
        self.lost = asyncio.Event()

    @property
    def url(self) -> str:
        """The URL of the server through this proxy."""
        who, at, _ = self._target.netloc.rpartition("@")
        return self._target._replace(netloc=f"{who}{at}127.0.0.1:{self._port}").geturl()

    async def mend(self) -> None:
        """Accept connections (again), always on the same port."""
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", self._port)
        self._port = self._server.sockets[0].getsockname()[1]

    async def cut(self) -> None:
        """Close every connection and refuse new ones."""
        self._server.close()
        for pipe in self._pipes:
            pipe.cancel()
        await asyncio.gather(*self._pipes, return_exceptions=True)

    def mute(self) -> None:
        """Keep existing connections open, but forward nothing more."""
        self._muted |= self._pipes

    def lose(self, message: bytes, *, arrives: bool) -> None:
        """Forward nothing more on the next connection that sends `message`, but keep it open.

        `arrives` decides whether the message itself is forwarded. Sets `lost` when it is sent.
        """
        self._lost = (message, arrives)
        self.lost.clear()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        target = await asyncio.open_connection(self._target.hostname, self._target.port)
        back = asyncio.create_task(self._pass_on(target[0], writer))
        there = asyncio.create_task(self._pass_on(reader, target[1], back))
        for pipe in (back, there):
            self._pipes.add(pipe)
            pipe.add_done_callback(self._pipes.discard)

    async def _pass_on(
        self,
        source: asyncio.StreamReader,
        sink: asyncio.StreamWriter,
        back: asyncio.Task[None] | None = None,
    ) -> None:
        try:
            while chunk := await source.read(65_536):
                if back is not None and self._lost is not None and self._lost[0] in chunk:
                    self._lose_answer(sink, chunk, back)
                if asyncio.current_task() not in self._muted:
                    sink.write(chunk)
        except OSError:
            pass
        finally:
            sink.transport.abort()

    def _lose_answer(
        self, sink: asyncio.StreamWriter, chunk: bytes, back: asyncio.Task[None]
    ) -> None:
        assert self._lost is not None
        there = asyncio.current_task()
        assert there is not None
        _, arrives = self._lost
        self._lost = None
        self._muted |= {back, there}
        if arrives:
            sink.write(chunk)
        self.lost.set()
