"""Identities at providers, attempts to sign in with a provider, and the resulting tickets.

States and tickets are stored only as hashes; their data is sealed.
"""

from datetime import datetime

import msgspec
from sqlalchemy import (
    Boolean,
    Column,
    ForeignKey,
    Index,
    String,
    Table,
    Text,
    bindparam,
    delete,
    select,
    update,
)
from sqlalchemy.dialects.postgresql import insert

from storage.engine.columns import Instant, metadata
from storage.engine.database import Queries
from storage.engine.personal import DeleteRow, Export, not_personal, personal

identities = Table(
    "identities",
    metadata,
    Column("id", String(36), primary_key=True),
    Column("issuer", String(500), nullable=False),
    Column("subject", String(255), nullable=False),
    Column("user_id", String(36), ForeignKey("users.id"), nullable=False, index=True),
    Column("provider", String(40), nullable=False),
    Column("email", String(254)),
    Column("linked_at", Instant, nullable=False),
    Index("uq_identities_issuer_subject", "issuer", "subject", unique=True),
    info=personal(
        on_erasure_of={"user_id": DeleteRow()},
        export=Export(
            file="sign_in_methods",
            description="Your sign-in methods with external providers.",
            columns="provider issuer subject email linked_at",
        ),
        not_exported="id user_id",
        erased_at_closing=True,
    ),
)
oauth_attempts = Table(
    "oauth_attempts",
    metadata,
    Column("state_hash", String(64), primary_key=True),
    Column("browser_hash", String(64), nullable=False),
    Column("provider", String(40), nullable=False),
    Column("sealed", Text, nullable=False),
    Column("expires_at", Instant, nullable=False, index=True),
    info=not_personal("state_hash browser_hash provider sealed expires_at"),
)
oauth_tickets = Table(
    "oauth_tickets",
    metadata,
    Column("hash", String(64), primary_key=True),
    Column("challenge", String(43)),
    Column("fresh", Boolean, nullable=False),
    Column("sealed", Text, nullable=False),
    Column("expires_at", Instant, nullable=False, index=True),
    info=not_personal("hash challenge fresh sealed expires_at"),
)


class IdentityRow(msgspec.Struct):
    id: str
    issuer: str
    subject: str
    user_id: str
    provider: str
    email: str | None
    linked_at: datetime


class AttemptRow(msgspec.Struct):
    state_hash: str
    browser_hash: str
    provider: str
    sealed: str
    expires_at: datetime


class TicketRow(msgspec.Struct):
    hash: str
    challenge: str | None
    fresh: bool
    sealed: str
    expires_at: datetime


_i, _a, _t = identities.c, oauth_attempts.c, oauth_tickets.c
_INSERT = insert(identities).on_conflict_do_nothing().returning(_i.id)
_LOCK = (
    select(identities)
    .where(_i.issuer == bindparam("of_issuer"), _i.subject == bindparam("of_subject"))
    .with_for_update()
)
_OF_USER = select(identities).where(_i.user_id == bindparam("of_user")).order_by(_i.linked_at)
_MINE = (_i.id == bindparam("identity_id"), _i.user_id == bindparam("of_user"))
_DELETE = delete(identities).where(*_MINE)
_NOTE_EMAIL = (
    update(identities).where(_i.id == bindparam("identity_id")).values(email=bindparam("new_email"))
)
_INSERT_ATTEMPT = insert(oauth_attempts)
_TAKE_ATTEMPT = (
    delete(oauth_attempts)
    .where(
        _a.state_hash == bindparam("of_state"),
        _a.browser_hash.in_(bindparam("of_browsers", expanding=True)),
        _a.provider == bindparam("of_provider"),
    )
    .returning(oauth_attempts)
)
_INSERT_TICKET = insert(oauth_tickets)
_LOCK_TICKET = select(oauth_tickets).where(_t.hash == bindparam("ticket_hash")).with_for_update()
_DELETE_TICKET = delete(oauth_tickets).where(_t.hash == bindparam("ticket_hash"))
_OLD_ATTEMPTS = (
    select(_a.state_hash).where(_a.expires_at < bindparam("before")).limit(bindparam("limit"))
)
_FORGET_ATTEMPTS = delete(oauth_attempts).where(_a.state_hash.in_(_OLD_ATTEMPTS))
_OLD_TICKETS = select(_t.hash).where(_t.expires_at < bindparam("before")).limit(bindparam("limit"))
_FORGET_TICKETS = delete(oauth_tickets).where(_t.hash.in_(_OLD_TICKETS))


def insert_identity(tx: Queries, identity: IdentityRow) -> bool:
    """False when the identity belongs to a user already."""
    return tx.scalar(_INSERT, **msgspec.structs.asdict(identity)) is not None


def lock_identity(tx: Queries, issuer: str, subject: str) -> IdentityRow | None:
    """The identity, locked until the commit.

    A concurrent transaction that removes it waits, and then sees the session that this one opens.
    """
    return tx.one(IdentityRow, _LOCK, of_issuer=issuer, of_subject=subject)


def list_identities(tx: Queries, user_id: str) -> list[IdentityRow]:
    """A user's identities, the oldest first."""
    return tx.all(IdentityRow, _OF_USER, of_user=user_id)


def note_email(tx: Queries, identity_id: str, email: str | None) -> None:
    """Store the user's address at the provider, which is only shown."""
    tx.run(_NOTE_EMAIL, identity_id=identity_id, new_email=email)


def delete_identity(tx: Queries, identity_id: str, user_id: str) -> bool:
    """Whether this user had this identity."""
    return tx.run(_DELETE, identity_id=identity_id, of_user=user_id) == 1


def insert_attempt(tx: Queries, attempt: AttemptRow) -> None:
    tx.run(_INSERT_ATTEMPT, **msgspec.structs.asdict(attempt))


def take_attempt(
    tx: Queries, state_hash: str, browser_hashes: list[str], provider: str
) -> AttemptRow | None:
    """Delete and return the attempt of this state with one of these keys of the browser."""
    return tx.one(
        AttemptRow,
        _TAKE_ATTEMPT,
        of_state=state_hash,
        of_browsers=browser_hashes,
        of_provider=provider,
    )


def insert_ticket(tx: Queries, ticket: TicketRow) -> None:
    tx.run(_INSERT_TICKET, **msgspec.structs.asdict(ticket))


def lock_ticket(tx: Queries, ticket_hash: str) -> TicketRow | None:
    """The ticket, locked until the commit, so two transactions cannot both spend it."""
    return tx.one(TicketRow, _LOCK_TICKET, ticket_hash=ticket_hash)


def delete_ticket(tx: Queries, ticket_hash: str) -> None:
    tx.run(_DELETE_TICKET, ticket_hash=ticket_hash)


def forget_attempts(tx: Queries, before: datetime, limit: int) -> int:
    """Delete attempts that expired before then; returns how many."""
    return tx.run(_FORGET_ATTEMPTS, before=before, limit=limit)


def forget_tickets(tx: Queries, before: datetime, limit: int) -> int:
    """Delete tickets that expired before then; returns how many."""
    return tx.run(_FORGET_TICKETS, before=before, limit=limit)
