"""Events of the kernel itself, for domains and for all instances."""

from typing import ClassVar

from handlers.kit.contract import Event, Moment, UserEvent

CONTROL_NAMESPACE = "/"
CONTROL_ROOM = "control"


class InstanceLost(Event):
    """An instance died. Its calls, places and devices ended at its last heartbeat, `at`."""

    NAME: ClassVar[str] = "INSTANCE_LOST"
    instance_id: str
    at: Moment

    def key(self) -> str:
        return f"instance:{self.instance_id}"


class SessionEnded(UserEvent):
    """A session ended: every instance closes its connections."""

    NAME: ClassVar[str] = "SESSION_ENDED"
    NAMESPACE: ClassVar[str | None] = CONTROL_NAMESPACE
    PLAIN: ClassVar[tuple[str, ...]] = ("reason",)
    session_id: str
    reason: str

    def rooms(self) -> tuple[str, ...]:
        return (CONTROL_ROOM,)


class WatchingEnded(UserEvent):
    """A user may no longer watch a room: every instance removes the user's sockets from it."""

    NAME: ClassVar[str] = "WATCHING_ENDED"
    NAMESPACE: ClassVar[str | None] = CONTROL_NAMESPACE
    PLAIN: ClassVar[tuple[str, ...]] = ("of_namespace", "room")
    of_namespace: str
    room: str

    def rooms(self) -> tuple[str, ...]:
        return (CONTROL_ROOM,)


class RolesChanged(UserEvent):
    """A user's roles changed: every instance updates the user's connections."""

    NAME: ClassVar[str] = "ROLES_CHANGED"
    NAMESPACE: ClassVar[str | None] = CONTROL_NAMESPACE
    PLAIN: ClassVar[tuple[str, ...]] = ("roles",)
    roles: list[str]

    def rooms(self) -> tuple[str, ...]:
        return (CONTROL_ROOM,)
