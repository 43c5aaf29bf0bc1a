"""The undocumented parts of aiohttp that we use: its HTTP protocol and its WebSocket reader.

- `web.RequestHandler`, the protocol of one TCP connection. We subclass it to limit connections, to
  answer errors without quoting the request, and to hand its transport to our own WebSocket, which
  takes 10 KB while idle instead of 27 (docs/adr/0003).
- `web.Server.request_handler`, which handles every request.
- `BaseRequest.protocol`, and `BaseRequest.writer.output_size`.
- If a response's `prepare` raises ConnectionError, aiohttp assumes that the client is gone.
- `WebSocketReader` and its `WebSocketDataQueue`, which are compiled. The documented WebSocket API
  needs a task for each connection.
- `HttpProcessingError`, which aiohttp raises for a malformed body.

Reviewed version: 3.14.5. The checks accept 3.14.0 and reject 3.13, whose reader works differently.
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

from aiohttp._websocket.reader import WebSocketDataQueue  # noqa: E402 - after the check
from aiohttp.http import HttpProcessingError, WebSocketReader  # noqa: E402

__all__ = ["Frames", "HttpProcessingError", "HttpProtocol", "TransportTaken", "WebSocketReader"]

Answer = Callable[[web.BaseRequest], Awaitable[web.StreamResponse]]


class HttpProtocol(web.RequestHandler):
    """One TCP connection that speaks HTTP, until it ends or gives its transport away."""

    __slots__ = ()

    def give_transport(self, protocol: asyncio.Protocol) -> None:
        """Give the transport to `protocol`; to aiohttp, the connection then looks lost."""
        transport = self.transport
        assert transport is not None
        transport.set_protocol(protocol)
        self.transport = None
        self.connection_lost(None)


class TransportTaken(web.Response):
    """The response to a request whose transport was given away; aiohttp writes nothing."""

    async def prepare(self, request: web.BaseRequest) -> None:
        raise ConnectionResetError("another protocol has taken the transport")


def protocol_of(request: web.BaseRequest) -> HttpProtocol:
    """The connection that carried a request."""
    return cast(HttpProtocol, request.protocol)


def is_answered(request: web.BaseRequest) -> bool:
    """Whether part of the response has been written."""
    return request.writer.output_size > 0


def answer_through(
    runner: web.AppRunner,
    around: Callable[[Answer, web.BaseRequest], Awaitable[web.StreamResponse]],
) -> web.Server:
    """Wrap the request handler of `runner` in `around`; returns the runner's server.

    `runner` must be set up already.
    """
    server = runner.server
    assert server is not None
    server.request_handler = partial(around, server.request_handler)
    return server


class Frames(WebSocketDataQueue):
    """Receives the messages of all readers; one is enough, because each read empties it."""

    def __init__(self, max_size: int) -> None:
        super().__init__(cast(Any, None), max_size, loop=cast(Any, None))  # nothing awaits it
        self._max_size = max_size
        self._found: list[WSMessage] = []
        self._code = OK

    def reader(self) -> WebSocketReader:
        """A new reader for one connection; it keeps the incomplete message."""
        return WebSocketReader(self, self._max_size, compress=False, decode_text=True)

    def parse(self, reader: WebSocketReader, data: bytes) -> tuple[list[WSMessage], int]:
        """The messages that `data` completes, and `OK` or the close code for malformed data."""
        self._found, self._code = [], OK
        reader.feed_data(data)
        return self._found, self._code

    # Called by the reader.

    def feed_data(self, data: Any, size: int) -> None:
        self._found.append(data)

    def set_exception(self, exc: BaseException, exc_cause: BaseException | None = None) -> None:
        self._code = getattr(exc, "code", PROTOCOL_ERROR)


def _readers_fill_their_queue() -> bool:
    frames = Frames(1_000)
    reader = frames.reader()
    read = frames.parse(reader, _HELLO[:3]), frames.parse(reader, _HELLO[3:])
    (found, nothing), ((message,), code) = read
    correct = message.type is WSMsgType.TEXT and message.data == "hello"
    return correct and (found, nothing, code) == ([], OK, OK)


def _readers_refuse_malformed_frames() -> bool:
    frames = Frames(1_000)
    return frames.parse(frames.reader(), _RESERVED_BITS) == ([], PROTOCOL_ERROR)


BEHAVIOUR = (
    Part("a reader puts whole messages into its queue", _readers_fill_their_queue),
    Part("a reader reports a malformed frame to its queue", _readers_refuse_malformed_frames),
)
check_library(LIBRARY, LOOKED_AT, *BEHAVIOUR)
