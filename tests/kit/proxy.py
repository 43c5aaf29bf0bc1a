"""A wire to a server that can be cut and mended, to see what is done when the other end is away."""

import asyncio
from urllib.parse import urlsplit


class Proxy:
    """Listens on loopback and passes bytes on to one TCP server, until it is cut."""

    def __init__(self, url: str) -> None:
        self._target = urlsplit(url)
        self._pipes: set[asyncio.Task[None]] = set()
        self._muted: set[asyncio.Task[None]] = set()
        self._port = 0

    @property
    def url(self) -> str:
        """The server's URL, by way of here."""
        who, at, _ = self._target.netloc.rpartition("@")
        return self._target._replace(netloc=f"{who}{at}127.0.0.1:{self._port}").geturl()

    async def mend(self) -> None:
        """Take connections (again), always on the same port."""
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", self._port)
        self._port = self._server.sockets[0].getsockname()[1]

    async def cut(self) -> None:
        """End every connection and refuse new ones."""
        self._server.close()
        for pipe in self._pipes:
            pipe.cancel()
        await asyncio.gather(*self._pipes, return_exceptions=True)

    def mute(self) -> None:
        """Let the connections that there are stay open, and pass nothing more on."""
        self._muted |= self._pipes

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        target = await asyncio.open_connection(self._target.hostname, self._target.port)
        for source, sink in ((reader, target[1]), (target[0], writer)):
            pipe = asyncio.create_task(self._pass_on(source, sink))
            self._pipes.add(pipe)
            pipe.add_done_callback(self._pipes.discard)

    async def _pass_on(self, source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
        try:
            while chunk := await source.read(65_536):
                if asyncio.current_task() not in self._muted:
                    sink.write(chunk)
        except OSError:
            pass
        finally:
            sink.transport.abort()
