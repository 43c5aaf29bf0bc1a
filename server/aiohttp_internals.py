"""What we use of aiohttp beyond its documentation: its HTTP protocol and its websocket reader.

- `web.RequestHandler`, the protocol of one TCP connection. We subclass it to bound connections, to
  answer errors without quoting the request, and to hand its transport to a websocket of our own:
  an idle one then costs 10 KB instead of 27 (docs/adr/0003).
- `web.Server.request_handler`, which every request goes through.
- `BaseRequest.protocol`, and `BaseRequest.writer.output_size`.
- A response whose `prepare` raises ConnectionError counts as one to a client that is gone.
- `WebSocketReader` and its `WebSocketDataQueue`, which are compiled. Reading the documented
  websocket takes a task for each connection.
- `HttpProcessingError`, which is raised where a body is malformed.

Looked at: 3.14.5. The checks pass with 3.14.0, and refuse 3.13, whose reader works otherwise.
"""

import asyncio
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any, cast

from aiohttp import WSMessage, WSMsgType, web

from server.library_check import Part, check_library, has, takes

LIBRARY, LOOKED_AT = "aiohttp", "3.14.5"
OK, PROTOCOL_ERROR = 1000, 1002
_HELLO = b"\x81\x85\0\0\0\0hello"
_RESERVED_BITS = b"\xf1\x80\0\0\0\0"
_PROTOCOL = "aiohttp.web:RequestHandler"
_READER = "aiohttp._websocket.reader"


def _server_keeps_its_handler() -> bool:
    handler = cast(Any, object())
    return web.Server(handler, loop=handler).request_handler is handler


RELIED_ON = (
    takes(f"{_PROTOCOL}.handle_error", "self", "request", "status", "exc", "message"),
    takes(f"{_PROTOCOL}.log_exception", "self", "args", "kw"),
    has(f"{_PROTOCOL}.transport"),
    Part("web.Server keeps its handler in request_handler", _server_keeps_its_handler),
    has("aiohttp.web:AppRunner.server"),
    has("aiohttp.web:BaseRequest.protocol"),
    has("aiohttp.web:BaseRequest.writer"),
    takes("aiohttp.web:Response.prepare", "self", "request"),
    has("aiohttp.http:HttpProcessingError"),
    has("aiohttp.http:WebSocketReader.feed_data"),
    has(f"{_READER}:WebSocketDataQueue.feed_data"),
    has(f"{_READER}:WebSocketDataQueue.set_exception"),
)
check_library(LIBRARY, LOOKED_AT, *RELIED_ON)

from aiohttp._websocket.reader import WebSocketDataQueue  # noqa: E402 - it is checked first
from aiohttp.http import HttpProcessingError, WebSocketReader  # noqa: E402

__all__ = ["Frames", "HttpProcessingError", "HttpProtocol", "TransportTaken", "WebSocketReader"]

Answer = Callable[[web.BaseRequest], Awaitable[web.StreamResponse]]


class HttpProtocol(web.RequestHandler):
    """One TCP connection that speaks HTTP, until it ends or its transport is taken."""

    __slots__ = ()

    def give_transport(self, protocol: asyncio.Protocol) -> None:
        """Give the transport to `protocol`; for aiohttp the connection is lost from now on."""
        transport = self.transport
        assert transport is not None
        transport.set_protocol(protocol)
        self.transport = None
        self.connection_lost(None)


class TransportTaken(web.Response):
    """The response of a request whose transport was given away: aiohttp writes nothing."""

    async def prepare(self, request: web.BaseRequest) -> None:
        raise ConnectionResetError("another protocol has taken the transport")


def protocol_of(request: web.BaseRequest) -> HttpProtocol:
    """The connection that a request came by."""
    return cast(HttpProtocol, request.protocol)


def is_answered(request: web.BaseRequest) -> bool:
    """Whether some of the response is written already."""
    return request.writer.output_size > 0


def answer_through(
    runner: web.AppRunner,
    around: Callable[[Answer, web.BaseRequest], Awaitable[web.StreamResponse]],
) -> web.Server:
    """Let every request of a runner that is set up go through `around`; returns its server."""
    server = runner.server
    assert server is not None
    server.request_handler = partial(around, server.request_handler)
    return server


class Frames(WebSocketDataQueue):
    """Takes what readers find; one for all of them, since it is emptied after each read."""

    def __init__(self, max_size: int) -> None:
        super().__init__(cast(Any, None), max_size, loop=cast(Any, None))  # nobody waits here
        self._max_size = max_size
        self._found: list[WSMessage] = []
        self._code = OK

    def reader(self) -> WebSocketReader:
        """One for each connection: it keeps what is not yet whole."""
        return WebSocketReader(self, self._max_size, compress=False, decode_text=True)

    def take_apart(self, reader: WebSocketReader, data: bytes) -> tuple[list[WSMessage], int]:
        """The messages that `data` completes, and the code with which to refuse what follows."""
        self._found, self._code = [], OK
        reader.feed_data(data)
        return self._found, self._code

    # What the reader calls.

    def feed_data(self, data: Any, size: int) -> None:
        self._found.append(data)

    def set_exception(self, exc: BaseException, exc_cause: BaseException | None = None) -> None:
        self._code = getattr(exc, "code", PROTOCOL_ERROR)


def _readers_fill_their_queue() -> bool:
    frames = Frames(1_000)
    reader = frames.reader()
    read = frames.take_apart(reader, _HELLO[:3]), frames.take_apart(reader, _HELLO[3:])
    (found, nothing), ((message,), code) = read
    said = message.type is WSMsgType.TEXT and message.data == "hello"
    return said and (found, nothing, code) == ([], OK, OK)


def _readers_refuse_what_is_no_frame() -> bool:
    frames = Frames(1_000)
    return frames.take_apart(frames.reader(), _RESERVED_BITS) == ([], PROTOCOL_ERROR)


BEHAVIOUR = (
    Part("a reader puts whole messages into its queue", _readers_fill_their_queue),
    Part("a reader tells its queue of a malformed frame", _readers_refuse_what_is_no_frame),
)
check_library(LIBRARY, LOOKED_AT, *BEHAVIOUR)
