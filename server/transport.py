"""Sends packets to one client: directly to its WebSocket if nothing waits, otherwise by a queue.

Invariants:
- Packets leave in the order of the calls. A ready-made frame goes directly to the WebSocket only if
  that is idle and no message waits in the queue; otherwise its packet joins the queue.
- The queue drains at the speed of the reader. `caught_up` waits for it, and so do long replays.
- A client that does not read costs at most about `UNSENT_MAX` bytes of memory. Ephemeral events are
  dropped at half of that, and at the limit the connection is cut; a client that returns gets the
  missed events.
- A poll takes at most `POLLED_MAX` packets, and the next poll the others.
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
POLLED_MAX = 16
"""Python's client refuses an answer with more packets."""
PACKET_COST = 120
"""Bytes that a queued packet takes in addition to its text."""


class Outgoing:
    """A small queue with the interface that Engine.IO expects, which counts unsent bytes.

    It wakes a WebSocket when a packet waits; long polling waits in `get`.
    """

    __slots__ = (
        "_getters",
        "_items",
        "_left_for_poll",
        "_taken",
        "_taken_out",
        "bytes",
        "messages",
        "websocket",
    )

    def __init__(self) -> None:
        self._items: list[Any] = []
        self._taken = 0
        """The number of items at the front of `_items` that were removed. An empty list is smaller
        than a deque, and the index keeps removals linear in total."""
        self._getters: list[asyncio.Future[None]] = []
        self._left_for_poll = 0
        """The packets that the current poll may still take."""
        self._taken_out: asyncio.Event | None = None
        self.messages = 0
        self.bytes = 0
        self.websocket: WebSocket | None = None

    # Used by Engine.IO.

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
        """The first packet of a poll."""
        while self.empty():
            getter = asyncio.get_running_loop().create_future()
            self._getters.append(getter)
            try:
                await getter
            except BaseException:
                if getter.done() and not getter.cancelled() and not self.empty():
                    self._wake_one()  # this getter was woken, so pass the turn on
                raise
            finally:
                self._getters.remove(getter)
        self._left_for_poll = POLLED_MAX - 1
        return self.take()

    def get_nowait(self) -> Any:
        """The next packet of a poll; raises asyncio.QueueEmpty if it has enough."""
        if not self._left_for_poll:
            raise asyncio.QueueEmpty
        self._left_for_poll -= 1
        return self.take()

    def take(self) -> Any:
        """The first packet; raises asyncio.QueueEmpty."""
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
        """Required by the interface; nothing joins the queue."""

    def _wake_one(self) -> None:
        for getter in self._getters:
            if not getter.done():
                getter.set_result(None)
                return

    # Used by this server.

    @property
    def polls(self) -> int:
        """The number of polls that wait for a packet."""
        return len(self._getters)

    @property
    def unsent(self) -> int:
        """Bytes that wait here or in the WebSocket."""
        return self.bytes + (self.websocket.unsent if self.websocket is not None else 0)

    async def caught_up(self) -> bool:
        """Wait until the client has read most packets; returns False if that takes too long."""
        return await self._shrunk(UNSENT_WHEN_CAUGHT_UP, CATCH_UP_WITHIN_S)

    async def read_out(self, within_s: float) -> bool:
        """Wait until the client has read all messages; returns False if that takes too long."""
        return await self._shrunk(0, within_s)

    async def _shrunk(self, bytes_max: int, within_s: float) -> bool:
        if self.bytes <= bytes_max:
            return True
        self._taken_out = self._taken_out or asyncio.Event()
        try:
            async with asyncio.timeout(within_s):
                while self.bytes > bytes_max:
                    self._taken_out.clear()
                    await self._taken_out.wait()
        except TimeoutError:
            return False
        return True

    def send(self, packet: Packet) -> bool:
        """Send `packet` in order; returns False if the client must be cut."""
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
        """Close the WebSocket after the queued packets."""
        self.put_nowait(EnginePacket(CLOSE))
        self.put_nowait(None)

    def drop(self) -> None:
        """Drop the unsent packets, which releases waits in `caught_up`."""
        while not self.empty():
            self.take()

    def abort(self) -> None:
        """Close the connection at once and drop the unsent packets."""
        self.drop()
        self.put_nowait(None)
        if self.websocket is not None:
            self.websocket.abort()


def is_message(item: Any) -> bool:
    return item is not None and item.packet_type == MESSAGE


def cost_of(message: Any) -> int:
    """The bytes of memory that a queued message takes: up to four per character."""
    return sys.getsizeof(message.data) + PACKET_COST
