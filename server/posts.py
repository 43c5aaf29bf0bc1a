"""Reads the packets that polling clients post, one by one as they arrive.

A client posts everything that it has to send together, so a body can have any number of packets.

Invariants:
- The packets are processed like those of a WebSocket, and in order. While one takes time, such as
  entering a namespace, nothing more of its body is read.
- One packet of a body is in memory at a time. Of a packet above `FRAME_MAX`, only the start is
  kept, which says what to answer.
- A client that sends too many packets waits before they are processed.
- A body that is too large ends the connection. If a poll can tell that to the client, the POST does
  not fail: after a failure, clients reconnect.
"""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Callable
from typing import TYPE_CHECKING

from aiohttp import web

from server.bodies import BODY_MAX
from server.websocket import PAUSE_MAX_S

if TYPE_CHECKING:
    from server.engine import Engine

FRAME_MAX = 131_072
"""The maximum bytes of a packet. The longest request that a contract allows, whose text has 8,000
emoji, takes 100 KB from clients that escape them in ASCII."""
POSTED_MAX = 32 * FRAME_MAX
"""The maximum bytes of a body."""
POSTS_MAX = 3
"""The bodies of one connection that are read at a time: one, and some whose client has gone."""
READ_OUT_WITHIN_S = 0.5
SEPARATOR = b"\x1e"
_KEPT = FRAME_MAX + 4
"""Of a longer packet, this many bytes are kept: more than `FRAME_MAX` even without an incomplete
character at the end."""


class PostedPackets:
    """Splits a body into packets."""

    def __init__(self) -> None:
        self._open = bytearray()

    def feed(self, chunk: bytes) -> list[str | None]:
        """The packets that `chunk` completes; None for one that is not UTF-8."""
        first, *others = chunk.split(SEPARATOR)
        self._extend(first)
        complete = []
        for other in others:
            complete.append(self.end())
            self._extend(other)
        return complete

    def end(self) -> str | None:
        """The last packet, which has no separator after it."""
        packet, self._open = self._open, bytearray()
        try:
            return packet.decode(errors="ignore" if len(packet) >= _KEPT else "strict")
        except UnicodeDecodeError:
            return None

    def _extend(self, part: bytes) -> None:
        self._open += part[: _KEPT - len(self._open)]


class Posts:
    """Reads the bodies that polling clients post to one instance."""

    def __init__(self, engine: "Engine") -> None:
        self.chunks: Callable[[web.Request, int], AsyncIterator[bytes]] | None = None
        """Reads the body of a request, up to this size."""
        self._engine = engine
        self._reading: Counter[str] = Counter()
        """The number of bodies that are being read, by connection."""

    async def take(self, request: web.Request, sid: str) -> None:
        """Process the packets of a body; raises web.HTTPException."""
        if sid not in self._engine.sockets or self._reading[sid] >= POSTS_MAX:
            await self._discard(request)
            raise web.HTTPBadRequest
        self._reading[sid] += 1
        try:
            accepted = await self._read(request, sid)
        except web.HTTPRequestEntityTooLarge:
            if not await self._turn_away(sid):
                raise
            return
        finally:
            self._reading[sid] -= 1
            if not self._reading[sid]:
                del self._reading[sid]
        if not accepted:
            raise web.HTTPBadRequest

    async def _discard(self, request: web.Request) -> None:
        async for _ in self._chunks(request, BODY_MAX):
            pass

    def _chunks(self, request: web.Request, size_max: int) -> AsyncIterator[bytes]:
        assert self.chunks is not None
        return self.chunks(request, size_max)

    async def _read(self, request: web.Request, sid: str) -> bool:
        """Process all packets; returns whether a client may send each of them."""
        body, accepted = PostedPackets(), True
        async for chunk in self._chunks(request, POSTED_MAX):
            accepted &= await self._process(sid, body.feed(chunk))
        return accepted & await self._process(sid, [body.end()])

    async def _process(self, sid: str, packets: list[str | None]) -> bool:
        if packets and (wait_s := self._engine.pace(sid, len(packets))):
            await asyncio.sleep(min(wait_s, PAUSE_MAX_S))
        accepted = True
        for packet in packets:
            accepted &= await self._process_one(sid, packet)
        return accepted

    async def _process_one(self, sid: str, packet: str | None) -> bool:
        engine, socket = self._engine, self._engine.sockets.get(sid)
        if socket is None or socket.closed or socket.upgraded:
            return False
        kind, content = (packet[0], packet[1:]) if packet else ("", "")
        match kind:
            case "4":
                if (waiting := engine.receive(sid, content)) is not None:
                    await waiting
            case "b":
                engine.on_binary(sid)
            case "3":
                socket.schedule_ping()
            case "1":
                await socket.close(wait=False, abort=True, reason=engine.reason.CLIENT_DISCONNECT)
            case _:
                engine.on_malformed(sid)
                return False
        return True

    async def _turn_away(self, sid: str) -> bool:
        """End the connection; returns whether a poll has told that to the client."""
        socket = self._engine.sockets.get(sid)
        if socket is None:
            return False
        self._engine.on_unreadable(sid)
        return bool(await socket.queue.read_out(READ_OUT_WITHIN_S))
