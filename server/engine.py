"""Engine.IO and Socket.IO's bookkeeping, where theirs is too dear for many idle connections."""

import asyncio
import time
from collections.abc import Callable, Coroutine
from typing import Any

import engineio
import socketio
import structlog
from aiohttp import web
from engineio import packet as engineio_packet
from engineio.async_drivers import aiohttp as engineio_driver

from server.departures import Departures
from server.dispatch import where
from server.frames import Frames
from server.transport import Outgoing
from server.websocket import Round, Taken, WebSocket

log = structlog.get_logger("engine")

Waiting = Coroutine[Any, Any, None]


class Engine(engineio.AsyncServer):
    """Engine.IO with a queue that knows what is unsent, our websockets, and timers for PINGs."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self.round = Round()
        self.frames = Frames(self.max_http_buffer_size)
        self.departures = Departures()
        self.on_message: Callable[[str, str], Waiting | None] | None = None
        self._async = {**engineio_driver._async, "websocket": WebSocket}

    async def handle_request(self, request: web.Request) -> web.StreamResponse:
        """Answer a request. What a poll took whose client is gone meanwhile, nobody gets.

        Then the connection is over, and the client comes back by number, even if it (or a proxy)
        polls again already.
        """
        sid = request.query.get("sid")
        self._forget_if_closed(sid)
        response: web.StreamResponse = await super().handle_request(request)
        if isinstance(response, Taken):
            return response
        gone = request.transport is None or request.transport.is_closing()
        if gone and sid in self.sockets and not self.sockets[sid].upgraded:
            await self.disconnect(sid)
        return response

    def _forget_if_closed(self, sid: str | None) -> None:
        """Engine.IO breaks at what is posted to a closed connection that is still in its books."""
        if sid in self.sockets and self.sockets[sid].closed:
            del self.sockets[sid]

    async def disconnect(self, sid: str | None = None) -> None:
        """Close without waiting for the client to fetch what is queued: it may never do so."""
        socket = self.sockets.get(sid)
        if socket is not None:
            await socket.close(wait=False, reason=self.reason.SERVER_DISCONNECT)
            self.sockets.pop(sid, None)

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

    def start_background_task(self, target: Any, *args: Any, **options: Any) -> Any:
        """Start a task; but for a PING that is due after a pause there is a timer."""
        if getattr(target, "__name__", "") != "_send_ping":
            return super().start_background_task(target, *args, **options)
        return asyncio.get_running_loop().call_later(self.ping_interval, ping, target.__self__)


async def wait_for(waiting: Waiting) -> None:
    try:
        await waiting
    except Exception as raised:
        tell_failure(raised)


def tell_failure(raised: Exception) -> None:
    log.error("packet_failed", error=type(raised).__name__, where=where(raised))


def ping(socket: Any) -> None:
    """Ask a client whether it is there; `Sockets._tidy` looks whether it answered."""
    if not socket.closing and not socket.closed:
        socket.last_ping = time.time()
        socket.queue.put_nowait(engineio_packet.Packet(engineio_packet.PING))


def never_asked_later(socket: Any) -> None:
    """A clock that was set back must not give a dead client the time by which it was."""
    if socket.last_ping:
        socket.last_ping = min(socket.last_ping, time.time())


class Members(socketio.AsyncManager):
    """The stock manager without a room for each client, so that leaving is not a scan."""

    async def pre_connect(self, eio_sid: str, namespace: str) -> str | None:
        in_namespace = self.rooms.get(namespace, {}).get(None)
        if in_namespace is not None and eio_sid in in_namespace.inverse:
            return None
        sid: str = self.server.eio.generate_id()
        self.basic_enter_room(sid, namespace, None, eio_sid=eio_sid)
        self.pending_connect.setdefault(namespace, []).append(sid)
        return sid
