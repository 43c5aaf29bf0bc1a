"""Websocket frames: what aiohttp's reader finds in bytes, and the few control frames we send."""

from typing import Any, cast

from aiohttp import WSMessage
from aiohttp._websocket.reader import WebSocketDataQueue
from aiohttp.http import WebSocketReader

OK, PROTOCOL_ERROR = 1000, 1002


class Frames(WebSocketDataQueue):
    """Takes what a reader finds; one for all readers, since it is emptied after each read."""

    def __init__(self, max_size: int) -> None:
        super().__init__(cast(Any, None), max_size, loop=cast(Any, None))  # nobody waits here
        self._max_size = max_size
        self._found: list[WSMessage] = []
        self._code = OK

    def reader(self) -> WebSocketReader:
        """One for each connection: it keeps what is not yet whole."""
        return WebSocketReader(self, self._max_size, compress=False, decode_text=True)

    def take_apart(self, reader: WebSocketReader, data: bytes) -> tuple[list[WSMessage], int]:
        """The messages that `data` completes, and the code with which to refuse what follows."""
        self._found, self._code = [], OK
        reader.feed_data(data)
        return self._found, self._code

    # What the reader calls.

    def feed_data(self, data: Any, size: int) -> None:
        self._found.append(data)

    def set_exception(self, exc: BaseException, exc_cause: BaseException | None = None) -> None:
        self._code = getattr(exc, "code", PROTOCOL_ERROR)


def close_frame(code: int) -> bytes:
    return b"\x88\x02" + code.to_bytes(2, "big")


def pong_frame(payload: bytes) -> bytes:
    """The answer to a PING, whose payload has at most 125 bytes."""
    return bytes((0x8A, len(payload))) + payload
