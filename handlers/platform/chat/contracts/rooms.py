"""The rooms of /chat."""


def chat_room(conversation_id: str) -> str:
    """The room of one conversation."""
    return f"chat:{conversation_id}"


def marks_room(conversation_id: str) -> str:
    """The room of the gathered read and delivery marks of one conversation."""
    return f"marks:{conversation_id}"
