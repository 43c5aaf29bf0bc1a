"""Packets for clients: each is encoded once, for all members of a room."""

from collections.abc import Collection
from typing import Any

import msgspec

from rooms.names import split
from storage.engine.columns import instant_text
from storage.events.log import Numbered


class Packet:
    """One Socket.IO EVENT packet as Engine.IO text and, on demand, as a WebSocket frame.

    `shed` marks packets that may be dropped for a slow reader. `hidden_from` holds the ids of users
    to whom an ephemeral event is not sent.
    """

    __slots__ = ("_frame", "hidden_from", "shed", "text")

    def __init__(
        self, text: bytes, *, shed: bool = False, hidden_from: Collection[str] = ()
    ) -> None:
        self.text = text
        self.shed = shed
        self.hidden_from = hidden_from
        self._frame: bytes | None = None

    @property
    def frame(self) -> bytes:
        """The unmasked, unfragmented text frame, as a server sends it (RFC 6455, section 5.2)."""
        if self._frame is None:
            self._frame = text_frame(self.text)
        return self._frame

    @property
    def name(self) -> str:
        """The name of the event."""
        return self.text.split(b'"', 2)[1].decode()


def text_frame(text: bytes) -> bytes:
    """`text` as one WebSocket text frame."""
    size = len(text)
    if size < 126:
        head = bytes((0x81, size))
    elif size < 65_536:
        head = b"\x81\x7e" + size.to_bytes(2, "big")
    else:
        head = b"\x81\x7f" + size.to_bytes(8, "big")
    return head + text


def event_packet(event: Numbered) -> Packet:
    """A stored event as clients receive it: `NAME, data, {room, seq, id, at}`."""
    namespace, room = split(event.stream)
    meta = msgspec.json.encode(
        {"room": room, "seq": event.seq, "id": event.id, "at": instant_text(event.at)}
    )
    text = b'42%b,["%b",%b,%b]' % (
        namespace.encode(),
        event.name.encode(),
        event.data.encode(),
        meta,
    )
    return Packet(text)


def ephemeral_packet(
    namespace: str, room: str, name: str, data: Any, hidden_from: Collection[str] = ()
) -> Packet:
    """An ephemeral event: it has a room but no sequence number, and slow readers lose it first."""
    body = msgspec.json.encode([name, data, {"room": room}])
    return Packet(b"42%b,%b" % (namespace.encode(), body), shed=True, hidden_from=hidden_from)


def notice_packet(namespace: str, name: str, data: Any) -> Packet:
    """A notice to a single socket (`synced`, `session_ended`)."""
    return Packet(b"42%b,%b" % (namespace.encode(), msgspec.json.encode([name, data])))
