"""Credentials, sessions and refresh tokens. Tokens are stored only as hashes."""

from datetime import datetime

import msgspec
from sqlalchemy import (
    Column,
    ForeignKey,
    String,
    Table,
    Text,
    bindparam,
    delete,
    exists,
    select,
    update,
)
from sqlalchemy.dialects.postgresql import insert

from storage.engine.columns import Instant, metadata
from storage.engine.database import Queries
from storage.engine.personal import DeleteRow, Export, personal

credentials = Table(
    "credentials",
    metadata,
    Column("user_id", String(36), ForeignKey("users.id"), primary_key=True),
    Column("password_hash", Text, nullable=False),
    Column("set_at", Instant, nullable=False),
    info=personal(
        on_erasure_of={"user_id": DeleteRow()},
        not_exported="user_id password_hash set_at",
        erased_at_closing=True,
    ),
)
sessions = Table(
    "sessions",
    metadata,
    Column("id", String(36), primary_key=True),
    Column("user_id", String(36), ForeignKey("users.id"), nullable=False, index=True),
    Column("device", String(200), nullable=False),
    Column("device_name", String(100), nullable=False),
    Column("address", String(64), nullable=False),
    Column("place", String(200), nullable=False),
    Column("created_at", Instant, nullable=False),
    Column("refreshed_at", Instant, nullable=False),
    Column("seen_at", Instant, nullable=False),
    Column("proved_at", Instant, nullable=False),
    Column("expires_at", Instant, nullable=False),
    Column("ended_at", Instant, index=True),
    Column("end_reason", String(40)),
    Column("device_id", String(36)),
    info=personal(
        on_erasure_of={"user_id": DeleteRow()},
        export=Export(
            file="sessions",
            description="The devices and places where you were signed in.",
            columns="device device_name address place created_at refreshed_at seen_at proved_at "
            "expires_at ended_at end_reason",
        ),
        not_exported="id user_id device_id",
    ),
)
refresh_tokens = Table(
    "refresh_tokens",
    metadata,
    Column("hash", String(64), primary_key=True),
    Column("session_id", String(36), ForeignKey("sessions.id"), nullable=False, index=True),
    Column("issued_at", Instant, nullable=False),
    Column("used_at", Instant, index=True),
    Column("successor_hash", String(64)),
    Column("successor_sealed", Text),
    info=personal(
        on_erasure_of={"session_id": DeleteRow()},
        not_exported="hash session_id issued_at used_at successor_hash successor_sealed",
        found_through={"session_id": "sessions.id"},
    ),
)


class SessionRow(msgspec.Struct):
    id: str
    user_id: str
    device: str
    device_name: str
    address: str
    place: str
    created_at: datetime
    refreshed_at: datetime
    seen_at: datetime
    proved_at: datetime
    expires_at: datetime
    ended_at: datetime | None
    end_reason: str | None
    device_id: str | None


class TokenRow(msgspec.Struct):
    hash: str
    session_id: str
    issued_at: datetime
    used_at: datetime | None
    successor_hash: str | None
    successor_sealed: str | None


_credential = insert(credentials)
_SET_PASSWORD = _credential.on_conflict_do_update(
    index_elements=[credentials.c.user_id],
    set_={
        "password_hash": _credential.excluded.password_hash,
        "set_at": _credential.excluded.set_at,
    },
)
_PASSWORD = select(credentials.c.password_hash).where(credentials.c.user_id == bindparam("of_user"))
_DELETE_PASSWORD = delete(credentials).where(credentials.c.user_id == bindparam("of_user"))
_LOCK_PASSWORD = _PASSWORD.with_for_update()
_s = sessions.c
_INSERT_SESSION = insert(sessions)
_SESSION = select(sessions).where(_s.id == bindparam("session_id"))
_LOCK_SESSION = _SESSION.with_for_update()
_LIVE_OF_USER = select(_s.id).where(_s.user_id == bindparam("of_user"), _s.ended_at.is_(None))
_BEYOND = (
    _LIVE_OF_USER.order_by(_s.seen_at.desc(), _s.id.desc()).limit(1_000).offset(bindparam("kept"))
)
_ADDRESSES = (
    select(_s.address)
    .where(
        _s.user_id == bindparam("of_user"),
        _s.device_name == bindparam("of_device"),
        _s.seen_at > bindparam("after"),
    )
    .distinct()
    .limit(1_000)
)
_SET_DEVICE = (
    update(sessions)
    .where(_s.id == bindparam("session_id"))
    .values(device_id=bindparam("new_device_id"))
)
_OPEN_OF_USER = (
    select(sessions)
    .where(
        _s.user_id == bindparam("of_user"),
        _s.ended_at.is_(None),
        _s.expires_at > bindparam("now"),
    )
    .order_by(_s.seen_at.desc(), _s.id.desc())
    .limit(bindparam("limit"))
)
_SEEN = (
    update(sessions)
    .where(_s.id.in_(bindparam("session_ids", expanding=True)))
    .values(seen_at=bindparam("now"))
)
_END = (
    update(sessions)
    .where(_s.id == bindparam("session_id"), _s.ended_at.is_(None))
    .values(ended_at=bindparam("new_ended_at"), end_reason=bindparam("new_reason"))
)
_PROLONG = (
    update(sessions)
    .where(_s.id == bindparam("session_id"))
    .values(
        refreshed_at=bindparam("now"),
        seen_at=bindparam("now"),
        expires_at=bindparam("new_expires_at"),
    )
)
_PROVE = update(sessions).where(_s.id == bindparam("session_id")).values(proved_at=bindparam("now"))
_t = refresh_tokens.c
_INSERT_TOKEN = insert(refresh_tokens)
_TOKEN = select(refresh_tokens).where(_t.hash == bindparam("token_hash"))
_SPEND = (
    update(refresh_tokens)
    .where(_t.hash == bindparam("token_hash"), _t.used_at.is_(None))
    .values(
        used_at=bindparam("now"),
        successor_hash=bindparam("new_successor_hash"),
        successor_sealed=bindparam("new_successor_sealed"),
    )
)
_SPENT = select(_t.hash).where(_t.used_at < bindparam("before")).limit(bindparam("limit"))
_FORGET_SPENT = delete(refresh_tokens).where(_t.hash.in_(_SPENT))
_OF_ENDED = (
    select(_t.hash)
    .join(sessions, _s.id == _t.session_id)
    .where(_s.ended_at < bindparam("before"))
    .limit(bindparam("limit"))
)
_FORGET_OF_ENDED = delete(refresh_tokens).where(_t.hash.in_(_OF_ENDED))
_ENDED = (
    select(_s.id)
    .where(_s.ended_at < bindparam("before"), ~exists().where(_t.session_id == _s.id))
    .limit(bindparam("limit"))
)
_FORGET_ENDED = delete(sessions).where(_s.id.in_(_ENDED))


def set_password(tx: Queries, user_id: str, password_hash: str, now: datetime) -> None:
    tx.run(_SET_PASSWORD, user_id=user_id, password_hash=password_hash, set_at=now)


def find_password(tx: Queries, user_id: str) -> str | None:
    """The hash, or None for a user without a password."""
    found: str | None = tx.scalar(_PASSWORD, of_user=user_id)
    return found


def lock_password(tx: Queries, user_id: str) -> str | None:
    """The hash, locked until the commit."""
    found: str | None = tx.scalar(_LOCK_PASSWORD, of_user=user_id)
    return found


def delete_password(tx: Queries, user_id: str) -> bool:
    """Whether the user had a password."""
    return tx.run(_DELETE_PASSWORD, of_user=user_id) == 1


def insert_session(tx: Queries, session: SessionRow) -> None:
    tx.run(_INSERT_SESSION, **msgspec.structs.asdict(session))


def find_session(tx: Queries, session_id: str) -> SessionRow | None:
    return tx.one(SessionRow, _SESSION, session_id=session_id)


def lock_session(tx: Queries, session_id: str) -> SessionRow | None:
    """The session, locked until the commit."""
    return tx.one(SessionRow, _LOCK_SESSION, session_id=session_id)


def list_live_sessions(tx: Queries, user_id: str) -> list[str]:
    return tx.scalars(_LIVE_OF_USER, of_user=user_id)


def list_beyond(tx: Queries, user_id: str, kept: int) -> list[str]:
    """The ids of a user's least recently seen live sessions, all but the first `kept`."""
    return tx.scalars(_BEYOND, of_user=user_id, kept=kept)


def list_open_sessions(tx: Queries, user_id: str, now: datetime, limit: int) -> list[SessionRow]:
    """A user's sessions that have neither ended nor expired, the most recently seen first."""
    return tx.all(SessionRow, _OPEN_OF_USER, of_user=user_id, now=now, limit=limit)


def list_addresses(tx: Queries, user_id: str, device_name: str, after: datetime) -> list[str]:
    """The addresses of this user's sessions on devices of this name, seen after a moment."""
    return tx.scalars(_ADDRESSES, of_user=user_id, of_device=device_name, after=after)


def set_session_device(tx: Queries, session_id: str, device_id: str) -> None:
    tx.run(_SET_DEVICE, session_id=session_id, new_device_id=device_id)


def note_seen(tx: Queries, session_ids: list[str], now: datetime) -> None:
    """Mark these sessions as seen now."""
    tx.run(_SEEN, session_ids=session_ids, now=now)


def end_session(tx: Queries, session_id: str, now: datetime, reason: str) -> bool:
    """Whether the session was still live."""
    return tx.run(_END, session_id=session_id, new_ended_at=now, new_reason=reason) == 1


def prolong_session(tx: Queries, session_id: str, now: datetime, expires_at: datetime) -> None:
    tx.run(_PROLONG, session_id=session_id, now=now, new_expires_at=expires_at)


def note_proof(tx: Queries, session_id: str, now: datetime) -> None:
    """Record that the user has just proved their identity in this session."""
    tx.run(_PROVE, session_id=session_id, now=now)


def insert_token(tx: Queries, token_hash: str, session_id: str, now: datetime) -> None:
    tx.run(_INSERT_TOKEN, hash=token_hash, session_id=session_id, issued_at=now)


def find_token(tx: Queries, token_hash: str) -> TokenRow | None:
    return tx.one(TokenRow, _TOKEN, token_hash=token_hash)


def spend_token(
    tx: Queries, token_hash: str, now: datetime, successor_hash: str, successor_sealed: str
) -> bool:
    """Spend a token and record its successor; False when it was spent already."""
    return (
        tx.run(
            _SPEND,
            token_hash=token_hash,
            now=now,
            new_successor_hash=successor_hash,
            new_successor_sealed=successor_sealed,
        )
        == 1
    )


def forget_spent_tokens(tx: Queries, before: datetime, limit: int) -> int:
    """Delete refresh tokens spent before then; returns how many."""
    return tx.run(_FORGET_SPENT, before=before, limit=limit)


def forget_ended_tokens(tx: Queries, before: datetime, limit: int) -> int:
    """Delete the refresh tokens of sessions that ended before then; returns how many."""
    return tx.run(_FORGET_OF_ENDED, before=before, limit=limit)


def forget_ended_sessions(tx: Queries, before: datetime, limit: int) -> int:
    """Delete sessions that ended before then and have no refresh tokens left; returns how many."""
    return tx.run(_FORGET_ENDED, before=before, limit=limit)
