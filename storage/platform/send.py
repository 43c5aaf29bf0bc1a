"""Dispatches: messages to send and what became of them; and the channels that are paused.

The content is encrypted, and so is the address. It is found by its keyed hash.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

import msgspec
from sqlalchemy import (
    Boolean,
    Column,
    ColumnElement,
    Executable,
    Index,
    Integer,
    String,
    Table,
    Text,
    bindparam,
    delete,
    desc,
    func,
    select,
    true,
    union,
    update,
)
from sqlalchemy.dialects.postgresql import insert

from storage.engine.columns import Instant, metadata
from storage.engine.database import Queries
from storage.engine.personal import ClearColumns, DeleteRow, Export, not_personal, personal

dispatches = Table(
    "dispatches",
    metadata,
    Column("id", String(36), primary_key=True),
    Column("channel", String(20), nullable=False),
    Column("kind", String(40), nullable=False),
    Column("notification_id", String(36)),
    Column("user_id", String(36)),
    Column("about_id", String(36), index=True),
    Column("cause_id", String(36), index=True),
    Column("to_hash", String(64), nullable=False, server_default=""),
    Column("sealed_to", Text, nullable=False, server_default=""),
    Column("sealed", Text, nullable=False),
    Column("secret", Boolean, nullable=False, server_default=true()),
    Column("status", String(20), nullable=False),
    Column("attempts", Integer, nullable=False),
    Column("reason", String(40)),
    Column("reply", Text),
    Column("created_at", Instant, nullable=False),
    Column("next_at", Instant),
    Column("tried_at", Instant),
    Column("deferred_since", Instant),
    Column("expires_at", Instant),
    Column("done_at", Instant, index=True),
    Index("ix_dispatches_status_id", "status", "id"),
    Index("ix_dispatches_user_id_id", "user_id", "id"),
    Index("ix_dispatches_to_hash_id", "to_hash", "id"),
    info=personal(
        on_erasure_of={"user_id": DeleteRow(), "about_id": ClearColumns({"sealed": ""})},
        unchanged="id channel kind notification_id about_id cause_id to_hash sealed_to secret "
        "status attempts reason reply created_at next_at tried_at deferred_since expires_at "
        "done_at",
        export=Export(
            file="mails",
            description="The mails of the last weeks that were sent to you, without their content.",
            columns="channel kind status attempts reason created_at tried_at done_at",
            found_by="user_id",
        ),
        not_exported="id notification_id user_id about_id cause_id to_hash sealed_to sealed secret "
        "reply next_at deferred_since expires_at",
        erased_at_closing=True,
    ),
)
_OPEN = dispatches.c.next_at.is_not(None)
Index(
    "ix_dispatches_next_at",
    dispatches.c.next_at,
    sqlite_where=_OPEN,
    postgresql_where=_OPEN,
)
paused_channels = Table(
    "paused_channels",
    metadata,
    Column("channel", String(20), primary_key=True),
    Column("paused_at", Instant, nullable=False),
    Column("reason", String(40), nullable=False),
    Column("reply", Text, nullable=False),
    Column("probes", Integer, nullable=False),
    info=not_personal("channel paused_at reason reply probes"),
)


class Dispatch(msgspec.Struct):
    """A message and what became of it.

    `user_id` is the recipient, if the address belongs to an account; `about_id` the user named in
    the text. `sealed` is the content, empty once it was deleted; `secret` content must not be sent
    again. While `waiting`, it is tried at `next_at`, unless its channel is paused; later, that is
    None.
    """

    id: str
    channel: str
    kind: str
    notification_id: str | None
    user_id: str | None
    about_id: str | None
    cause_id: str | None
    to_hash: str
    sealed_to: str
    sealed: str
    secret: bool
    status: str
    attempts: int
    reason: str | None
    reply: str | None
    created_at: datetime
    next_at: datetime | None
    tried_at: datetime | None
    deferred_since: datetime | None
    expires_at: datetime | None
    done_at: datetime | None


class PausedChannel(msgspec.Struct):
    """A channel that cannot send anything, since when and why, and the number of probes since."""

    channel: str
    paused_at: datetime
    reason: str
    reply: str
    probes: int


class Waiting(msgspec.Struct):
    """The number of waiting dispatches of a channel, and the creation of the oldest one."""

    channel: str
    dispatches: int
    oldest_at: datetime


_d, _c = dispatches.c, paused_channels.c
WAITING = "waiting"
_CHANGING = (
    *("sealed_to", "sealed", "status", "attempts", "reason", "reply"),
    *("next_at", "tried_at", "deferred_since", "expires_at", "done_at"),
)
_INSERT = insert(dispatches).on_conflict_do_nothing(index_elements=[_d.id])
_FIND = select(dispatches).where(_d.id == bindparam("dispatch_id"))
_LOCK = _FIND.with_for_update()
_UPDATE = (
    update(dispatches)
    .where(_d.id == bindparam("dispatch_id"))
    .values(**{name: bindparam(f"new_{name}") for name in _CHANGING})
)
_OLD = select(_d.id).where(_d.done_at < bindparam("before")).limit(bindparam("limit"))
_FORGET = delete(dispatches).where(_d.id.in_(_OLD))
_DUE = (
    select(_d.id, _d.notification_id)
    .where(
        _d.status == WAITING,
        _d.id > bindparam("after"),
        _d.channel == bindparam("of_channel"),
        _d.next_at <= bindparam("now"),
    )
    .order_by(_d.id)
    .limit(bindparam("limit"))
)
_NEXT = (
    select(_d.id, _d.notification_id)
    .where(_d.channel == bindparam("of_channel"), _d.next_at <= bindparam("now"))
    .order_by(_d.next_at, _d.id)
    .limit(1)
)
_TURN = (
    update(dispatches)
    .where(_d.id == bindparam("dispatch_id"), _d.status == WAITING)
    .values(next_at=bindparam("now"))
)
_SENT_SINCE = (
    select(_d.id)
    .where(
        _d.done_at > bindparam("since"), _d.status == "sent", _d.channel == bindparam("of_channel")
    )
    .limit(1)
)
_WAITING = (
    select(_d.channel, func.count(), func.min(_d.created_at))
    .where(_d.status == WAITING)
    .group_by(_d.channel)
)
_BEFORE = _d.id < bindparam("before")
_IN_STATES = _d.status.in_(bindparam("states", expanding=True))


def _newest(rows: Any) -> Executable:
    return rows.order_by(desc("id")).limit(bindparam("limit"))  # type: ignore[no-any-return]


def _of(condition: ColumnElement[bool]) -> Any:
    return select(dispatches).where(condition, _BEFORE, _IN_STATES)


_LIST = _newest(select(dispatches).where(_BEFORE))
_LIST_IN_STATE = _newest(select(dispatches).where(_d.status == bindparam("of_status"), _BEFORE))
_LIST_OF_EVENT = _newest(_of(_d.cause_id == bindparam("of_event")))
_LIST_OF_PERSON = _newest(
    union(_of(_d.user_id == bindparam("of_user")), _of(_d.to_hash == bindparam("of_hash")))
)
_ENDED = (
    select(_d.id)
    .where(
        _d.status == bindparam("of_status"),
        _d.id > bindparam("after"),
        _d.done_at >= bindparam("since"),
    )
    .order_by(_d.id)
    .limit(bindparam("limit"))
)
_PAUSE = (
    insert(paused_channels)
    .on_conflict_do_nothing(index_elements=[_c.channel])
    .returning(_c.channel)
)
_FIND_PAUSED = select(paused_channels).where(_c.channel == bindparam("of_channel"))
_LOCK_PAUSED = _FIND_PAUSED.with_for_update()
_LIST_PAUSED = select(paused_channels)
_NOTE_PROBE = (
    update(paused_channels)
    .where(_c.channel == bindparam("of_channel"))
    .values(probes=bindparam("new_probes"))
)
_NOTE_FAULT = (
    update(paused_channels)
    .where(_c.channel == bindparam("of_channel"))
    .values(reason=bindparam("new_reason"), reply=bindparam("new_reply"))
)
_RESUME = (
    delete(paused_channels).where(_c.channel == bindparam("of_channel")).returning(_c.paused_at)
)


class DueDispatch(msgspec.Struct):
    """A waiting dispatch whose time has come."""

    id: str
    notification_id: str | None


# Dispatches.


def insert_dispatch(tx: Queries, dispatch: Dispatch) -> None:
    tx.run(_INSERT, **msgspec.structs.asdict(dispatch))


def find_dispatch(tx: Queries, dispatch_id: str) -> Dispatch | None:
    return tx.one(Dispatch, _FIND, dispatch_id=dispatch_id)


def lock_dispatch(tx: Queries, dispatch_id: str) -> Dispatch | None:
    """The row, locked until the commit."""
    return tx.one(Dispatch, _LOCK, dispatch_id=dispatch_id)


def update_dispatch(tx: Queries, dispatch: Dispatch) -> None:
    """Save the columns of a dispatch that can change."""
    values = {f"new_{name}": getattr(dispatch, name) for name in _CHANGING}
    tx.run(_UPDATE, dispatch_id=dispatch.id, **values)


def forget_dispatches(tx: Queries, before: datetime, limit: int) -> int:
    """Delete dispatches that ended before this time; returns how many."""
    return tx.run(_FORGET, before=before, limit=limit)


def list_due(tx: Queries, channel: str, now: datetime, after: str, limit: int) -> list[DueDispatch]:
    """The waiting dispatches of a channel that are due, with ids after `after`, oldest first."""
    return tx.all(DueDispatch, _DUE, of_channel=channel, now=now, after=after, limit=limit)


def take_next(tx: Queries, channel: str, now: datetime) -> DueDispatch | None:
    """The due dispatch of a channel that waits longest since its last turn; this is a turn."""
    found = tx.one(DueDispatch, _NEXT, of_channel=channel, now=now)
    if found is not None:
        tx.run(_TURN, dispatch_id=found.id, now=now)
    return found


def was_sent_since(tx: Queries, channel: str, since: datetime) -> bool:
    """Whether a channel handed over any dispatch after this time."""
    return tx.scalar(_SENT_SINCE, of_channel=channel, since=since) is not None


def list_waiting(tx: Queries) -> list[Waiting]:
    """The numbers of waiting dispatches, by channel."""
    return tx.all(Waiting, _WAITING)


def list_dispatches(tx: Queries, status: str | None, before: str, limit: int) -> list[Dispatch]:
    """The dispatches with ids below `before`, or those with one status, newest first."""
    if status is None:
        return tx.all(Dispatch, _LIST, before=before, limit=limit)
    return tx.all(Dispatch, _LIST_IN_STATE, of_status=status, before=before, limit=limit)


def list_of_event(
    tx: Queries, event_id: str, states: Sequence[str], before: str, limit: int
) -> list[Dispatch]:
    """The dispatches that an event caused, newest first."""
    return tx.all(
        Dispatch, _LIST_OF_EVENT, of_event=event_id, states=states, before=before, limit=limit
    )


def list_of_person(
    tx: Queries, user_id: str, to_hash: str, states: Sequence[str], before: str, limit: int
) -> list[Dispatch]:
    """The dispatches to a user, and those to the address with this hash, newest first."""
    values = {"states": states, "before": before, "limit": limit}
    return tx.all(Dispatch, _LIST_OF_PERSON, of_user=user_id, of_hash=to_hash, **values)


def list_ended(tx: Queries, status: str, since: datetime, after: str, limit: int) -> list[str]:
    """The ids after `after` of dispatches that ended with this status since this time."""
    return tx.scalars(_ENDED, of_status=status, since=since, after=after, limit=limit)


# Paused channels.


def pause_channel(tx: Queries, paused: PausedChannel) -> bool:
    """Record that a channel is paused; returns False if it is already."""
    return tx.scalar(_PAUSE, **msgspec.structs.asdict(paused)) is not None


def find_paused(tx: Queries, channel: str) -> PausedChannel | None:
    return tx.one(PausedChannel, _FIND_PAUSED, of_channel=channel)


def lock_paused(tx: Queries, channel: str) -> PausedChannel | None:
    """The row, locked until the commit."""
    return tx.one(PausedChannel, _LOCK_PAUSED, of_channel=channel)


def list_paused(tx: Queries) -> list[PausedChannel]:
    return tx.all(PausedChannel, _LIST_PAUSED)


def note_probe(tx: Queries, channel: str, probes: int) -> None:
    """Save the number of probes."""
    tx.run(_NOTE_PROBE, of_channel=channel, new_probes=probes)


def note_fault(tx: Queries, channel: str, reason: str, reply: str) -> None:
    """Save the latest fault of a paused channel."""
    tx.run(_NOTE_FAULT, of_channel=channel, new_reason=reason, new_reply=reply)


def resume_channel(tx: Queries, channel: str) -> datetime | None:
    """Delete the record of a pause; returns since when the channel was paused, None if not."""
    since: datetime | None = tx.scalar(_RESUME, of_channel=channel)
    return since
