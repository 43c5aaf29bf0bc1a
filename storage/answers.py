"""Answers kept by request id, so that a repeated command changes nothing and hears the same."""

from datetime import datetime

import msgspec
from sqlalchemy import Column, String, Table, Text, bindparam, delete, select, tuple_, update
from sqlalchemy.dialects.postgresql import insert

from storage.columns import Instant, metadata
from storage.engine import Queries
from storage.personal import personal

answers = Table(
    "answers",
    metadata,
    Column("user_id", String(36), primary_key=True),
    Column("command", String(80), primary_key=True),
    Column("request_id", String(64), primary_key=True),
    Column("payload_hash", String(64), nullable=False),
    Column("answer", Text),
    Column("about", String(100), index=True),
    Column("at", Instant, nullable=False, index=True),
    info=personal(
        goes="user_id",
        told="answer",
        held="user_id command request_id payload_hash answer about at",
    ),
)


class Answer(msgspec.Struct):
    payload_hash: str
    answer: str | None


_a = answers.c
_THIS = (
    _a.user_id == bindparam("of_user"),
    _a.command == bindparam("of_command"),
    _a.request_id == bindparam("of_request"),
)
_CLAIM = (
    insert(answers)
    .on_conflict_do_nothing(index_elements=[_a.user_id, _a.command, _a.request_id])
    .returning(_a.request_id)
)
_FIND = select(_a.payload_hash, _a.answer).where(*_THIS)
_KEEP = (
    update(answers)
    .where(*_THIS)
    .values(answer=bindparam("new_answer"), about=bindparam("new_about"))
)
_REWRITE = (
    update(answers).where(_a.about == bindparam("of_about")).values(answer=bindparam("new_answer"))
)
_DROP = delete(answers).where(*_THIS)
_OLD = (
    select(_a.user_id, _a.command, _a.request_id)
    .where(_a.at < bindparam("before"))
    .limit(bindparam("limit"))
)
_FORGET = delete(answers).where(tuple_(_a.user_id, _a.command, _a.request_id).in_(_OLD))


def claim(
    tx: Queries, user_id: str, command: str, request_id: str, payload_hash: str, at: datetime
) -> Answer | None:
    """Claim the id for this transaction (None), or give what was answered to it before."""
    values = {"user_id": user_id, "command": command, "request_id": request_id}
    if tx.scalar(_CLAIM, **values, payload_hash=payload_hash, at=at) is not None:
        return None
    return tx.one(Answer, _FIND, of_user=user_id, of_command=command, of_request=request_id)


def keep_answer(
    tx: Queries, user_id: str, command: str, request_id: str, answer: str, about: str | None
) -> None:
    """Keep the answer; `about` names what it shows, when that may have to be taken back."""
    tx.run(
        _KEEP,
        of_user=user_id,
        of_command=command,
        of_request=request_id,
        new_answer=answer,
        new_about=about,
    )


def rewrite_answers(tx: Queries, about: str, answer: str) -> None:
    """Replace every kept answer about something."""
    tx.run(_REWRITE, of_about=about, new_answer=answer)


def drop_claim(tx: Queries, user_id: str, command: str, request_id: str) -> None:
    """A refusal that keeps its change keeps no answer: the id may be used again."""
    tx.run(_DROP, of_user=user_id, of_command=command, of_request=request_id)


def forget_answers(tx: Queries, before: datetime, limit: int) -> int:
    """Delete answers given before this; how many."""
    return tx.run(_FORGET, before=before, limit=limit)
