"""Blocks between users."""

from datetime import datetime

import msgspec
from sqlalchemy import Column, ForeignKey, String, Table, bindparam, delete, func, select, union
from sqlalchemy.dialects.postgresql import insert

from storage.engine.columns import Instant, metadata
from storage.engine.database import Queries
from storage.engine.personal import DeleteRow, Export, KeepRow, personal

blocked = Table(
    "blocked_people",
    metadata,
    Column("user_id", String(36), ForeignKey("users.id"), primary_key=True),
    Column("blocked_id", String(36), ForeignKey("users.id"), primary_key=True, index=True),
    Column("at", Instant, nullable=False),
    info=personal(
        on_erasure_of={"user_id": DeleteRow(), "blocked_id": KeepRow()},
        unchanged="blocked_id at",
        export=Export(
            file="blocked_people",
            description="The users that you blocked.",
            columns="blocked_id at",
            found_by="user_id",
        ),
        not_exported="user_id",
    ),
)


class BlockRow(msgspec.Struct):
    user_id: str
    blocked_id: str
    at: datetime


_b = blocked.c
_INSERT = insert(blocked).on_conflict_do_nothing().returning(_b.blocked_id)
_DELETE = delete(blocked).where(
    _b.user_id == bindparam("of_user"), _b.blocked_id == bindparam("of_blocked")
)
_COUNT = select(func.count()).select_from(blocked).where(_b.user_id == bindparam("of_user"))
_OF_PERSON = select(_b.blocked_id).where(_b.user_id == bindparam("of_user")).order_by(_b.blocked_id)
_AGAINST = select(_b.user_id).where(
    _b.blocked_id == bindparam("of_user"),
    _b.user_id.in_(bindparam("user_ids", expanding=True)),
)
_BLOCKED_BY = select(_b.user_id, _b.blocked_id, _b.at).where(
    _b.user_id.in_(bindparam("user_ids", expanding=True))
)
_SEPARATED = union(
    select(_b.user_id).where(
        _b.blocked_id == bindparam("of_user"), _b.user_id.in_(bindparam("they", expanding=True))
    ),
    select(_b.blocked_id).where(
        _b.user_id == bindparam("of_user"), _b.blocked_id.in_(bindparam("them", expanding=True))
    ),
)
_BETWEEN = (
    select(_b.user_id)
    .where(
        (_b.user_id == bindparam("of_user")) & _b.blocked_id.in_(bindparam("them", expanding=True))
        | (_b.blocked_id == bindparam("of_user"))
        & _b.user_id.in_(bindparam("they", expanding=True))
    )
    .limit(1)
)


def insert_block(tx: Queries, user_id: str, blocked_id: str, at: datetime) -> bool:
    """False when the block exists already."""
    return tx.scalar(_INSERT, user_id=user_id, blocked_id=blocked_id, at=at) is not None


def delete_block(tx: Queries, user_id: str, blocked_id: str) -> bool:
    """Whether the block existed."""
    return tx.run(_DELETE, of_user=user_id, of_blocked=blocked_id) == 1


def count_blocked(tx: Queries, user_id: str) -> int:
    return int(tx.scalar(_COUNT, of_user=user_id))


def list_blocked(tx: Queries, user_id: str) -> list[str]:
    """The ids of the users that this user has blocked."""
    return tx.scalars(_OF_PERSON, of_user=user_id)


def list_blockers(tx: Queries, user_id: str, among: list[str]) -> list[str]:
    """The ids of those users in `among` that have blocked this user."""
    return tx.scalars(_AGAINST, of_user=user_id, user_ids=among)


def list_blocks_by(tx: Queries, user_ids: list[str]) -> list[BlockRow]:
    """All blocks by these users."""
    return tx.all(BlockRow, _BLOCKED_BY, user_ids=user_ids)


def list_separated(tx: Queries, user_id: str, others: list[str]) -> list[str]:
    """The ids of those `others` who have blocked this user, or whom this user has blocked."""
    return tx.scalars(_SEPARATED, of_user=user_id, they=others, them=others)


def is_block_between(tx: Queries, user_id: str, others: list[str]) -> bool:
    """Whether this user has blocked one of the others, or one of them this user."""
    return tx.scalar(_BETWEEN, of_user=user_id, them=others, they=others) is not None
