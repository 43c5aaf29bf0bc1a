"""The names of streams, and of the room that each user has. Domains name their other rooms.

A stream is a room in a namespace.
"""


def user(user_id: str) -> str:
    """The room of one user, on all their devices."""
    return f"user:{user_id}"


def stream(namespace: str, room: str) -> str:
    """The stored name of the stream of `room` in `namespace`."""
    return f"{namespace}|{room}"


def split(stream_name: str) -> tuple[str, str]:
    """`(namespace, room)` of a stream."""
    namespace, _, room = stream_name.partition("|")
    return namespace, room
