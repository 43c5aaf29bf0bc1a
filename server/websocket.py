"""An Engine.IO connection over a WebSocket, as an asyncio protocol without idle tasks.

aiohttp answers the handshake and then gives its transport away. Otherwise it would keep the request
with its headers and two tasks for the whole connection, and Engine.IO would keep another task, and
a timer for each packet that it waits for.

Invariants:
- Incoming packets are processed at once and in order, without a task. While one takes time, such as
  entering a namespace, nothing is read, and messages already read wait.
- The frames of one round of the loop leave together (`server/frame_buffer.py`). Queued packets
  follow them while the transport has room. When it is full, everything waits until the reader has
  caught up; meanwhile `idle` is False.
- A client that sends too many frames is not read for a while, which blocks its sending.
- After the close frame, nothing is sent or processed. A closed connection is cleaned up once.
- A message that is not an Engine.IO packet is a strike (`server/socket.py`). After a malformed
  frame, or a message that is too large, the client is told that the connection ends, and nothing
  more is parsed.
- `Sockets._tidy` detects dead peers. The only timers here are for upgrades, pauses and closing.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Coroutine
from enum import Enum, auto
from typing import Any, cast

from aiohttp import WSMessage, WSMsgType, web

from rooms.packets import text_frame
from server.aiohttp_internals import OK, TransportTaken, WebSocketReader, protocol_of
from server.engineio_internals import NOOP, EngineSocket, Packet, socket_of
from server.frame_buffer import FULL, FrameBuffer
from server.frames import close_frame, pong_frame
from server.http_server import HttpConnection

UPGRADE_WITHIN_S = 5.0
FLUSHED_WITHIN_S = 5.0
DISCARDED_FOR_S = 0.5
"""How long the rest of a refused message is read, so that the client can read the close frame."""
PAUSE_MAX_S = 5.0
"""Shorter than the time for the answer to a PING."""
_CLIENT_KINDS = frozenset("123456")
_PROBE, _ANSWER, _UPGRADE = "2probe", b"3probe", "5"


class Stage(Enum):
    PROBED = auto()
    """A polling client tests whether this WebSocket works."""
    AGREED = auto()
    """The WebSocket works; polls are answered empty until the client upgrades."""
    OPEN = auto()
    """The WebSocket carries the connection."""
    OVER = auto()
    """Nothing more is sent or processed."""


class WebSocket(FrameBuffer, asyncio.Protocol):
    """Our WebSocket driver for Engine.IO, which is also the handler of the request."""

    __slots__ = (
        "_awake",
        "_carries",
        "_closed",
        "_full",
        "_handling",
        "_paced",
        "_reader",
        "_reason",
        "_server",
        "_socket",
        "_stage",
        "_timer",
        "_unprocessed",
    )

    def __init__(self, handler: Any, server: Any) -> None:
        super().__init__(server.round)
        self._server = server
        self._socket: EngineSocket = socket_of(handler)
        self._reader: WebSocketReader | None = server.frames.reader()
        """None after a frame that cannot be read."""
        self._stage = Stage.PROBED
        self._unprocessed: deque[WSMessage] | None = None
        """Created on demand: an empty deque is larger than the rest of an idle WebSocket."""
        self._closed: Callable[[], None] | None = None
        self._handling: asyncio.Task[None] | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._reason = server.reason.TRANSPORT_CLOSE
        self._awake = False
        self._full = False
        self._paced = False
        """Whether reading is paused because the client sent too many frames."""
        self._carries = False

    async def __call__(self, environ: dict[str, Any]) -> web.StreamResponse:
        """Answer the handshake and take over the transport.

        Frames that arrive before the answer, which RFC 6455 forbids, are dropped.
        """
        request: web.Request = environ["aiohttp.request"]
        try:
            await web.WebSocketResponse(compress=False).prepare(request)
        except ValueError:  # a key that is not ASCII
            raise web.HTTPBadRequest from None
        transport = request.transport
        if transport is None:
            raise ConnectionResetError("the client has disconnected")
        self._closed = cast(HttpConnection, protocol_of(request)).hand_over(self)
        transport.set_write_buffer_limits(high=FULL)
        self._transport = transport
        if self._socket.connected:
            self._set_timer(UPGRADE_WITHIN_S, self._give_up_upgrade)
        else:
            self._open()
        return TransportTaken()

    def _open(self) -> None:
        """Make this WebSocket carry the connection."""
        socket = self._socket
        self._stage = Stage.OPEN
        socket.connected = socket.upgraded = self._carries = self.idle = True
        socket.queue.websocket = self
        self._write()

    # In.

    def data_received(self, data: bytes) -> None:
        if self._reader is None:
            return
        messages, refused = self._server.frames.parse(self._reader, data)
        for message in messages:
            self._take(message)
        if refused != OK:
            self._end_unreadable(refused)
        elif wait_s := self._server.pace(self._socket.sid, len(messages)):
            self._pause(wait_s)

    def _end_unreadable(self, code: int) -> None:
        """Tell the client that the connection ends. Its data is discarded for a while.

        If the transport closed with unread data, the client might lose what it was told.
        """
        self._reader = None
        if self._stage is Stage.OPEN:
            self._server.on_unreadable(self._socket.sid)
        self._finish(code)
        self._set_timer(DISCARDED_FOR_S, self._transport.close)

    def _pause(self, wait_s: float) -> None:
        """Stop reading for a while, which blocks the client's sending."""
        if not self._paced and not self._transport.is_closing():
            self._paced = True
            self._transport.pause_reading()
            asyncio.get_running_loop().call_later(min(wait_s, PAUSE_MAX_S), self._end_pause)

    def _end_pause(self) -> None:
        self._paced = False
        self._resume_reading()

    def _resume_reading(self) -> None:
        if self._handling is None and not self._paced and not self._transport.is_closing():
            self._transport.resume_reading()

    def _take(self, message: WSMessage) -> None:
        if self._handling is not None:
            self._defer(message)
        elif self._stage is Stage.OVER:
            if message.type is WSMsgType.CLOSE:
                self._transport.close()
        elif message.type is WSMsgType.TEXT and message.data[:1] in _CLIENT_KINDS:
            self._receive(message.data)
        elif message.type is WSMsgType.PING:
            if not self._full:  # otherwise PINGs from a client that does not read fill the memory
                self._transport.write(pong_frame(message.data))
        elif message.type is WSMsgType.CLOSE:
            self._finish(OK)
            self._transport.close()
        elif message.type is WSMsgType.BINARY and self._stage is Stage.OPEN:
            self._server.on_binary(self._socket.sid)
        elif message.type is not WSMsgType.PONG:
            self._server.on_malformed(self._socket.sid)

    def _defer(self, message: WSMessage) -> None:
        if self._unprocessed is None:
            self._unprocessed = deque()
        self._unprocessed.append(message)

    def _receive(self, text: str) -> None:
        """Process an Engine.IO packet."""
        kind = text[0]
        if self._stage is not Stage.OPEN:
            self._continue_upgrade(text)
        elif self._socket.closed:
            self._finish(OK)
        elif kind == "4":
            waiting = self._server.receive(self._socket.sid, text[1:])
            if waiting is not None:
                self._transport.pause_reading()
                self._handling = asyncio.get_running_loop().create_task(self._handle(waiting))
        elif kind == "3":
            self._socket.schedule_ping()
        elif kind == "1":
            self._reason = self._server.reason.CLIENT_DISCONNECT
            self._finish(OK)

    async def _handle(self, waiting: Coroutine[Any, Any, None]) -> None:
        """Wait until a packet is processed, then process those that arrived after it."""
        await waiting
        self._handling = None
        while self._unprocessed and self._handling is None:
            self._take(self._unprocessed.popleft())
        if not self._unprocessed:
            self._unprocessed = None
        self._resume_reading()

    # A polling client upgrades.

    def _continue_upgrade(self, text: str) -> None:
        socket = self._socket
        if self._stage is Stage.PROBED and text == _PROBE and not is_taken(socket):
            self._stage, socket.upgrading = Stage.AGREED, True
            self._transport.write(text_frame(_ANSWER))
            socket.queue.put_nowait(Packet(NOOP))  # ends a poll
        elif self._stage is Stage.AGREED and text.startswith(_UPGRADE) and not socket.closed:
            self._set_timer()
            socket.upgrading = False
            self._open()
        else:
            self._give_up_upgrade()

    def _give_up_upgrade(self) -> None:
        """Close this WebSocket; the client continues to poll."""
        self._finish(OK)

    # Out.

    def wake(self) -> None:
        """Write soon, because a packet joined the queue."""
        if not self._awake:
            self._awake = True
            asyncio.get_running_loop().call_soon(self._write)

    def _write(self) -> None:
        """Write the queued packets while the transport has room."""
        self._awake = False
        self.flush()
        queue = self._socket.queue
        while self._stage is Stage.OPEN and not self._full and not queue.empty():
            packet = queue.take()
            if packet is None:
                self._finish(OK)
            elif not self._transport.is_closing():
                self._transport.write(text_frame(packet.encode().encode()))

    def pause_writing(self) -> None:
        self._full, self.idle = True, False

    def resume_writing(self) -> None:
        self._full = False
        if self._stage is Stage.OPEN:
            self.idle = True
            self._write()

    # The end.

    def _finish(self, code: int) -> None:
        """Send a close frame after everything sent before; the client has some time to answer."""
        if self._stage is Stage.OVER:
            return
        self.flush()
        self._mark_over()
        if not self._transport.is_closing():
            self._transport.write(close_frame(code))
        self._set_timer(FLUSHED_WITHIN_S, self._transport.abort)
        self._end_connection()

    def eof_received(self) -> None:
        """The client sends nothing more; it has a limited time to read what was written."""
        self.flush()
        self._mark_over()
        if self._transport.get_write_buffer_size():
            self._set_timer(FLUSHED_WITHIN_S, self._transport.abort)
        self._end_connection()

    def connection_lost(self, error: Exception | None) -> None:
        if self._closed is not None:
            self._closed()
            self._closed = None
        self._set_timer()
        self._mark_over()
        self._end_connection()

    def _mark_over(self) -> None:
        if self._stage is Stage.AGREED:
            self._socket.upgrading = False
        self._stage, self.idle = Stage.OVER, False

    def _end_connection(self) -> None:
        """End the connection if this WebSocket carries it, once."""
        if self._carries:
            self._carries = False
            self._server.disconnects.add(self)

    async def leave(self) -> None:
        """Remove the ended connection from Engine.IO."""
        socket = self._socket
        await socket.close(wait=False, abort=True, reason=self._reason)
        self._server.sockets.pop(socket.sid, None)
        socket.queue.drop()
        socket.queue.websocket = None  # breaks the reference cycle

    def _set_timer(self, after_s: float = 0.0, call: Any = None) -> None:
        """Replace the only timer; without `call`, just cancel it."""
        if self._timer is not None:
            self._timer.cancel()
        loop = asyncio.get_running_loop()
        self._timer = loop.call_later(after_s, call) if call is not None else None


def is_taken(socket: EngineSocket) -> bool:
    """Whether another WebSocket carries or takes over this connection, or it is closed."""
    return socket.upgrading or socket.upgraded or socket.closed
