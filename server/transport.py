"""The way out to one client: straight to its websocket when nothing waits, else by its queue.

Invariants:
- What is sent to a connection leaves in the order of the calls. A frame is written straight to the
  transport only while the connection is an upgraded websocket, no message waits in Engine.IO's
  queue, and its writer holds none that it has taken and not yet sent. Otherwise it joins the queue.
- Behind a full transport frames join the queue, whose writer waits for it; `caught_up` waits for
  the queue, so that a long replay goes out at the pace of its reader.
- A client that does not read costs at most `UNSENT_MAX` bytes: whispers are shed at half of it,
  and at the limit the connection is cut. It recovers by number.
"""

import asyncio
from typing import Any, Protocol

import structlog
from aiohttp import WSMsgType, web
from engineio import packet as engineio_packet

from rooms.packets import Packet

log = structlog.get_logger("transport")

UNSENT_MAX = 1_000_000
UNSENT_WHEN_CAUGHT_UP = UNSENT_MAX // 4
DIRECT_MAX = 65_536
CATCH_UP_WITHIN_S = 30.0
STRIKES_MAX = 3
_CLIENT_KINDS = frozenset("123456")


class EngineSocket(Protocol):
    """What we use of Engine.IO's socket."""

    sid: str
    upgraded: bool
    closed: bool
    queue: "Outgoing"


class Outgoing(asyncio.Queue[Any]):
    """Engine.IO's queue of packets for one client, which knows what is unsent."""

    def _init(self, maxsize: int) -> None:
        super()._init(maxsize)
        self.messages = 0
        self.bytes = 0
        self.taken = 0
        self.socket: EngineSocket | None = None
        self.websocket: WebSocket | None = None
        self.taken_out = asyncio.Event()

    def _put(self, item: Any) -> None:
        super()._put(item)
        if is_message(item):
            self.messages += 1
            self.bytes += len(item.data)

    def _get(self) -> Any:
        item = super()._get()
        if is_message(item):
            self.messages -= 1
            self.bytes -= len(item.data)
            if self.socket is not None and self.socket.upgraded:
                self.taken += 1
        self.taken_out.set()
        return item

    @property
    def unsent(self) -> int:
        """Bytes that wait here or in the transport."""
        transport = self.websocket.transport if self.websocket else None
        return self.bytes + (transport.get_write_buffer_size() if transport else 0)

    async def caught_up(self) -> bool:
        """Wait until most of what was sent is read; False when that takes too long."""
        try:
            async with asyncio.timeout(CATCH_UP_WITHIN_S):
                while self.bytes > UNSENT_WHEN_CAUGHT_UP:
                    self.taken_out.clear()
                    await self.taken_out.wait()
        except TimeoutError:
            return False
        return True

    def send(self, packet: Packet) -> bool:
        """Send `packet` in its turn; False when the client must be cut off."""
        unsent = self.unsent
        if packet.shed and unsent > UNSENT_MAX // 2:
            return True
        if unsent > UNSENT_MAX:
            return False
        transport = self.direct_transport()
        if transport is not None:
            transport.write(packet.frame)
        else:
            text = packet.text[1:].decode()
            self.put_nowait(engineio_packet.Packet(engineio_packet.MESSAGE, text))
        return True

    def direct_transport(self) -> asyncio.Transport | None:
        """The transport, when a frame written now cannot overtake anything."""
        if self.websocket is None or self.socket is None or not self.socket.upgraded:
            return None
        if self.messages or self.taken or self.socket.closed:
            return None
        transport = self.websocket.transport
        if transport is None or transport.is_closing():
            return None
        return transport if transport.get_write_buffer_size() < DIRECT_MAX else None

    def finish(self) -> None:
        """Close the websocket after what is still to be sent."""
        self.put_nowait(engineio_packet.Packet(engineio_packet.CLOSE))
        self.put_nowait(None)  # Engine.IO's writer takes it as the end, and closes

    def abort(self) -> None:
        """Cut the connection at once and forget what was unsent."""
        while not self.empty():
            self.get_nowait()
        self.put_nowait(None)
        if self.websocket is not None and self.websocket.transport is not None:
            self.websocket.transport.abort()


def is_message(item: Any) -> bool:
    return item is not None and item.packet_type == engineio_packet.MESSAGE


class WebSocket:
    """Engine.IO's websocket driver on aiohttp: no compression, bad frames are strikes.

    The stock driver negotiates permessage-deflate (100 KB a connection) and keeps the request.
    """

    def __init__(self, handler: Any, server: Any) -> None:
        self._handler = handler
        self._limit = server.max_http_buffer_size
        self._strikes = 0
        self._response: web.WebSocketResponse | None = None
        self.transport: asyncio.Transport | None = None
        self._queue: Outgoing = handler.__self__.queue
        self._queue.socket = handler.__self__
        self._queue.websocket = self

    async def __call__(self, environ: dict[str, Any]) -> web.WebSocketResponse:
        request: web.Request = environ["aiohttp.request"]
        self._response = web.WebSocketResponse(max_msg_size=self._limit, compress=False)
        await self._response.prepare(request)
        self.transport = request.transport
        await self._handler(self)
        return self._response

    async def close(self) -> None:
        if self._response is not None:
            await self._response.close()

    async def send(self, message: str | bytes) -> None:
        assert self._response is not None
        try:
            if isinstance(message, bytes):
                await self._response.send_bytes(message)
            else:
                await self._response.send_str(message)
        finally:
            if self._queue.taken and message[:1] in ("4", b"4"):
                self._queue.taken -= 1

    async def wait(self) -> str:
        """The next text frame that is an Engine.IO packet; OSError when the connection is over."""
        assert self._response is not None
        while True:
            message = await self._response.receive()
            if message.type is WSMsgType.TEXT and message.data[:1] in _CLIENT_KINDS:
                return str(message.data)
            if message.type not in (WSMsgType.TEXT, WSMsgType.BINARY):
                raise OSError("the websocket is closed")
            self._strikes += 1
            if self._strikes >= STRIKES_MAX:
                log.info("closed_for_malformed_frames")
                await self._response.close(code=1002)
                raise OSError("too many malformed frames")
