"""Reactions: the emojis that users put on messages."""

from datetime import datetime

import msgspec
from sqlalchemy import Column, ForeignKey, String, Table, bindparam, delete, func, select
from sqlalchemy.dialects.postgresql import insert

from storage.engine.columns import Instant, metadata
from storage.engine.database import Queries
from storage.engine.personal import DeleteRow, Export, personal

reactions = Table(
    "message_reactions",
    metadata,
    Column("message_id", String(36), ForeignKey("messages.id"), primary_key=True),
    Column("user_id", String(36), primary_key=True, index=True),
    Column("emoji", String(40), primary_key=True),
    Column("at", Instant, nullable=False),
    info=personal(
        on_erasure_of={"user_id": DeleteRow()},
        export=Export(
            file="reactions",
            description="Your reactions to messages.",
            columns="message_id emoji at",
        ),
        not_exported="user_id",
        erased_by="chat",
    ),
)


class ReactionRow(msgspec.Struct):
    message_id: str
    user_id: str
    emoji: str
    at: datetime


class NamedReaction(msgspec.Struct):
    """A user who put an emoji on a message, and how many users did."""

    message_id: str
    user_id: str
    emoji: str
    people: int


_r = reactions.c
_INSERT = insert(reactions).on_conflict_do_nothing().returning(_r.emoji)
_DELETE = delete(reactions).where(
    _r.message_id == bindparam("of_message"),
    _r.user_id == bindparam("of_user"),
    _r.emoji == bindparam("of_emoji"),
)
_DELETE_ALL = delete(reactions).where(_r.message_id == bindparam("of_message"))
_SAME = (_r.message_id, _r.emoji)
_RANKED = (
    select(
        _r.message_id,
        _r.user_id,
        _r.emoji,
        _r.at,
        func.count().over(partition_by=_SAME).label("people"),
        func.row_number().over(partition_by=_SAME, order_by=(_r.at, _r.user_id)).label("place"),
    )
    .where(_r.message_id.in_(bindparam("message_ids", expanding=True)))
    .subquery()
)
_OF_MESSAGES = (
    select(_RANKED.c.message_id, _RANKED.c.user_id, _RANKED.c.emoji, _RANKED.c.people)
    .where(_RANKED.c.place <= bindparam("named"))
    .order_by(_RANKED.c.at, _RANKED.c.user_id, _RANKED.c.emoji)
)

_OF_USER = select(reactions).where(_r.user_id == bindparam("of_user")).limit(bindparam("limit"))


def insert_reaction(tx: Queries, reaction: ReactionRow) -> bool:
    """False when the reaction exists already."""
    return tx.scalar(_INSERT, **msgspec.structs.asdict(reaction)) is not None


def delete_reaction(tx: Queries, message_id: str, user_id: str, emoji: str) -> bool:
    """Whether the reaction existed."""
    return tx.run(_DELETE, of_message=message_id, of_user=user_id, of_emoji=emoji) == 1


def delete_reactions(tx: Queries, message_id: str) -> None:
    tx.run(_DELETE_ALL, of_message=message_id)


def list_reactions(tx: Queries, message_ids: list[str], named: int) -> list[NamedReaction]:
    """The first `named` users of each emoji on each of these messages, the oldest first."""
    if not message_ids:
        return []
    return tx.all(NamedReaction, _OF_MESSAGES, message_ids=message_ids, named=named)


def list_reactions_of(tx: Queries, user_id: str, limit: int) -> list[ReactionRow]:
    """Reactions of a user, on any messages."""
    return tx.all(ReactionRow, _OF_USER, of_user=user_id, limit=limit)
