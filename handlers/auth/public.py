"""What neighbours, the socket shell and housekeeping need of sessions."""

from handlers.auth.passwords import check_strength, hash_password, verify_password
from handlers.auth.service import (
    end_other_sessions,
    get_live_actor,
    get_password_hash,
    has_password,
    note_proof,
    open_session,
    prove_by_password,
    remove_password,
    require_fresh_proof,
    set_password,
    sign_in,
)
from handlers.auth.tokens import Claims, read_access_token
from storage.auth import forget_ended_sessions, forget_ended_tokens, forget_spent_tokens

__all__ = [
    "Claims",
    "check_strength",
    "end_other_sessions",
    "forget_ended_sessions",
    "forget_ended_tokens",
    "forget_spent_tokens",
    "get_live_actor",
    "get_password_hash",
    "has_password",
    "hash_password",
    "note_proof",
    "open_session",
    "prove_by_password",
    "read_access_token",
    "remove_password",
    "require_fresh_proof",
    "set_password",
    "sign_in",
    "verify_password",
]
