"""One Engine.IO connection over a websocket: our own reader and writer, with nothing idle in them.

Engine.IO's own handler has a task for the writer, a task and a timer for each packet that is waited
for, and the request with all its headers, for as long as a connection lasts; aiohttp's default
negotiates compression with buffers of 100 KB.

Invariants:
- One task a connection: it reads, and handles one packet after the other.
- Frames of one round of the loop leave together: a person's answer with the event that it caused,
  and all that one commit said to a room. They wait in `_frames`, and no longer than the next round.
- What joins the queue is written after those, as long as the transport takes it. Behind a full
  transport all waits until the reader has caught up; meanwhile `idle` is false and nothing passes.
- A frame that is no Engine.IO packet is a strike; repeated, it ends the connection.
- Who is dead is noticed by `Sockets._tidy`; nothing here waits with a time limit.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Any, Protocol

import structlog
from aiohttp import WSMsgType, web
from engineio import packet as engineio_packet

from rooms.packets import text_frame
from server.transport import Outgoing

log = structlog.get_logger("transport")

STRIKES_MAX = 3
UPGRADE_WITHIN_S = 5.0
FLUSHED_WITHIN_S = 5.0
FULL = 65_536
"""Bytes beyond which a transport asks its writers to pause."""
_CLIENT_KINDS = frozenset("123456")
_PROBE, _ANSWER, _UPGRADE = "2probe", "3probe", "5"


class EngineSocket(Protocol):
    """What we use of Engine.IO's socket."""

    sid: str
    connected: bool
    upgrading: bool
    upgraded: bool
    closed: bool
    queue: Outgoing

    def schedule_ping(self) -> None: ...

    async def close(self, *, wait: bool, abort: bool, reason: str) -> None: ...


class Round:
    """The websockets that have something to write in this round of the loop."""

    def __init__(self) -> None:
        self._filled: list[WebSocket] = []

    def add(self, websocket: WebSocket) -> None:
        if not self._filled:
            asyncio.get_running_loop().call_soon(self._end_soon)
        self._filled.append(websocket)

    def _end_soon(self) -> None:
        """One round later: whoever waited for a commit has its answer written by then."""
        asyncio.get_running_loop().call_soon(self._end)

    def _end(self) -> None:
        filled, self._filled = self._filled, []
        for websocket in filled:
            try:
                websocket.flush()
            except Exception as raised:  # whatever is odd with one, the others have their turn
                log.error("not_written", error=type(raised).__name__)
                websocket.abort()


class WebSocket:
    """Engine.IO's websocket driver on aiohttp, which is its handler too."""

    __slots__ = (
        "_awake",
        "_drain",
        "_frames",
        "_over",
        "_response",
        "_server",
        "_size",
        "_socket",
        "_strikes",
        "_transport",
        "_waiting",
        "idle",
    )

    _transport: asyncio.Transport
    _drain: Callable[[], Awaitable[None]]

    def __init__(self, handler: Any, server: Any) -> None:
        self._server = server
        self._socket: EngineSocket = handler.__self__
        self._response = web.WebSocketResponse(
            max_msg_size=server.max_http_buffer_size, compress=False
        )
        self._strikes = 0
        self._frames: list[bytes] = []
        self._size = 0
        self._waiting: asyncio.Future[Any] | None = None
        self._awake = False
        self._over = False
        self.idle = False
        """Whether it is open, and its transport takes what is written."""

    async def __call__(self, environ: dict[str, Any]) -> web.WebSocketResponse:
        request: web.Request = environ["aiohttp.request"]
        environ.clear()  # it would be kept as long as the connection
        await self._response.prepare(request)
        if request.transport is not None:
            self._transport, self._drain = request.transport, request.writer.drain
            await self._serve()
        return self._response

    async def _serve(self) -> None:
        reason = self._server.reason.TRANSPORT_CLOSE
        with suppress(OSError):
            if await self._begin() and await self._hear():
                reason = self._server.reason.CLIENT_DISCONNECT
        if self._socket.queue.websocket is self:
            await self._give_up(reason)

    async def _give_up(self, reason: str) -> None:
        """The end of the connection; what the client does not read by then is not waited for."""
        self.idle = False
        await self._socket.close(wait=False, abort=True, reason=reason)
        self.flush()
        self._socket.queue.websocket = None  # or each would keep the other
        if self._transport.get_write_buffer_size():
            asyncio.get_running_loop().call_later(FLUSHED_WITHIN_S, self._transport.abort)

    # In.

    async def _begin(self) -> bool:
        """Whether this websocket carries the connection from now on: at once, or after a probe."""
        socket = self._socket
        if socket.connected:
            async with asyncio.timeout(UPGRADE_WITHIN_S):  # or nothing would come by polling
                if not await self._agree():
                    return False
        socket.connected = socket.upgraded = self.idle = True
        socket.queue.websocket = self
        self._write()
        return True

    async def _agree(self) -> bool:
        """Whether a polling client upgrades; from its probe on, polls are answered with nothing."""
        socket = self._socket
        if await self._next() != _PROBE or socket.upgrading or socket.upgraded or socket.closed:
            return False
        socket.upgrading = True
        try:
            await self._response.send_str(_ANSWER)
            socket.queue.put_nowait(engineio_packet.Packet(engineio_packet.NOOP))  # ends a poll
            agreed = (await self._next()).startswith(_UPGRADE) and not socket.closed
            socket.upgraded = agreed
        finally:
            socket.upgrading = False
        return agreed

    async def _hear(self) -> bool:
        """Handle what comes until the end; True when the client said goodbye. Raises OSError."""
        socket = self._socket
        while not socket.closed:
            text = await self._next()
            kind = text[0]
            if kind == "4":
                await self._server.hear(socket.sid, text[1:])
            elif kind == "3":
                socket.schedule_ping()
            elif kind == "1":
                return True
        return False

    async def _next(self) -> str:
        """The next text frame that is an Engine.IO packet; OSError when the connection is over."""
        while True:
            message = await self._response.receive()
            if message.type is WSMsgType.TEXT and message.data[:1] in _CLIENT_KINDS:
                text: str = message.data
                return text
            if message.type not in (WSMsgType.TEXT, WSMsgType.BINARY):
                raise OSError("the websocket is closed")
            self._strikes += 1
            if self._strikes >= STRIKES_MAX:
                log.info("closed_for_malformed_frames")
                await self._response.close(code=1002)
                raise OSError("too many malformed frames")

    # Out.

    @property
    def unsent(self) -> int:
        """Bytes that wait here or in the transport."""
        return self._size + self._transport.get_write_buffer_size()

    def add(self, frame: bytes) -> None:
        """Write `frame` by the end of this round; only while idle."""
        if not self._frames:
            self._server.round.add(self)
        self._frames.append(frame)
        self._size += len(frame)
        if self._size > FULL:
            self.flush()

    def flush(self) -> None:
        """Write the frames of this round."""
        frames = self._frames
        if not frames:
            return
        self._frames, self._size = [], 0
        if not self._transport.is_closing():
            self._transport.write(frames[0] if len(frames) == 1 else b"".join(frames))
            self._look_whether_full()

    def abort(self) -> None:
        """End at once; what is unsent is dropped."""
        self._frames, self._size = [], 0
        self._transport.abort()

    def wake(self) -> None:
        """Something joined the queue."""
        if not self._awake:
            self._awake = True
            asyncio.get_running_loop().call_soon(self._write)

    def _write(self) -> None:
        """Write what waits in the queue, as long as the transport takes it."""
        self._awake = False
        self.flush()
        queue = self._socket.queue
        while self._waiting is None and not queue.empty():
            packet = queue.get_nowait()
            if packet is None:
                self._end()
            elif not self._over and not self._transport.is_closing():
                self._transport.write(text_frame(packet.encode().encode()))
                self._look_whether_full()

    def _look_whether_full(self) -> None:
        if self._waiting is None and self._transport.get_write_buffer_size() > FULL:
            self.idle = False
            self._waiting = asyncio.ensure_future(self._wait_for_reader())

    async def _wait_for_reader(self) -> None:
        """Go on when the transport takes more."""
        try:
            await self._drain()
        except OSError:
            self._over = True
        self._waiting = None
        self.idle = not self._over
        self._write()

    def _end(self) -> None:
        """Say goodbye: whatever comes after it is dropped."""
        self.idle, self._over = False, True
        if not self._transport.is_closing():
            self._waiting = asyncio.ensure_future(self._response.close())
