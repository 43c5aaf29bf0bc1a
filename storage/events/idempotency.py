"""Idempotency keys: the outcome of each `request_id`, so that a repeated command has one effect.

A row is *pending* while `answer` is null and *done* afterwards. A pending row belongs to one
attempt, its `holder`, until `leased_until`; after that, any attempt may take it over.
"""

from datetime import datetime
from typing import Any, NamedTuple

import msgspec
from sqlalchemy import Column, String, Table, Text, bindparam, delete, select, tuple_, update
from sqlalchemy.dialects.postgresql import insert

from storage.engine.columns import Instant, Json, metadata
from storage.engine.database import Queries
from storage.engine.personal import DeleteRow, KeptJson, personal

idempotency_keys = Table(
    "idempotency_keys",
    metadata,
    Column("user_id", String(36), primary_key=True),
    Column("command", String(80), primary_key=True),
    Column("request_id", String(64), primary_key=True),
    Column("payload_hash", String(64), nullable=False),
    Column("holder", String(36), nullable=False),
    Column("leased_until", Instant),
    Column("steps", Json),
    Column("answer", Text),
    Column("about", String(100), index=True),
    Column("at", Instant, nullable=False, index=True),
    info=personal(
        on_erasure_of={"user_id": DeleteRow()},
        not_exported="user_id command request_id payload_hash holder leased_until steps answer "
        "about at",
        kept_json=KeptJson("answer steps", command_in="command", steps="steps"),
    ),
)


class Key(NamedTuple):
    """The key of a request: request ids are unique for each user and command."""

    user_id: str
    command: str
    request_id: str


class Claim(msgspec.Struct):
    """The state of a key. `steps` has the stored value of each step as JSON, by its name."""

    payload_hash: str
    holder: str
    leased_until: datetime | None
    steps: dict[str, str] | None
    answer: str | None


_k = idempotency_keys.c
_THIS = (
    _k.user_id == bindparam("of_user"),
    _k.command == bindparam("of_command"),
    _k.request_id == bindparam("of_request"),
)
_HELD = (*_THIS, _k.holder == bindparam("held_by"), _k.answer.is_(None))
_INSERT = (
    insert(idempotency_keys)
    .on_conflict_do_nothing(index_elements=[_k.user_id, _k.command, _k.request_id])
    .returning(_k.request_id)
)
_LOCK = (
    select(_k.payload_hash, _k.holder, _k.leased_until, _k.steps, _k.answer)
    .where(*_THIS)
    .with_for_update()
)
_HOLD = (
    update(idempotency_keys)
    .where(*_THIS)
    .values(holder=bindparam("new_holder"), leased_until=bindparam("new_until"))
)
_KEEP_STEPS = update(idempotency_keys).where(*_THIS).values(steps=bindparam("new_steps"))
_KEEP_ANSWER = (
    update(idempotency_keys)
    .where(*_THIS)
    .values(
        answer=bindparam("new_answer"),
        about=bindparam("new_about"),
        steps=None,
        leased_until=None,
    )
)
_LEASE = update(idempotency_keys).where(*_HELD).values(leased_until=bindparam("new_until"))
_REWRITE = (
    update(idempotency_keys)
    .where(_k.about == bindparam("of_about"))
    .values(answer=bindparam("new_answer"))
)
_DELETE = delete(idempotency_keys).where(*_THIS)
_OLD = (
    select(_k.user_id, _k.command, _k.request_id)
    .where(_k.at < bindparam("before"))
    .limit(bindparam("limit"))
)
_FORGET = delete(idempotency_keys).where(tuple_(_k.user_id, _k.command, _k.request_id).in_(_OLD))


def insert_claim(
    tx: Queries,
    key: Key,
    payload_hash: str,
    holder: str,
    leased_until: datetime | None,
    at: datetime,
) -> bool:
    """Claim an unused key; returns False if it already has a row.

    Waits for a concurrent transaction that inserts the same key.
    """
    made = tx.scalar(
        _INSERT,
        **key._asdict(),
        payload_hash=payload_hash,
        holder=holder,
        leased_until=leased_until,
        at=at,
    )
    return made is not None


def lock_claim(tx: Queries, key: Key) -> Claim | None:
    """The row of a key, locked until the commit."""
    return tx.one(Claim, _LOCK, **_this(key))


def hold_claim(tx: Queries, key: Key, holder: str, leased_until: datetime | None) -> None:
    """Assign the key to this attempt."""
    tx.run(_HOLD, **_this(key), new_holder=holder, new_until=leased_until)


def lease_claim(tx: Queries, key: Key, holder: str, leased_until: datetime | None) -> bool:
    """Extend the lease of a pending key, or end it (None).

    Returns False if another attempt holds the key.
    """
    return tx.run(_LEASE, **_this(key), held_by=holder, new_until=leased_until) == 1


def keep_steps(tx: Queries, key: Key, steps: dict[str, str]) -> None:
    tx.run(_KEEP_STEPS, **_this(key), new_steps=steps)


def keep_answer(tx: Queries, key: Key, answer: str, about: str | None) -> None:
    """Store the answer, which completes the key.

    `about` names the subject of the answer, if its text may have to be replaced later.
    """
    tx.run(_KEEP_ANSWER, **_this(key), new_answer=answer, new_about=about)


def rewrite_answers(tx: Queries, about: str, answer: str) -> None:
    """Replace every stored answer about this subject."""
    tx.run(_REWRITE, of_about=about, new_answer=answer)


def delete_claim(tx: Queries, key: Key) -> None:
    """Delete the key, so that it can be used again."""
    tx.run(_DELETE, **_this(key))


def forget_keys(tx: Queries, before: datetime, limit: int) -> int:
    """Delete keys first used before `before`; returns the number of deleted keys."""
    return tx.run(_FORGET, before=before, limit=limit)


def _this(key: Key) -> dict[str, Any]:
    return {"of_user": key.user_id, "of_command": key.command, "of_request": key.request_id}
