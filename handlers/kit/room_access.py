"""The access of one command's socket to rooms: it follows them, listens to them, and publishes."""

from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

from handlers.kit.kernel import Audience, EphemeralEvent, Kernel
from rooms.names import stream

T = TypeVar("T")


class RoomAccess:
    """What a command may do with rooms, for the socket that sent it.

    A socket that follows a room receives its events. One that listens to a room receives only its
    ephemeral events.
    """

    def __init__(self, kernel: Kernel, socket: Any, after_ack: list[Callable[[], None]]) -> None:
        self._kernel = kernel
        self._socket = socket
        self._after_ack = after_ack
        self._listened: list[str] = []
        """The streams that the socket did not listen to before this command."""

    async def follow(self, namespace: str, room: str, read: Callable[[], Awaitable[T]]) -> T:
        """Let the socket follow `room`; returns what `read` returns, a view with a `seq`.

        After the command's acknowledgement, the socket receives the events above that `seq`.
        """
        answer: list[T] = []

        async def snapshot() -> int:
            answer.append(await read())
            return int(getattr(answer[0], "seq"))  # noqa: B009 - T is any view that carries a seq

        release = await self._audience.follow(self._socket, stream(namespace, room), snapshot)
        self._after_ack.append(release)
        return answer[0]

    async def listen(self, namespace: str, *rooms: str) -> Callable[[], None]:
        """Let the socket listen to `rooms`: to all of them, or to none if it raises TooMany.

        Returns a function that resends the ephemeral events of the meantime. Call it once the
        answer, which may be older than these events, is sent.
        """
        names = [stream(namespace, room) for room in rooms]
        self._listened += [name for name in names if name not in self._socket.listens]
        self._socket.listen(names)
        return await self._audience.listen(self._socket, names)

    def unfollow(self, namespace: str, room: str) -> None:
        """Stop following `room`, and stop listening to it."""
        self._leave(stream(namespace, room))

    def publish_ephemeral(self, namespace: str, room: str, name: str, data: Any) -> None:
        """Send an event that is not stored to `room`, except to the socket itself."""
        self._audience.publish_ephemeral(
            EphemeralEvent(namespace, room, name, data, skip=self._socket)
        )

    def undo(self) -> None:
        """The command was refused: stop listening to the rooms that it added."""
        for name in self._listened:
            self._leave(name)

    def _leave(self, name: str) -> None:
        self._socket.listens.discard(name)
        self._audience.unfollow(self._socket, name)

    @property
    def _audience(self) -> Audience:
        assert self._kernel.audience is not None
        return self._kernel.audience
