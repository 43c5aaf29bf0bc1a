"""Frames on their way out of one websocket: those of one round of the loop leave in one write.

Invariants:
- A person's answer leaves with the event that it caused, and all that one commit said to a room in
  one write for each member: most of the cost of a delivery is the system call.
- A frame waits no longer than the next round, and no more than `FULL` bytes wait.
- Frames leave in the order in which they were added.
"""

from __future__ import annotations

import asyncio

import structlog

log = structlog.get_logger("transport")

FULL = 65_536
"""Bytes beyond which a transport asks its writers to pause."""


class Round:
    """The websockets that have something to write in this round of the loop."""

    def __init__(self) -> None:
        self._filled: list[FrameBuffer] = []

    def add(self, buffer: FrameBuffer) -> None:
        if not self._filled:
            asyncio.get_running_loop().call_soon(self._end_soon)
        self._filled.append(buffer)

    def _end_soon(self) -> None:
        """One round later: whoever waited for a commit has its answer written by then."""
        asyncio.get_running_loop().call_soon(self._end)

    def _end(self) -> None:
        filled, self._filled = self._filled, []
        for buffer in filled:
            try:
                buffer.flush()
            except Exception as raised:  # whatever is odd with one, the others have their turn
                log.error("not_written", error=type(raised).__name__)
                buffer.abort()


class FrameBuffer:
    """The frames that one websocket writes at the end of this round; a websocket is one."""

    __slots__ = ("_frames", "_round", "_size", "_transport", "idle")

    _transport: asyncio.Transport

    def __init__(self, round_: Round) -> None:
        self._round = round_
        self._frames: list[bytes] = []
        self._size = 0
        self.idle = False
        """Whether it is open, and its transport takes what is written."""

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
        """End at once; what is unsent is dropped."""
        self._frames, self._size = [], 0
        self._transport.abort()
