"""The leases of one socket, which end with it."""

from collections.abc import Callable
from typing import Any

from handlers.kit.ids import new_id
from storage.engine.clock import Clock


class SocketLeases:
    """Leases, one for each subject, such as a call that a device is in.

    When the socket is gone, each lease ends, and `@domain.disconnects` runs for it.
    """

    def __init__(self, clock: Clock, socket: Any, before_hold: Callable[[], None]) -> None:
        self._clock = clock
        self._socket = socket
        self._before_hold = before_hold
        self._taken: list[str] = []
        """The subjects on which this command took a lease."""

    @property
    def subjects(self) -> list[str]:
        """The subjects on which the socket has a lease."""
        return list(self._socket.leases)

    def hold(self, subject: str) -> str:
        """Hold a lease on `subject` while the socket lasts; raises TooMany.

        Returns the lease's id, which stays the same while the socket holds it.
        """
        self._before_hold()
        fresh = new_id(self._clock.now())
        lease_id: str = self._socket.hold_lease(subject, fresh)
        if lease_id == fresh:
            self._taken.append(subject)
        return lease_id

    def find(self, subject: str) -> str | None:
        """The id of the socket's lease on `subject`, if it has one."""
        found: str | None = self._socket.leases.get(subject)
        return found

    def drop(self, subject: str) -> None:
        """End the lease without `@domain.disconnects`: its subject is over."""
        self._socket.leases.pop(subject, None)

    def undo(self) -> None:
        """The command was refused: drop the leases that it took."""
        for subject in self._taken:
            self.drop(subject)
