"""Collects a WebSocket's outgoing frames, so that one round of the event loop takes one write.

Invariants:
- A command's answer leaves in the same write as the events it caused. All events of a commit take
  one write for each member: the system call is most of the cost of a delivery.
- A frame waits at most until the next round, and at most `FULL` bytes wait.
- Frames leave in the order in which they were added.
"""

from __future__ import annotations

import asyncio

import structlog

log = structlog.get_logger("transport")

FULL = 65_536
"""Bytes beyond which a transport asks its writers to pause."""


class Round:
    """The WebSockets with frames to write in this round of the event loop."""

    def __init__(self) -> None:
        self._filled: list[FrameBuffer] = []

    def add(self, buffer: FrameBuffer) -> None:
        if not self._filled:
            asyncio.get_running_loop().call_soon(self._end_soon)
        self._filled.append(buffer)

    def _end_soon(self) -> None:
        """Flush one round later, when tasks that waited for the commit have added their answers."""
        asyncio.get_running_loop().call_soon(self._end)

    def _end(self) -> None:
        filled, self._filled = self._filled, []
        for buffer in filled:
            try:
                buffer.flush()
            except Exception as raised:  # a failure must not stop the other WebSockets
                log.error("not_written", error=type(raised).__name__)
                buffer.abort()


class FrameBuffer:
    """The frames that one WebSocket writes at the end of this round; its base class."""

    __slots__ = ("_frames", "_round", "_size", "_transport", "idle")

    _transport: asyncio.Transport

    def __init__(self, round_: Round) -> None:
        self._round = round_
        self._frames: list[bytes] = []
        self._size = 0
        self.idle = False
        """Whether the WebSocket is open and its transport accepts writes."""

    @property
    def unsent(self) -> int:
        """Bytes that wait here or in the transport."""
        return self._size + self._transport.get_write_buffer_size()

    def add(self, frame: bytes) -> None:
        """Write `frame` by the end of this round; only while idle."""
        if not self._frames:
            self._round.add(self)
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

    def abort(self) -> None:
        """Close at once and drop what is unsent."""
        self._frames, self._size = [], 0
        self._transport.abort()
