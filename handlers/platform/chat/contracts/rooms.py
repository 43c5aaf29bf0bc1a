"""The rooms of /chat."""


def chat_room(conversation_id: str) -> str:
    """The room of one conversation."""
    return f"chat:{conversation_id}"
