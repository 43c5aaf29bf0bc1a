"""Memberships in conversations: from which sequence number to which, and in which role."""

from collections.abc import Mapping
from typing import Literal

import msgspec
from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    ForeignKey,
    Index,
    String,
    Table,
    bindparam,
    func,
    select,
    update,
)
from sqlalchemy.dialects.postgresql import insert

from storage.engine.columns import metadata
from storage.engine.database import Queries
from storage.engine.personal import Export, KeepRow, personal

members = Table(
    "conversation_members",
    metadata,
    Column("conversation_id", String(36), ForeignKey("conversations.id"), primary_key=True),
    Column("user_id", String(36), ForeignKey("users.id"), primary_key=True),
    Column("from_seq", BigInteger, primary_key=True),
    Column("to_seq", BigInteger),
    Column("role", String(10), nullable=False),
    Column("closed", Boolean, nullable=False),
    info=personal(
        on_erasure_of={"user_id": KeepRow()},
        unchanged="conversation_id user_id from_seq to_seq role closed",
        export=Export(
            file="memberships",
            description="When you were a member of a conversation (event numbers), and your role.",
            columns="conversation_id from_seq to_seq role",
        ),
        not_exported="user_id closed",
    ),
)
IN_NOW = members.c.to_seq.is_(None)
Index("ix_conversation_members_user_id", members.c.user_id, members.c.conversation_id)
Index(
    "ix_conversation_members_once",
    members.c.conversation_id,
    members.c.user_id,
    unique=True,
    sqlite_where=IN_NOW,
    postgresql_where=IN_NOW,
)
Role = Literal["owner", "member"]


class Interval(msgspec.Struct):
    """A user was a member from number `from_seq` to `to_seq` (None: still is)."""

    conversation_id: str
    user_id: str
    from_seq: int
    to_seq: int | None


class Count(msgspec.Struct):
    conversation_id: str
    members: int


class Member(msgspec.Struct):
    """A current member of a conversation."""

    conversation_id: str
    user_id: str
    from_seq: int
    role: Role


class Membership(msgspec.Struct):
    """A user's current membership in a conversation.

    `closed` marks a direct conversation in which one of the two has blocked the other.
    """

    from_seq: int
    role: Role
    closed: bool


_m = members.c
_JOIN = insert(members)
_LEAVE = (
    update(members)
    .where(
        _m.conversation_id == bindparam("of_conversation"),
        _m.user_id == bindparam("of_user"),
        IN_NOW,
    )
    .values(to_seq=bindparam("new_to_seq"))
)
_GIVE_ROLE = (
    update(members)
    .where(
        _m.conversation_id == bindparam("of_conversation"),
        _m.user_id == bindparam("of_user"),
        IN_NOW,
    )
    .values(role=bindparam("new_role"))
)
_CLOSE = (
    update(members)
    .where(_m.conversation_id == bindparam("of_conversation"))
    .values(closed=bindparam("new_closed"))
)
_OTHER_OWNER = (
    select(_m.user_id)
    .where(
        _m.conversation_id == bindparam("of_conversation"),
        _m.user_id != bindparam("but_user"),
        _m.role == "owner",
        IN_NOW,
    )
    .limit(1)
)
_INTERVALS = (
    select(_m.conversation_id, _m.user_id, _m.from_seq, _m.to_seq)
    .where(_m.conversation_id == bindparam("of_conversation"), _m.user_id == bindparam("of_user"))
    .order_by(_m.from_seq)
)
_PRESENT = select(_m.user_id).where(
    _m.conversation_id == bindparam("of_conversation"),
    _m.from_seq <= bindparam("at_seq"),
    IN_NOW | (_m.to_seq >= bindparam("at_seq")),
)
_OF_PERSON = (
    select(_m.conversation_id, _m.user_id, _m.from_seq, _m.to_seq)
    .where(_m.user_id == bindparam("of_user"))
    .order_by(_m.conversation_id.desc(), _m.from_seq)
    .limit(bindparam("limit"))
)
_FROM_SEQ = select(_m.from_seq).where(
    _m.conversation_id == bindparam("of_conversation"), _m.user_id == bindparam("of_user"), IN_NOW
)
_MEMBERSHIP = (
    select(_m.from_seq, _m.role, _m.closed)
    .where(_m.conversation_id == bindparam("of_conversation"), _m.user_id == bindparam("of_user"))
    .where(IN_NOW)
)
_HOLD_MEMBERSHIP = _MEMBERSHIP.with_for_update(key_share=True)
_COUNT_IN = (
    select(func.count())
    .select_from(members)
    .where(
        _m.conversation_id == bindparam("of_conversation"),
        _m.user_id.in_(bindparam("user_ids", expanding=True)),
        IN_NOW,
    )
)
_FIRST_IN = (
    select(_m.user_id)
    .where(_m.conversation_id == bindparam("of_conversation"), IN_NOW)
    .limit(bindparam("limit"))
    .subquery()
)
_COUNT_FIRST = select(func.count()).select_from(_FIRST_IN)
_COUNTS = (
    select(_m.conversation_id, func.count())
    .where(_m.conversation_id.in_(bindparam("conversation_ids", expanding=True)), IN_NOW)
    .group_by(_m.conversation_id)
)
_MEMBERS = (
    select(_m.conversation_id, _m.user_id, _m.from_seq, _m.role)
    .where(_m.conversation_id.in_(bindparam("conversation_ids", expanding=True)), IN_NOW)
    .order_by(_m.user_id)
)


def insert_members(
    tx: Queries, conversation_id: str, roles: Mapping[str, Role], from_seq: int
) -> None:
    """Add users with their roles, by user id, from number `from_seq` on."""
    joined = {"conversation_id": conversation_id, "from_seq": from_seq, "closed": False}
    rows = [{**joined, "user_id": user_id, "role": role} for user_id, role in roles.items()]
    tx.run_many(_JOIN, rows)


def close(tx: Queries, conversation_id: str, closed: bool) -> None:
    """Close a direct conversation for new messages, or open it again."""
    tx.run(_CLOSE, of_conversation=conversation_id, new_closed=closed)


def give_role(tx: Queries, conversation_id: str, user_id: str, role: Role) -> None:
    tx.run(_GIVE_ROLE, of_conversation=conversation_id, of_user=user_id, new_role=role)


def has_other_owner(tx: Queries, conversation_id: str, user_id: str) -> bool:
    """Whether another current member is an owner."""
    found = tx.scalar(_OTHER_OWNER, of_conversation=conversation_id, but_user=user_id)
    return found is not None


def end_membership(tx: Queries, conversation_id: str, user_id: str, to_seq: int) -> bool:
    """Whether the user was a member."""
    values = {"of_conversation": conversation_id, "of_user": user_id}
    return tx.run(_LEAVE, **values, new_to_seq=to_seq) == 1


def list_intervals(tx: Queries, conversation_id: str, user_id: str) -> list[Interval]:
    """All intervals of a user in a conversation, in order."""
    return tx.all(Interval, _INTERVALS, of_conversation=conversation_id, of_user=user_id)


def list_intervals_of(tx: Queries, user_id: str, limit: int) -> list[Interval]:
    """The intervals of a user in all conversations, those of the newest conversations first."""
    return tx.all(Interval, _OF_PERSON, of_user=user_id, limit=limit)


def list_present(tx: Queries, conversation_id: str, seq: int) -> set[str]:
    """The ids of the users who were members at number `seq`."""
    return set(tx.scalars(_PRESENT, of_conversation=conversation_id, at_seq=seq))


def find_from_seq(tx: Queries, conversation_id: str, user_id: str) -> int | None:
    """The number from which the user is a member; None when they are not."""
    found: int | None = tx.scalar(_FROM_SEQ, of_conversation=conversation_id, of_user=user_id)
    return found


def find_membership(tx: Queries, conversation_id: str, user_id: str) -> Membership | None:
    """A user's current membership; None when they are not a member."""
    return tx.one(Membership, _MEMBERSHIP, of_conversation=conversation_id, of_user=user_id)


def are_in(tx: Queries, conversation_id: str, user_ids: list[str]) -> bool:
    """Whether all of these distinct users are members."""
    found = tx.scalar(_COUNT_IN, of_conversation=conversation_id, user_ids=user_ids)
    return int(found) == len(user_ids)


def hold_membership(tx: Queries, conversation_id: str, user_id: str) -> Membership | None:
    """A user's current membership, locked until the commit; None when they are not a member."""
    return tx.one(Membership, _HOLD_MEMBERSHIP, of_conversation=conversation_id, of_user=user_id)


def count_members(tx: Queries, conversation_ids: list[str]) -> dict[str, int]:
    """The number of current members by conversation; without conversations that have none."""
    rows = tx.all(Count, _COUNTS, conversation_ids=conversation_ids)
    return {row.conversation_id: row.members for row in rows}


def has_more_than(tx: Queries, conversation_id: str, number: int) -> bool:
    """Whether a conversation has more than `number` members, without counting the others."""
    counted = tx.scalar(_COUNT_FIRST, of_conversation=conversation_id, limit=number + 1)
    return int(counted) > number


def list_members(tx: Queries, conversation_ids: list[str]) -> list[Member]:
    """The current members of these conversations."""
    return tx.all(Member, _MEMBERS, conversation_ids=conversation_ids)
