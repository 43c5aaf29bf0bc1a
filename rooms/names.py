"""What rooms are called. A stream is a room in a namespace."""


def user(user_id: str) -> str:
    """The room of one person, on all their devices."""
    return f"user:{user_id}"


def chat(conversation_id: str) -> str:
    """The room of one conversation."""
    return f"chat:{conversation_id}"


def consultant(consultant_id: str) -> str:
    """The public room of one consultant."""
    return f"consultant:{consultant_id}"


def presence(user_id: str) -> str:
    """The room of those who watch whether a person is there; ephemeral events only."""
    return f"presence:{user_id}"


def call(call_id: str, user_id: str) -> str:
    """The room of one participant's devices in a call; ephemeral events only."""
    return f"call:{call_id}:{user_id}"


MODERATORS = "moderators"
"""The room of those who have this role."""


def stream(namespace: str, room: str) -> str:
    """The stream of `room` in `namespace`, as it is stored."""
    return f"{namespace}|{room}"


def split(stream_name: str) -> tuple[str, str]:
    """`(namespace, room)` of a stream."""
    namespace, _, room = stream_name.partition("|")
    return namespace, room
