"""What neighbours and the socket shell need of sessions."""

from handlers.auth.passwords import check_strength, hash_password
from handlers.auth.service import get_live_actor, open_session, set_password
from handlers.auth.tokens import Claims, read_access_token

__all__ = [
    "Claims",
    "check_strength",
    "get_live_actor",
    "hash_password",
    "open_session",
    "read_access_token",
    "set_password",
]
