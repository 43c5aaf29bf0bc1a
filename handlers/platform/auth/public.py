"""Functions for other domains and for the server: sessions, passwords and proofs of identity."""

from handlers.platform.auth.devices import where
from handlers.platform.auth.passwords import hash_password, verify_password
from handlers.platform.auth.service.devices import device_and_place
from handlers.platform.auth.service.passwords import (
    add_password,
    get_password_hash,
    has_password,
    prove_by_password,
    remove_password,
    require_strong,
    set_password,
)
from handlers.platform.auth.service.sessions import (
    end_other_sessions,
    end_sessions_of,
    get_live_actor,
    get_proof_life_s,
    has_fresh_proof,
    hold_session,
    note_proof,
    open_session,
    require_fresh_proof,
    sign_in,
)
from handlers.platform.auth.strength import check_strength
from handlers.platform.auth.tokens import Claims, read_access_token
from storage.platform.auth.sessions import note_seen

__all__ = [
    "Claims",
    "add_password",
    "check_strength",
    "device_and_place",
    "end_other_sessions",
    "end_sessions_of",
    "get_live_actor",
    "get_password_hash",
    "get_proof_life_s",
    "has_fresh_proof",
    "has_password",
    "hash_password",
    "hold_session",
    "note_proof",
    "note_seen",
    "open_session",
    "prove_by_password",
    "read_access_token",
    "remove_password",
    "require_fresh_proof",
    "require_strong",
    "set_password",
    "sign_in",
    "verify_password",
    "where",
]
