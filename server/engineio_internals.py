"""The undocumented parts of python-engineio that we use: its driver table, sockets and packets.

Its documentation covers the server's `handle_request`, `attach`, `on`, `send`, `create_queue`,
`start_background_task` and `generate_id`. Only this module uses undocumented parts:

- `AsyncServer._async`, the table of driver functions, to replace the server's end of a WebSocket.
  The original driver keeps three tasks for each client (docs/adr/0003).
- `AsyncServer.sockets`, and the attributes of a socket that `EngineSocket` lists.
- A socket gets its queue from `create_queue`, and waits for its next PING in a background task that
  runs its `_send_ping`.
- `packet.Packet`, the argument of `send_packet`.

Reviewed version: 4.15.1. The checks accept 4.11 to 4.15 and reject 4.9.
"""

import asyncio
from collections.abc import Callable
from typing import Any, Protocol

import engineio

from server.library_check import Part, check_library, has, takes

LIBRARY, LOOKED_AT = "python-engineio", "4.15.1"
SOCKET = (
    *("sid", "queue", "last_ping"),
    *("connected", "upgrading", "upgraded", "closing", "closed"),
)
KINDS = {"CLOSE": 1, "PING": 2, "PONG": 3, "MESSAGE": 4, "UPGRADE": 5, "NOOP": 6}
_SOCKET = "engineio.async_socket:AsyncSocket"


def _driver_is_a_table() -> bool:
    server = engineio.AsyncServer(async_mode="aiohttp", monitor_clients=False)
    return callable(server._async["websocket"]) and server.sockets == {}


def _sockets_have_their_state() -> bool:
    return not [name for name in SOCKET if not hasattr(_bare_socket(_Recorder()), name)]


def _sockets_ask_the_server() -> bool:
    recorder = _Recorder()
    socket = _bare_socket(recorder)
    socket.schedule_ping()
    return bool(socket.queue is recorder and recorder.started == socket._send_ping)


def _packets_have_their_kinds() -> bool:
    from engineio import packet

    kinds = {name: getattr(packet, name) for name in KINDS}
    return kinds == KINDS and packet.Packet(packet.MESSAGE, "x").encode() == "4x"


class _Recorder:
    """A substitute for the server that records calls while sockets are checked."""

    def __init__(self) -> None:
        self.started: Any = None

    def create_queue(self) -> Any:
        return self

    def start_background_task(self, target: Any) -> None:
        self.started = target


def _bare_socket(server: Any) -> Any:
    from engineio.async_socket import AsyncSocket

    return AsyncSocket(server, "a socket")


RELIED_ON = (
    takes("engineio:AsyncServer.handle_request", "self", "args", "kwargs"),
    takes("engineio:AsyncServer.create_queue", "self", "args", "kwargs"),
    takes("engineio:AsyncServer.start_background_task", "self", "target", "args", "kwargs"),
    has("engineio:AsyncServer.reason.PING_TIMEOUT"),
    takes(f"{_SOCKET}.schedule_ping", "self"),
    takes(f"{_SOCKET}._send_ping", "self"),
    takes(f"{_SOCKET}.check_ping_timeout", "self"),
    takes(f"{_SOCKET}.close", "self", "wait", "abort", "reason"),
    takes(f"{_SOCKET}._upgrade_websocket", "self", "environ"),
    takes(f"{_SOCKET}._websocket_handler", "self", "ws"),
    Part("the server keeps its driver's functions in _async, and sockets", _driver_is_a_table),
    Part("a socket's attributes " + ", ".join(SOCKET), _sockets_have_their_state),
    Part("a socket gets its queue and its PING's task from its server", _sockets_ask_the_server),
    takes("engineio.packet:Packet", "packet_type", "data", "encoded_packet"),
    Part("the kinds of packets", _packets_have_their_kinds),
)
check_library(LIBRARY, LOOKED_AT, *RELIED_ON)

from engineio.packet import CLOSE, MESSAGE, NOOP, PING, Packet  # noqa: E402 - checked first

__all__ = ["CLOSE", "MESSAGE", "NOOP", "PING", "EngineServer", "EngineSocket", "Packet"]


class EngineSocket(Protocol):
    """Engine.IO's side of one connection."""

    sid: str
    queue: Any
    last_ping: float | None
    """When the unanswered PING was sent, as `time.time()`; None if there is none."""
    connected: bool
    upgrading: bool
    upgraded: bool
    closing: bool
    closed: bool

    def schedule_ping(self) -> None: ...

    async def check_ping_timeout(self) -> bool: ...

    async def close(
        self, *, wait: bool, abort: bool = False, reason: str | None = None
    ) -> None: ...


Driver = Callable[[Any, "EngineServer"], Any]
"""Makes the server's end of a WebSocket from a socket's handler (`socket_of`) and the server."""
Ping = Callable[[EngineSocket], None]
"""Sends a client a PING."""


class EngineServer(engineio.AsyncServer):
    """Engine.IO's server with our own WebSocket driver, and timers for PINGs."""

    sockets: dict[str, EngineSocket]
    _async: dict[str, Any]

    def __init__(self, websocket: Driver, ping: Ping, **options: Any) -> None:
        super().__init__(
            async_mode="aiohttp", async_handlers=False, monitor_clients=False, **options
        )
        self._async = {**self._async, "websocket": websocket}
        self._ping = ping

    def start_background_task(self, target: Any, *args: Any, **options: Any) -> Any:
        """Start a task, but start a timer instead for the task that sends a PING later."""
        if getattr(target, "__name__", "") != "_send_ping":
            return super().start_background_task(target, *args, **options)
        socket = socket_of(target)
        return asyncio.get_running_loop().call_later(self.ping_interval, self._ping, socket)


def socket_of(method: Any) -> EngineSocket:
    """The socket that a bound method of Engine.IO belongs to."""
    socket: EngineSocket = method.__self__
    return socket
