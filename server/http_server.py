"""aiohttp's HTTP server with limits, short errors, and transports that can be handed over.

Invariants:
- A TCP connection without capacity is closed before anything is read from it.
- Bodies are never decompressed. The rest of a refused body is read for `LINGER_S` only.
- Neither the log nor the answer to a malformed request contains data of the client.
- If a peer acknowledges nothing for `STALLED_MAX_S`, the operating system closes its connection, so
  that no response waits forever for a stalled reader.
"""

import asyncio
import socket
from collections.abc import Callable
from functools import partial
from typing import Any, cast

import structlog
from aiohttp import web

from server.aiohttp_internals import Answer, HttpProtocol, answer_through, is_answered
from server.capacity import Capacity
from server.logs import where
from server.rejections import Rejections

log = structlog.get_logger("http")

BACKLOG = 4_096
"""After a crash, all clients reconnect at once; those beyond the backlog retry after seconds."""
LINE_MAX = 4_096
"""Maximum bytes of a request line. aiohttp's search for a route takes time quadratic in the number
of slashes. The longest URLs in use, signed URLs of files, have about 3,000 bytes."""
KEPT_ALIVE_S = 20
"""How long an HTTP connection may be idle; longer than a proxy keeps its connections."""
LINGER_S = 0.5
"""How long the rest of a refused body is read, so that the client can read the answer."""
STALLED_MAX_S = 60
SHUTDOWN_WITHIN_S = 2.0
BAD_REQUEST = b'{"error":{"code":"INVALID","message":"This is not a valid HTTP request."}}'
EXPECTED = "100-continue"
"""The only defined expectation (RFC 9110, section 10.1.1)."""
FAILED = b'{"error":{"code":"INTERNAL","message":"Something failed here; it has been logged."}}'


class HttpConnection(HttpProtocol):
    """One TCP connection that speaks HTTP, until it ends or a WebSocket takes its transport."""

    __slots__ = ("_capacity", "_key", "_rejections")

    def __init__(
        self, server: web.Server, capacity: Capacity, rejections: Rejections, **options: Any
    ) -> None:
        super().__init__(server, **options)
        self._capacity = capacity
        self._rejections = rejections
        self._key: str | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        real = cast(asyncio.Transport, transport)
        peer = real.get_extra_info("peername")
        self._key = self._capacity.accept(peer[0] if peer else "")
        if self._key is None:
            self._rejections.add("tcp_connections")
            real.abort()
            return
        bound_stalls(real)
        super().connection_made(transport)

    def connection_lost(self, exc: BaseException | None) -> None:
        if self._key is not None:
            self._capacity.closed(self._key)
            self._key = None
        super().connection_lost(exc)

    def hand_over(self, protocol: asyncio.Protocol) -> Callable[[], None]:
        """Give the transport to `protocol`; returns a function to call when it is lost."""
        key = self._key
        assert key is not None
        self._key = None  # the transport still counts towards the capacity
        self.give_transport(protocol)
        return partial(self._capacity.closed, key)

    def handle_error(
        self,
        request: web.BaseRequest,
        status: int = 500,
        exc: BaseException | None = None,
        message: str | None = None,
    ) -> web.StreamResponse:
        """A short answer that quotes nothing of the request; the connection closes after it."""
        if status < 500:
            self._rejections.add("malformed_http")
        else:
            self.log_exception("request", exc_info=exc)
        if is_answered(request):
            raise ConnectionError("the answer has already started")
        return short_answer(status)

    def log_exception(self, *args: Any, **kw: Any) -> None:
        """Log the error's type and place only: messages and values may contain client data."""
        raised = kw.get("exc_info")
        if isinstance(raised, BaseException):
            log.error("request_failed", error=type(raised).__name__, where=where(raised))


def short_answer(status: int) -> web.Response:
    """An error that quotes nothing of the request; the connection closes after it."""
    response = web.Response(
        body=BAD_REQUEST if status < 500 else FAILED,
        status=status,
        content_type="application/json",
        headers={"Server": "Parley"},
    )
    response.force_close()
    return response


def bound_stalls(transport: asyncio.Transport) -> None:
    """Let the operating system close a connection whose peer stops acknowledging data."""
    bare = transport.get_extra_info("socket")
    option = getattr(socket, "TCP_USER_TIMEOUT", None)  # on Linux
    if bare is not None and option is not None:
        bare.setsockopt(socket.IPPROTO_TCP, option, STALLED_MAX_S * 1_000)


class Listener:
    """The listening socket of one instance, with the application behind it."""

    def __init__(
        self, application: web.Application, capacity: Capacity, rejections: Rejections
    ) -> None:
        self._runner = web.AppRunner(application, shutdown_timeout=SHUTDOWN_WITHIN_S)
        self._capacity = capacity
        self._rejections = rejections
        self._server: asyncio.Server | None = None

    async def start(self, host: str, port: int) -> None:
        """Listen on `host` and `port`; port 0 means any free port."""
        await self._runner.setup()
        server = answer_through(self._runner, self._check_expectation)
        loop = asyncio.get_running_loop()
        make = partial(
            HttpConnection,
            server,
            self._capacity,
            self._rejections,
            loop=loop,
            access_log=None,
            auto_decompress=False,
            max_line_size=LINE_MAX,
            keepalive_timeout=KEPT_ALIVE_S,
            lingering_time=LINGER_S,
        )
        self._server = await loop.create_server(make, host, port, backlog=BACKLOG)

    async def _check_expectation(
        self, answer: Answer, request: web.BaseRequest
    ) -> web.StreamResponse:
        """Refuse an unknown `Expect`: aiohttp's own answer quotes it and names its version."""
        if request.headers.get("Expect", EXPECTED).lower() == EXPECTED:
            return await answer(request)
        self._rejections.add("malformed_http")
        return short_answer(417)

    async def stop(self) -> None:
        """Close the listening socket, then the remaining HTTP connections."""
        if self._server is not None:
            self._server.close()
        await self._runner.cleanup()

    @property
    def addresses(self) -> list[tuple[str, int]]:
        """Host and port of each listening socket."""
        sockets = self._server.sockets if self._server is not None else ()
        return [bare.getsockname()[:2] for bare in sockets]
