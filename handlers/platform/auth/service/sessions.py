"""Decisions about sessions: opening, refreshing, listing and ending them."""

from msgspec import UNSET, UnsetType

from handlers.kit.contract import Empty
from handlers.kit.errors import NotFound
from handlers.kit.kernel import Actor
from handlers.kit.life import SessionEnded
from handlers.kit.transaction import Transaction
from handlers.platform.auth import tokens
from handlers.platform.auth.contracts import (
    AuthSuccess,
    OpenSession,
    ProofNeeded,
    RefreshReused,
    SessionDue,
    SessionEnd,
    SessionList,
    SessionRevoked,
    SessionView,
    TokenInvalid,
)
from handlers.platform.auth.rules import AuthRules
from handlers.platform.auth.service import devices, guesses
from handlers.platform.profile import public as profiles
from storage.platform.auth import sessions as store
from storage.platform.auth.sessions import SessionRow, TokenRow

SESSIONS_MAX = 200
"""Sessions of one user, so that one answer can list and one transaction can end all of them. The
least recently seen ones end first."""


def sign_in(
    tx: Transaction, user_id: str, method: str, device_token: str | UnsetType = UNSET
) -> SessionView:
    """Open a session for a user who proved their identity by `method` (`password`, a provider).

    A device is known by its token, or by its name on the same network. The device of a sign-up
    does not count as new.
    """
    known = devices.find_known(tx, user_id, device_token)
    is_known = known is not None or devices.is_familiar(tx, user_id)
    session = _create(tx, user_id, known.id if known else None)
    success = AuthSuccess(
        user_id=user_id,
        session_id=session.id,
        device=session.device_name,
        method=method,
        place=session.place or session.address,
        new_device=not is_known and not _is_new(tx, user_id),
    )
    tx.publish(success)
    return _issue_tokens(tx, session)


def open_session(tx: Transaction, user_id: str) -> SessionView:
    """Open a session on an unknown device."""
    return _issue_tokens(tx, _create(tx, user_id, None))


def refresh(tx: Transaction, refresh_token: str) -> SessionView:
    """Spend a refresh token and issue its successor.

    A spent token returns the same successor again, but only within `refresh_repeat_s` and while the
    successor is unused. So a lost answer does not end the session. Any other reuse ends it and
    raises RefreshReused (ASVS 10.4.5).
    """
    token, session = _token_and_session(tx, refresh_token)
    if session.ended_at is not None or session.expires_at <= tx.now:
        raise SessionRevoked
    if token.used_at is None:
        successor = tokens.make_refresh_token()
        spent = store.spend_token(
            tx, token.hash, tx.now, tokens.hash_of(successor), tx.keys.seal(successor)
        )
        if spent:
            store.insert_token(tx, tokens.hash_of(successor), session.id, tx.now)
            _prolong(tx, session)
            _note_device_seen(tx, session)
            return _view(tx, session, successor)
        token, session = _token_and_session(tx, refresh_token)  # a concurrent request spent it
    if _may_repeat(tx, token):
        return _view(tx, session, tx.keys.open(token.successor_sealed or ""))
    end_session(tx, session.id, session.user_id, "refresh_reused")
    devices.distrust_one(tx, session.device_id)
    raise RefreshReused


def log_out(tx: Transaction, refresh_token: str) -> Empty:
    _, session = _token_and_session(tx, refresh_token)
    end_session(tx, session.id, session.user_id, "logout")
    return Empty()


def end_unless_refreshed(tx: Transaction, session_id: str) -> None:
    """End an expired session. If it was refreshed meanwhile, set the timer again."""
    session = store.lock_session(tx, session_id)
    if session is None or session.ended_at is not None:
        return
    if session.expires_at > tx.now:
        _expire_later(tx, session)
    else:
        end_session(tx, session.id, session.user_id, "expired")


def end_session(tx: Transaction, session_id: str, user_id: str, reason: SessionEnd) -> None:
    """End a session once; all instances notify and close its connections."""
    if store.end_session(tx, session_id, tx.now, reason):
        tx.cancel_timer(f"session:{session_id}")
        tx.publish(SessionEnded(session_id=session_id, user_id=user_id, reason=reason))


def end_other_sessions(tx: Transaction, reason: SessionEnd) -> None:
    """End all other sessions of the actor; only the device of the current one stays known."""
    for session_id in store.list_live_sessions(tx, tx.actor.id):
        if session_id != tx.actor.session_id:
            end_session(tx, session_id, tx.actor.id, reason)
    current = store.find_session(tx, tx.actor.session_id)
    devices.distrust_all(tx, tx.actor.id, but=(current and current.device_id) or "")


def end_sessions_of(
    tx: Transaction, user_id: str, reason: SessionEnd, *, kept_device: str = ""
) -> None:
    """End all sessions of a user; of their devices, at most `kept_device` stays known."""
    for session_id in store.list_live_sessions(tx, user_id):
        end_session(tx, session_id, user_id, reason)
    devices.distrust_all(tx, user_id, but=kept_device)


def end_one(tx: Transaction, session_id: str) -> Empty:
    """End one of the actor's own sessions and make its device unknown.

    Ending an ended session changes nothing. Raises NotFound.
    """
    session = store.find_session(tx, session_id)
    if session is None or session.user_id != tx.actor.id:
        raise NotFound
    end_session(tx, session_id, tx.actor.id, "ended_elsewhere")
    devices.distrust_one(tx, session.device_id)
    return Empty()


def end_others(tx: Transaction) -> Empty:
    end_other_sessions(tx, "ended_elsewhere")
    return Empty()


def list_sessions(tx: Transaction) -> SessionList:
    """The actor's open sessions, the most recently seen first."""
    rows = store.list_open_sessions(tx, tx.actor.id, tx.now, SESSIONS_MAX)
    return SessionList(
        sessions=[
            OpenSession(
                id=row.id,
                device=row.device_name,
                address=row.address,
                place=row.place,
                signed_in_at=row.created_at,
                last_seen_at=row.seen_at,
                current=row.id == tx.actor.session_id,
            )
            for row in rows
        ],
        guesses=guesses.find_guesses(tx),
    )


def note_proof(tx: Transaction) -> None:
    """Record that the actor has just proved their identity in this session."""
    store.note_proof(tx, tx.actor.session_id, tx.now)


def has_fresh_proof(tx: Transaction) -> bool:
    """Whether the actor proved their identity in this session within `fresh_proof_s`."""
    session = store.find_session(tx, tx.actor.session_id)
    return session is not None and session.proved_at + tx.rules.span("fresh_proof_s") > tx.now


def get_proof_life_s(tx: Transaction) -> int:
    """How long a proof of identity counts as fresh, in seconds."""
    return tx.rules.of(AuthRules).fresh_proof_s


def require_fresh_proof(tx: Transaction) -> None:
    """Raises ProofNeeded unless the session has a fresh proof of identity."""
    if not has_fresh_proof(tx):
        raise ProofNeeded


def hold_session(tx: Transaction) -> None:
    """Lock the actor's session until the commit.

    A concurrent transaction that ends the session waits, and then sees what this one wrote. Raises
    SessionRevoked when the session has ended, even if its connection is still open.
    """
    session = store.lock_session(tx, tx.actor.session_id)
    if session is None or session.ended_at is not None:
        raise SessionRevoked


def get_live_actor(tx: Transaction, claims: tokens.Claims, session_id: str | None) -> Actor:
    """The user of a token's session, with their current roles.

    Raises TokenInvalid, also when a `session_id` is given and the token belongs to another session,
    and SessionRevoked.
    """
    if session_id is not None and claims.sid != session_id:
        raise TokenInvalid("This connection belongs to another session.")
    session = store.find_session(tx, claims.sid)
    if session is None or session.user_id != claims.sub:
        raise TokenInvalid
    if session.ended_at is not None or session.expires_at <= tx.now:
        raise SessionRevoked
    user = profiles.get_user(tx, session.user_id)
    return Actor(user.id, session.id, frozenset(user.roles))


def _create(tx: Transaction, user_id: str, device_id: str | None) -> SessionRow:
    """Store a new session, and make its device known."""
    session = SessionRow(
        id=tx.new_id(),
        user_id=user_id,
        device=tx.origin.device,
        device_name=devices.device_and_place(tx)[0],
        address=tx.origin.address,
        place=tx.kernel.places.find(tx.origin.address),
        created_at=tx.now,
        refreshed_at=tx.now,
        seen_at=tx.now,
        proved_at=tx.now,
        expires_at=tx.now + tx.rules.span("refresh_token_life_days"),
        ended_at=None,
        end_reason=None,
        device_id=devices.get_or_make(tx, user_id, device_id).id,
    )
    store.insert_session(tx, session)
    for session_id in store.list_beyond(tx, user_id, SESSIONS_MAX):
        end_session(tx, session_id, user_id, "too_many")
    _expire_later(tx, session)
    return session


def _is_new(tx: Transaction, user_id: str) -> bool:
    """Whether this transaction created the user."""
    return profiles.get_user(tx, user_id).created_at == tx.now


def _issue_tokens(tx: Transaction, session: SessionRow) -> SessionView:
    """Issue the first tokens of a new session."""
    refresh_token = tokens.make_refresh_token()
    store.insert_token(tx, tokens.hash_of(refresh_token), session.id, tx.now)
    return _view(tx, session, refresh_token)


def _token_and_session(tx: Transaction, refresh_token: str) -> tuple[TokenRow, SessionRow]:
    token = store.find_token(tx, tokens.hash_of(refresh_token))
    session = store.lock_session(tx, token.session_id) if token else None
    if token is None or session is None:
        raise TokenInvalid
    return token, session


def _may_repeat(tx: Transaction, token: TokenRow) -> bool:
    if token.used_at is None or token.successor_hash is None:
        return False
    successor = store.find_token(tx, token.successor_hash)
    recent = tx.now - token.used_at <= tx.rules.span("refresh_repeat_s")
    return recent and successor is not None and successor.used_at is None


def _prolong(tx: Transaction, session: SessionRow) -> None:
    session.expires_at = tx.now + tx.rules.span("refresh_token_life_days")
    store.prolong_session(tx, session.id, tx.now, session.expires_at)
    _expire_later(tx, session)


def _note_device_seen(tx: Transaction, session: SessionRow) -> None:
    """Mark the session's device as seen; a device made unknown meanwhile becomes known again."""
    device = devices.get_or_make(tx, session.user_id, session.device_id)
    if device.id != session.device_id:
        session.device_id = device.id
        store.set_session_device(tx, session.id, device.id)


def _expire_later(tx: Transaction, session: SessionRow) -> None:
    due = SessionDue(user_id=session.user_id, session_id=session.id, expires_at=session.expires_at)
    tx.publish_later(due, session.expires_at, f"session:{session.id}")


def _view(tx: Transaction, session: SessionRow, refresh_token: str) -> SessionView:
    life = tx.rules.span("access_token_life_s")
    return SessionView(
        access_token=tokens.make_access_token(tx.keys, session.user_id, session.id, tx.now, life),
        access_expires_in_s=tx.rules.of(AuthRules).access_token_life_s,
        refresh_token=refresh_token,
        device_token=devices.token_for(tx, session.user_id, session.device_id or ""),
        user=profiles.get_user(tx, session.user_id),
    )
