"""Socket.IO packets (protocol 5), decoded as far as needed; an event's payload stays bytes."""

import json
import re
from typing import Any

import msgspec

from server.posts import FRAME_MAX

CONNECT, DISCONNECT, EVENT, ACK, CONNECT_ERROR, BINARY_EVENT, BINARY_ACK = range(7)
MalformedPacket = (ValueError, RecursionError, msgspec.DecodeError)
_ARGUMENTS = msgspec.json.Decoder(list[msgspec.Raw])
_NAME = msgspec.json.Decoder(str)
ID_DIGITS_MAX = 15
NAMESPACE_MAX = 100
NAME_MAX = 64
ATTACHMENTS_MAX = 100
_DIGITS = re.compile(rf"[0-9]{{1,{ID_DIGITS_MAX + 1}}}")
_ATTACHMENTS = re.compile(r"([0-9]{1,3})-")
_FIRST_NAME = re.compile(r'\["([^"\\\x00-\x1f]{1,64})"')
_KINDS = "012356"
"""The kinds of packets that clients send."""
BINARY = "JSON without binary data"
TOO_LARGE = f"a packet of at most {FRAME_MAX} bytes"


class UnreadableAuth(ValueError):
    """The auth of a CONNECT to `namespace` is neither an object nor null."""

    def __init__(self, namespace: str) -> None:
        super().__init__("the auth is not an object")
        self.namespace = namespace


class ClientPacket:
    """A client's packet; raises one of MalformedPacket.

    For an event, `data` is `(name, payload)`, with the payload as JSON, so that it is decoded once,
    by its type. For a CONNECT, `data` is its auth object or None; otherwise it is None. `expected`
    says what the payload should have been, if it cannot be read: it has binary attachments, which
    follow as `attachments` messages, or it is too large.
    """

    __slots__ = ("attachments", "data", "expected", "id", "namespace", "packet_type")

    def __init__(self, encoded_packet: Any) -> None:
        if not isinstance(encoded_packet, str):
            raise ValueError("not a packet")
        kind, rest = encoded_packet[:1], encoded_packet[1:]
        if not kind or kind not in _KINDS:
            raise ValueError("not a packet that clients send")
        self.packet_type = int(kind)
        self.data: Any = None
        self.expected = ""
        self.attachments = 0
        if self.packet_type in (BINARY_EVENT, BINARY_ACK):
            self.packet_type -= BINARY_EVENT - EVENT
            self.attachments, rest = _split_attachments(rest)
            self.expected = BINARY
        self.namespace, rest = _split_namespace(rest)
        if len(self.namespace) > NAMESPACE_MAX and self.packet_type != CONNECT:
            raise ValueError("no client is in a namespace with such a name")
        self.id, rest = _split_id(rest)
        if is_too_large(encoded_packet):
            self.expected = TOO_LARGE
            if self.packet_type == EVENT:
                self.data = _name_at_start(rest), b""
        elif self.packet_type == EVENT:
            self.data = _event(rest)
        elif self.packet_type == CONNECT and rest:
            self.data = _auth(self.namespace, rest)


def is_too_large(packet: str) -> bool:
    """Whether a Socket.IO packet, with the character before it, exceeds the size of a frame."""
    return len(packet) >= FRAME_MAX // 4 and len(packet.encode(errors="replace")) >= FRAME_MAX


def _split_attachments(rest: str) -> tuple[int, str]:
    found = _ATTACHMENTS.match(rest)
    if found is None or int(found[1]) > ATTACHMENTS_MAX:
        raise ValueError("the number of attachments is not valid")
    return int(found[1]), rest[found.end() :]


def _split_namespace(rest: str) -> tuple[str, str]:
    if not rest.startswith("/"):
        return "/", rest
    namespace, _, rest = rest.partition(",")
    return namespace.partition("?")[0], rest


def _split_id(rest: str) -> tuple[int | None, str]:
    digits = _DIGITS.match(rest)
    end = digits.end() if digits else 0
    if end > ID_DIGITS_MAX:
        raise ValueError("the packet's id is too long")
    return (int(rest[:end]) if end else None), rest[end:]


def _auth(namespace: str, rest: str) -> dict[str, Any] | None:
    """The data of a CONNECT packet; Socket.IO allows an object or null."""
    try:
        return msgspec.json.decode(rest, type=dict[str, Any] | None)
    except (msgspec.DecodeError, RecursionError):
        raise UnreadableAuth(namespace) from None


def _event(rest: str) -> tuple[str, bytes]:
    try:
        arguments = _ARGUMENTS.decode(rest)
    except msgspec.DecodeError:
        return _name_of_unreadable(rest), b"null"
    if not arguments:
        raise ValueError("the event has no name")
    name = _NAME.decode(arguments[0])
    if len(name) > NAME_MAX:
        raise ValueError("the event's name is too long")
    if len(arguments) == 1:
        return name, b"{}"
    # More than one payload is answered INVALID like any other payload that is not an object.
    return name, bytes(arguments[1]) if len(arguments) == 2 else b"[]"


def _name_at_start(rest: str) -> str:
    """The name of an event that is too large to decode; raises ValueError without one."""
    found = _FIRST_NAME.match(rest)
    if found is None:
        raise ValueError("the event has no name")
    return found[1]


def _name_of_unreadable(rest: str) -> str:
    """The name of an event whose payload is JSON with a lone surrogate, which browsers can send.

    Such a payload counts as `null`, which no command accepts. Raises ValueError if it is not JSON.
    """
    match json.loads(rest):
        case [str(name), *_] if len(name) <= NAME_MAX:
            return name
    raise ValueError("the event has no name")


def connect_text(namespace: str, sid: str) -> str:
    """The packet that confirms that a client has entered `namespace`."""
    return _control_text(CONNECT, namespace, {"sid": sid})


def connect_error_text(namespace: str, error: Any) -> str:
    """The packet that refuses entry; the client's `connect_error` gets `error`."""
    return _control_text(CONNECT_ERROR, namespace, error)


def _control_text(kind: int, namespace: str, data: Any) -> str:
    where = "" if namespace == "/" else f"{namespace},"
    return f"{kind}{where}{msgspec.json.encode(data).decode()}"


def ack_text(namespace: str, packet_id: int, body: bytes) -> bytes:
    """The Engine.IO text of an acknowledgement whose one argument is the JSON `body`."""
    where = b"" if namespace == "/" else namespace.encode() + b","
    return b"43%b%d[%b]" % (where, packet_id, body)


def auth_of(data: dict[str, Any] | None) -> dict[str, Any]:
    """The `auth` object of a CONNECT packet; empty if it has none."""
    return data or {}
