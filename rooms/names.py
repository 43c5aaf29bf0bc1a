"""The names of rooms and streams. A stream is a room in a namespace."""


def user(user_id: str) -> str:
    """The room of one user, on all their devices."""
    return f"user:{user_id}"


def chat(conversation_id: str) -> str:
    """The room of one conversation."""
    return f"chat:{conversation_id}"


def consultant(consultant_id: str) -> str:
    """The public room of one consultant."""
    return f"consultant:{consultant_id}"


def presence(user_id: str) -> str:
    """The room of those who watch a user's presence; ephemeral events only."""
    return f"presence:{user_id}"


def call(call_id: str, user_id: str) -> str:
    """The room of one participant's devices in a call; ephemeral events only."""
    return f"call:{call_id}:{user_id}"


MODERATORS = "moderators"
"""The room of all users with the role of moderator."""


def stream(namespace: str, room: str) -> str:
    """The stored name of the stream of `room` in `namespace`."""
    return f"{namespace}|{room}"


def split(stream_name: str) -> tuple[str, str]:
    """`(namespace, room)` of a stream."""
    namespace, _, room = stream_name.partition("|")
    return namespace, room
