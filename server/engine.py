"""An Engine.IO server that needs less work for an idle connection and checks every request.

Requests are checked before Engine.IO sees them. A new connection needs capacity and a rate; a
request of an existing one must be valid for it. A refusal is a short error that quotes nothing of
the request.
"""

import time
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any

import structlog
from aiohttp import web

from server.aiohttp_internals import Frames, TransportTaken
from server.disconnects import Disconnects
from server.engineio_internals import PING, EngineServer, EngineSocket, Packet
from server.frame_buffer import Round
from server.logs import where
from server.posts import FRAME_MAX, Posts
from server.transport import Outgoing
from server.websocket import WebSocket

log = structlog.get_logger("engine")

Waiting = Coroutine[Any, Any, None]
Admit = Callable[[web.Request], Awaitable[web.Response | None]]
TRANSPORTS = ("polling", "websocket")
PROTOCOL = "4"
POLLS_MAX = 3
"""The polls of one connection that may wait at a time: one, and some whose client has gone."""
READ_MAX = 2 * FRAME_MAX
"""The maximum bytes of a WebSocket's message. One above `FRAME_MAX` is answered with a refusal; one
above this is not read, and ends the connection."""


class Engine(EngineServer):
    """Engine.IO with our own WebSockets, and a queue that knows how much is unsent."""

    def __init__(self, **options: Any) -> None:
        super().__init__(WebSocket, ping, max_http_buffer_size=FRAME_MAX, **options)
        self.round = Round()
        self.frames = Frames(READ_MAX)
        self.disconnects = Disconnects()
        self.on_message: Callable[[str, str], Waiting | None] | None = None
        self.on_binary: Callable[[str], None] = lambda sid: None
        """Takes note of a binary message, whose content nothing reads."""
        self.on_malformed: Callable[[str], None] = lambda sid: None
        self.on_unreadable: Callable[[str], None] = lambda sid: None
        """Tells a client that its connection ends because of what it sent."""
        self.allows_origin: Callable[[str, web.Request], bool] = lambda origin, request: False
        """Whether a page of this origin may connect."""
        self.pace: Callable[[str, int], float] = lambda sid, frames: 0.0
        """The seconds for which nothing is read from a connection that sent this many frames."""
        self.admit: Admit | None = None
        """Reserves a place for a new connection, or returns the refusal."""
        self.release: Callable[[web.Request], None] | None = None
        """Releases the place of a request that opened no connection."""
        self.posts = Posts(self)

    async def handle_request(self, request: web.Request) -> web.StreamResponse:
        """Answer a client's request; raises web.HTTPException."""
        origin = request.headers.get("Origin")
        if origin is not None and not self.allows_origin(origin, request):
            raise web.HTTPBadRequest
        sid = check_query(request)
        if sid is None:
            return await self._open(request)
        self._forget_if_closed(sid)
        if request.method == "POST":
            await self.posts.take(request, sid)
            return web.Response(text="OK", headers={"Access-Control-Allow-Credentials": "true"})
        socket = self.sockets.get(sid)
        if socket is None or socket.queue.polls >= POLLS_MAX:
            raise web.HTTPBadRequest
        return await self._answer(request, sid)

    async def _open(self, request: web.Request) -> web.StreamResponse:
        """Open a new connection if there is capacity; only GET opens one."""
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
        """Answer a request of an existing connection; end it if the client left its poll.

        The packets that such a poll took are lost. The connection ends even if the client, or a
        proxy, already polls again; the client reconnects and gets the missed events.
        """
        response: web.StreamResponse = await super().handle_request(request)
        if isinstance(response, TransportTaken):
            return response
        gone = request.transport is None or request.transport.is_closing()
        if gone and sid in self.sockets and not self.sockets[sid].upgraded:
            await self.disconnect(sid)
        return response

    def _forget_if_closed(self, sid: str) -> None:
        """Remove a closed connection that Engine.IO still lists: a POST to it would raise."""
        if sid in self.sockets and self.sockets[sid].closed:
            del self.sockets[sid]

    async def disconnect(self, sid: str | None = None) -> None:
        """Close without waiting for the client to fetch its queued packets: it may never do so."""
        socket = self.sockets.get(sid or "")
        if socket is not None:
            await socket.close(wait=False, reason=self.reason.SERVER_DISCONNECT)
            self.sockets.pop(socket.sid, None)

    def receive(self, sid: str, text: str) -> Waiting | None:
        """Process a WebSocket message; an exception is logged and does not end the connection.

        Returns an awaitable that must finish before the next message, or None.
        """
        assert self.on_message is not None
        try:
            waiting = self.on_message(sid, text)
        except Exception as raised:
            log_failure(raised)
            return None
        return None if waiting is None else wait_for(waiting)

    def create_queue(self, *args: Any, **options: Any) -> Outgoing:
        return Outgoing()


def check_query(request: web.Request) -> str | None:
    """The sid of a request's connection, or None for a new one; raises web.HTTPBadRequest.

    JSONP (`j`), which serves pages of other origins, is refused.
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


async def wait_for(waiting: Waiting) -> None:
    try:
        await waiting
    except Exception as raised:
        log_failure(raised)


def log_failure(raised: Exception) -> None:
    log.error("packet_failed", error=type(raised).__name__, where=where(raised))


def ping(socket: EngineSocket) -> None:
    """Send a client a PING; `Sockets._tidy` checks for its answer."""
    if not socket.closing and not socket.closed:
        socket.last_ping = time.time()
        socket.queue.put_nowait(Packet(PING))


def cap_last_ping(socket: EngineSocket) -> None:
    """Move a last PING from the future to now: the clock was set back.

    Otherwise a dead client would stay connected for as long as the clock moved.
    """
    if socket.last_ping:
        socket.last_ping = min(socket.last_ping, time.time())
