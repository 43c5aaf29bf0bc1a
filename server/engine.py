"""Engine.IO's server, with less work for each idle connection, and every request checked first.

Requests are checked here before Engine.IO sees them: a new connection needs room and a rate, a
request of an old one has to be one that it answers. What is refused is answered with a short error
that repeats nothing of the request.
"""

import io
import time
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any

import structlog
from aiohttp import web

from handlers.kit.rest import BODY
from server.aiohttp_internals import Frames, TransportTaken
from server.disconnects import Disconnects
from server.engineio_internals import PING, EngineServer, EngineSocket, Packet
from server.frame_buffer import Round
from server.logs import where
from server.transport import Outgoing
from server.websocket import WebSocket

log = structlog.get_logger("engine")

Waiting = Coroutine[Any, Any, None]
Admit = Callable[[web.Request], Awaitable[web.Response | None]]
TRANSPORTS = ("polling", "websocket")
PROTOCOL = "4"
POLLS_MAX = 3
"""Requests of one connection that wait to fetch something: one, and those whose client is gone."""
PACKETS_MAX = 16
SEPARATOR = "\x1e"
POLLED_KINDS = frozenset("134")
"""What a polling client may post: close, pong, message."""


class Engine(EngineServer):
    """Engine.IO with a queue that knows what is unsent, and with our websockets."""

    def __init__(self, **options: Any) -> None:
        super().__init__(WebSocket, with_body, ping, **options)
        self.round = Round()
        self.frames = Frames(self.max_http_buffer_size)
        self.disconnects = Disconnects()
        self.on_message: Callable[[str, str], Waiting | None] | None = None
        self.on_malformed: Callable[[str], None] | None = None
        self.allows_origin: Callable[[str, web.Request], bool] = lambda origin, request: False
        """Whether a page of this origin may connect."""
        self.pace: Callable[[str, int], float] = lambda sid, frames: 0.0
        """The seconds for which a connection that has sent so many frames is not read."""
        self.admit: Admit | None = None
        """Refuses a new connection with a response, or reserves its place."""
        self.release: Callable[[web.Request], None] | None = None
        """Gives the place back of a request that made no connection."""

    async def handle_request(self, request: web.Request) -> web.StreamResponse:
        """Answer a request of a client; raises web.HTTPBadRequest."""
        origin = request.headers.get("Origin")
        if origin is not None and not self.allows_origin(origin, request):
            raise web.HTTPBadRequest
        sid = check_query(request)
        if sid is None:
            return await self._open(request)
        self._check_session(request, sid)
        return await self._answer(request, sid)

    def _check_session(self, request: web.Request, sid: str) -> None:
        self._forget_if_closed(sid)
        socket = self.sockets.get(sid)
        if socket is None or socket.queue.polls >= POLLS_MAX:
            raise web.HTTPBadRequest
        if request.method == "POST" and not is_payload(request[BODY]):
            assert self.on_malformed is not None
            self.on_malformed(sid)
            raise web.HTTPBadRequest

    async def _open(self, request: web.Request) -> web.StreamResponse:
        """A new connection, if there is room for it; only GET makes one."""
        assert self.admit is not None
        assert self.release is not None
        if request.method != "GET":
            response: web.StreamResponse = await super().handle_request(request)
            return response
        refused = await self.admit(request)
        if refused is not None:
            return refused
        try:
            response = await super().handle_request(request)
        finally:
            self.release(request)
        return response

    async def _answer(self, request: web.Request, sid: str) -> web.StreamResponse:
        """What a poll took whose client is gone meanwhile, nobody gets.

        Then the connection is over, and the client comes back by number, even if it (or a proxy)
        polls again already.
        """
        response: web.StreamResponse = await super().handle_request(request)
        if isinstance(response, TransportTaken):
            return response
        gone = request.transport is None or request.transport.is_closing()
        if gone and sid in self.sockets and not self.sockets[sid].upgraded:
            await self.disconnect(sid)
        return response

    def _forget_if_closed(self, sid: str) -> None:
        """Engine.IO breaks at what is posted to a closed connection that is still in its books."""
        if sid in self.sockets and self.sockets[sid].closed:
            del self.sockets[sid]

    async def disconnect(self, sid: str | None = None) -> None:
        """Close without waiting for the client to fetch what is queued: it may never do so."""
        socket = self.sockets.get(sid or "")
        if socket is not None:
            await socket.close(wait=False, reason=self.reason.SERVER_DISCONNECT)
            self.sockets.pop(socket.sid, None)

    def hear(self, sid: str, text: str) -> Waiting | None:
        """Take a websocket's message; whatever it breaks, the next one is heard too.

        Returns what has to be waited for before the next one, if anything.
        """
        assert self.on_message is not None
        try:
            waiting = self.on_message(sid, text)
        except Exception as raised:
            tell_failure(raised)
            return None
        return None if waiting is None else wait_for(waiting)

    def create_queue(self, *args: Any, **options: Any) -> Outgoing:
        return Outgoing()


def check_query(request: web.Request) -> str | None:
    """The connection that a request belongs to, None for a new one; raises web.HTTPBadRequest.

    Answers as scripts for pages of other origins (JSONP, `j`) are not given.
    """
    query = request.query
    sid: str | None = query.get("sid")
    if len(query) != len(set(query)) or "j" in query:
        raise web.HTTPBadRequest
    if query.get("transport", "polling") not in TRANSPORTS:
        raise web.HTTPBadRequest
    if sid is None and (query.get("EIO") != PROTOCOL or request.method == "POST"):
        raise web.HTTPBadRequest
    return sid


def is_payload(body: bytes) -> bool:
    """Whether a posted body consists of packets that Engine.IO can take apart."""
    try:
        packets = body.decode().split(SEPARATOR)
    except UnicodeDecodeError:
        return False
    return len(packets) <= PACKETS_MAX and all(one[:1] in POLLED_KINDS for one in packets)


def with_body(request: web.Request, environ: dict[str, Any]) -> dict[str, Any]:
    """The request as Engine.IO takes it, with the body that was read within our bounds."""
    environ["wsgi.input"] = Whole(request[BODY])
    environ["CONTENT_LENGTH"] = str(len(request[BODY]))
    return environ


class Whole(io.BytesIO):
    """A body that is there already, read as Engine.IO reads a stream."""

    async def read(self, size: int | None = -1) -> bytes:  # type: ignore[override]
        return super().read(size)


async def wait_for(waiting: Waiting) -> None:
    try:
        await waiting
    except Exception as raised:
        tell_failure(raised)


def tell_failure(raised: Exception) -> None:
    log.error("packet_failed", error=type(raised).__name__, where=where(raised))


def ping(socket: EngineSocket) -> None:
    """Ask a client whether it is there; `Sockets._tidy` looks whether it answered."""
    if not socket.closing and not socket.closed:
        socket.last_ping = time.time()
        socket.queue.put_nowait(Packet(PING))


def never_asked_later(socket: EngineSocket) -> None:
    """A clock that was set back must not give a dead client the time by which it was."""
    if socket.last_ping:
        socket.last_ping = min(socket.last_ping, time.time())
