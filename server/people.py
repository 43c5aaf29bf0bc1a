"""The connected users of this instance and their connections."""

from collections.abc import Iterator

from handlers.kit.kernel import Actor
from server.session import Connection


class People:
    """The connections of this instance by user and by session."""

    def __init__(self) -> None:
        self._of_person: dict[str, set[Connection]] = {}
        self._of_session: dict[str, set[Connection]] = {}

    def add(self, actor: Actor, connection: Connection) -> bool:
        """Add a connection; returns whether it is the user's first on this instance."""
        mine = self._of_person.setdefault(actor.id, set())
        mine.add(connection)
        self._of_session.setdefault(actor.session_id, set()).add(connection)
        return len(mine) == 1

    def remove(self, connection: Connection) -> bool:
        """Remove a connection; returns whether it was the user's last on this instance."""
        actor = connection.actor
        if actor is None:
            return False
        self._discard(self._of_session, actor.session_id, connection)
        return self._discard(self._of_person, actor.id, connection)

    def __iter__(self) -> Iterator[str]:
        """The ids of all connected users."""
        return iter(list(self._of_person))

    def sessions(self) -> list[str]:
        """The ids of all sessions with a connection here."""
        return list(self._of_session)

    def count(self, user_id: str) -> int:
        return len(self._of_person.get(user_id, ()))

    def of_person(self, user_id: str) -> list[Connection]:
        return list(self._of_person.get(user_id, ()))

    def of_session(self, session_id: str) -> list[Connection]:
        return list(self._of_session.get(session_id, ()))

    def set_roles(self, user_id: str, roles: frozenset[str]) -> None:
        """Apply a user's changed roles to all their open connections."""
        for connection in self._of_person.get(user_id, ()):
            if connection.actor is not None:
                actor = connection.actor
                connection.actor = Actor(actor.id, actor.session_id, roles)

    @staticmethod
    def _discard(index: dict[str, set[Connection]], key: str, connection: Connection) -> bool:
        held = index.get(key)
        if held is None or connection not in held:
            return False
        held.discard(connection)
        if held:
            return False
        del index[key]
        return True
