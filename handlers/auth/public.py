"""What neighbours, the socket shell and housekeeping need of sessions."""

from handlers.auth.passwords import check_strength, hash_password
from handlers.auth.service import get_live_actor, open_session, set_password
from handlers.auth.tokens import Claims, read_access_token
from storage.auth import forget_ended_sessions, forget_ended_tokens, forget_spent_tokens

__all__ = [
    "Claims",
    "check_strength",
    "forget_ended_sessions",
    "forget_ended_tokens",
    "forget_spent_tokens",
    "get_live_actor",
    "hash_password",
    "open_session",
    "read_access_token",
    "set_password",
]
