"""The way out to one client: straight to its websocket when nothing waits, else by its queue.

Invariants:
- What is sent to a connection leaves in the order of the calls. A ready-made frame is handed to the
  websocket only while that is idle and no message waits in the queue. Otherwise it joins the queue.
- The queue goes on at the pace of the reader; `caught_up` waits for it, and so does a long replay.
- A client that does not read costs about `UNSENT_MAX` bytes of memory: ephemeral events are shed
  at half of it, and at the limit the connection is cut. It recovers by number.
"""

import asyncio
import sys
from typing import TYPE_CHECKING, Any

from rooms.packets import Packet
from server.engineio_internals import CLOSE, MESSAGE
from server.engineio_internals import Packet as EnginePacket

if TYPE_CHECKING:
    from server.websocket import WebSocket

UNSENT_MAX = 800_000
"""With the packet that exceeds it, less than 1 MiB."""
UNSENT_WHEN_CAUGHT_UP = UNSENT_MAX // 4
CATCH_UP_WITHIN_S = 30.0
PACKET_COST = 120
"""Bytes that a queued packet takes beside its text."""


class Outgoing:
    """What Engine.IO takes for its queue of packets: it knows what is unsent, and is small.

    A websocket is told when something waits, and takes it; long polling waits in `get`.
    """

    __slots__ = ("_getters", "_items", "_taken", "_taken_out", "bytes", "messages", "websocket")

    def __init__(self) -> None:
        self._items: list[Any] = []
        self._taken = 0
        """How many at the beginning of `_items` are taken out: a list that is taken apart from its
        front costs little while it is empty, as it mostly is, and stays linear this way."""
        self._getters: list[asyncio.Future[None]] = []
        self._taken_out: asyncio.Event | None = None
        self.messages = 0
        self.bytes = 0
        self.websocket: WebSocket | None = None

    # What Engine.IO uses.

    async def put(self, item: Any) -> None:
        self.put_nowait(item)

    def put_nowait(self, item: Any) -> None:
        self._items.append(item)
        if is_message(item):
            self.messages += 1
            self.bytes += cost_of(item)
        if self._getters:
            self._wake_one()
        elif self.websocket is not None:
            self.websocket.wake()

    async def get(self) -> Any:
        while self.empty():
            getter = asyncio.get_running_loop().create_future()
            self._getters.append(getter)
            try:
                await getter
            except BaseException:
                if getter.done() and not getter.cancelled() and not self.empty():
                    self._wake_one()  # it was this one's turn
                raise
            finally:
                self._getters.remove(getter)
        return self.get_nowait()

    def get_nowait(self) -> Any:
        if self.empty():
            raise asyncio.QueueEmpty
        item = self._take_first()
        if is_message(item):
            self.messages -= 1
            self.bytes -= cost_of(item)
        if self._taken_out is not None:
            self._taken_out.set()
        return item

    def _take_first(self) -> Any:
        item, self._items[self._taken] = self._items[self._taken], None
        self._taken += 1
        if self._taken * 2 >= len(self._items):
            del self._items[: self._taken]
            self._taken = 0
        return item

    def empty(self) -> bool:
        return not self._items

    def task_done(self) -> None:
        """Nobody waits for it."""

    def _wake_one(self) -> None:
        for getter in self._getters:
            if not getter.done():
                getter.set_result(None)
                return

    # What we use.

    @property
    def polls(self) -> int:
        """How many requests wait for something to fetch."""
        return len(self._getters)

    @property
    def unsent(self) -> int:
        """Bytes that wait here or in the websocket."""
        return self.bytes + (self.websocket.unsent if self.websocket is not None else 0)

    async def caught_up(self) -> bool:
        """Wait until most of what was sent is read; False when that takes too long."""
        if self.bytes <= UNSENT_WHEN_CAUGHT_UP:
            return True
        self._taken_out = self._taken_out or asyncio.Event()
        try:
            async with asyncio.timeout(CATCH_UP_WITHIN_S):
                while self.bytes > UNSENT_WHEN_CAUGHT_UP:
                    self._taken_out.clear()
                    await self._taken_out.wait()
        except TimeoutError:
            return False
        return True

    def send(self, packet: Packet) -> bool:
        """Send `packet` in its turn; False when the client must be cut off."""
        websocket = self.websocket
        if websocket is not None and websocket.idle and not self.messages:
            websocket.add(packet.frame)
            return True
        unsent = self.unsent
        if packet.shed and unsent > UNSENT_MAX // 2:
            return True
        if unsent > UNSENT_MAX:
            return False
        self.put_nowait(EnginePacket(MESSAGE, packet.text[1:].decode()))
        return True

    def finish(self) -> None:
        """Close the websocket after what is still to be sent."""
        self.put_nowait(EnginePacket(CLOSE))
        self.put_nowait(None)

    def drop(self) -> None:
        """Forget what was unsent; whoever waits for the reader goes on."""
        while not self.empty():
            self.get_nowait()

    def abort(self) -> None:
        """Cut the connection at once and forget what was unsent."""
        self.drop()
        self.put_nowait(None)
        if self.websocket is not None:
            self.websocket.abort()


def is_message(item: Any) -> bool:
    return item is not None and item.packet_type == MESSAGE


def cost_of(message: Any) -> int:
    """The bytes of memory that a queued message takes: of each letter up to four."""
    return sys.getsizeof(message.data) + PACKET_COST
