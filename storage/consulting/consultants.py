"""Consultants and the topics that they offer."""

from datetime import datetime

import msgspec
from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    ForeignKey,
    Index,
    Integer,
    String,
    Table,
    Text,
    bindparam,
    delete,
    func,
    select,
    update,
)
from sqlalchemy.dialects.postgresql import insert

from storage.engine.columns import Instant, Json, metadata
from storage.engine.database import Queries
from storage.engine.personal import ClearColumns, DeleteRow, Export, personal

consultants = Table(
    "consultants",
    metadata,
    Column("id", String(36), ForeignKey("users.id"), primary_key=True),
    Column("first_name", String(100), nullable=False),
    Column("last_name", String(100), nullable=False),
    Column("about_me", Text, nullable=False),
    Column("languages", Json, nullable=False),
    Column("country", String(2), nullable=False),
    Column("time_zone", String(64), nullable=False),
    Column("age", Integer),
    Column("gender", String(20)),
    Column("picture_id", String(36)),
    Column("status", String(20), nullable=False),
    Column("available_now", Boolean, nullable=False),
    Column("onboarded_at", Instant, nullable=False),
    Index("ix_consultants_status_id", "status", "id"),
    info=personal(
        on_erasure_of={
            "id": ClearColumns(
                {
                    "first_name": "Deleted",
                    "last_name": "account",
                    "about_me": "",
                    "languages": [],
                    "country": "",
                    "time_zone": "UTC",
                    "age": None,
                    "gender": None,
                    "picture_id": None,
                    "status": "stopped",
                    "available_now": False,
                }
            )
        },
        unchanged="id onboarded_at",
        export=Export(
            file="consultant",
            description="Your consultant profile.",
            columns="about_me languages country time_zone age gender picture_id status "
            "available_now onboarded_at",
        ),
        not_exported="id first_name last_name",
    ),
)
topics = Table(
    "topics",
    metadata,
    Column("id", String(36), primary_key=True),
    Column("consultant_id", String(36), ForeignKey("consultants.id"), nullable=False),
    Column("name", String(100), nullable=False),
    Column("description", Text, nullable=False),
    Column("rate_amount", BigInteger, nullable=False),
    Column("rate_currency", String(3), nullable=False),
    Column("minimal_duration_minutes", Integer, nullable=False),
    Column("icon_id", String(36)),
    Column("active", Boolean, nullable=False),
    Index("ix_topics_consultant_id_id", "consultant_id", "id"),
    info=personal(
        on_erasure_of={
            "consultant_id": ClearColumns(
                {
                    "name": "Deleted",
                    "description": "",
                    "icon_id": None,
                    "active": False,
                }
            )
        },
        unchanged="id consultant_id rate_amount rate_currency minimal_duration_minutes",
        export=Export(
            file="topics",
            description="The topics that you offered.",
            columns="id name description rate_amount rate_currency minimal_duration_minutes "
            "icon_id active",
        ),
        not_exported="consultant_id",
    ),
)
# The earlier status of consultants whose deletion is planned, in case they restore the account.
paused_consultants = Table(
    "paused_consultants",
    metadata,
    Column("consultant_id", String(36), ForeignKey("consultants.id"), primary_key=True),
    Column("status", String(20), nullable=False),
    info=personal(
        on_erasure_of={"consultant_id": DeleteRow()},
        not_exported="consultant_id status",
    ),
)


class ConsultantRow(msgspec.Struct):
    id: str
    first_name: str
    last_name: str
    about_me: str
    languages: list[str]
    country: str
    time_zone: str
    age: int | None
    gender: str | None
    picture_id: str | None
    status: str
    available_now: bool
    onboarded_at: datetime


class TopicRow(msgspec.Struct):
    id: str
    consultant_id: str
    name: str
    description: str
    rate_amount: int
    rate_currency: str
    minimal_duration_minutes: int
    icon_id: str | None
    active: bool


class TextsRow(msgspec.Struct):
    consultant_id: str
    characters: int


_c, _t = consultants.c, topics.c
_insert = insert(consultants)
_KEEP = _insert.on_conflict_do_update(
    index_elements=[_c.id],
    set_={c.name: _insert.excluded[c.name] for c in consultants.columns if c.name != "id"},
)
_BEGIN = _insert.on_conflict_do_update(
    index_elements=[_c.id],
    set_={c.name: _insert.excluded[c.name] for c in consultants.columns if c.name != "id"},
    where=_c.status == "stopped",
)
_FIND = select(consultants).where(_c.id == bindparam("consultant_id"))
_LOCK = _FIND.with_for_update()
_SHARE = _FIND.with_for_update(read=True)
_paused_insert = insert(paused_consultants)
_KEEP_PAUSED = _paused_insert.on_conflict_do_update(
    index_elements=[paused_consultants.c.consultant_id],
    set_={"status": _paused_insert.excluded.status},
)
_TAKE_PAUSED = (
    delete(paused_consultants)
    .where(paused_consultants.c.consultant_id == bindparam("of_consultant"))
    .returning(paused_consultants.c.status)
)
_LIST = (
    select(consultants)
    .where(_c.status == "active", _c.id < bindparam("before"))
    .order_by(_c.id.desc())
    .limit(bindparam("limit"))
)
_INSERT_TOPIC = insert(topics)
_FIND_TOPIC = select(topics).where(_t.id == bindparam("topic_id"))
_TOPICS = (
    select(topics)
    .where(_t.consultant_id.in_(bindparam("consultant_ids", expanding=True)), _t.active.is_(True))
    .order_by(_t.id)
)
TOPIC_TEXT = 300
"""The characters of a topic besides its name and description."""
_TEXTS = (
    select(
        _t.consultant_id,
        func.sum(func.length(_t.name) + func.length(_t.description) + TOPIC_TEXT),
    )
    .where(_t.consultant_id.in_(bindparam("consultant_ids", expanding=True)), _t.active.is_(True))
    .group_by(_t.consultant_id)
)
_COUNT_TOPICS = select(func.count()).where(
    _t.consultant_id == bindparam("of_consultant"), _t.active.is_(True)
)
_UPDATE_TOPIC = (
    update(topics)
    .where(_t.id == bindparam("topic_id"))
    .values(
        **{
            c.name: bindparam(f"new_{c.name}")
            for c in topics.columns
            if c.name not in ("id", "consultant_id")
        }
    )
)


def begin_consulting(tx: Queries, row: ConsultantRow) -> bool:
    """Insert a consultant, or replace one who stopped; returns False if they did not stop."""
    return tx.run(_BEGIN, **msgspec.structs.asdict(row)) == 1


def keep_consultant(tx: Queries, row: ConsultantRow) -> None:
    """Insert or replace a consultant."""
    tx.run(_KEEP, **msgspec.structs.asdict(row))


def find_consultant(tx: Queries, consultant_id: str) -> ConsultantRow | None:
    return tx.one(ConsultantRow, _FIND, consultant_id=consultant_id)


def lock_consultant(tx: Queries, consultant_id: str) -> ConsultantRow | None:
    """The row, locked until the commit; None if it does not exist."""
    return tx.one(ConsultantRow, _LOCK, consultant_id=consultant_id)


def share_consultant(tx: Queries, consultant_id: str) -> ConsultantRow | None:
    """The row, with a shared lock until the commit; None if it does not exist."""
    return tx.one(ConsultantRow, _SHARE, consultant_id=consultant_id)


def list_active(tx: Queries, before: str, limit: int) -> list[ConsultantRow]:
    """Active consultants, the newest ids first."""
    return tx.all(ConsultantRow, _LIST, before=before, limit=limit)


def count_topics(tx: Queries, consultant_id: str) -> int:
    """The number of active topics of a consultant."""
    count: int = tx.scalar(_COUNT_TOPICS, of_consultant=consultant_id)
    return count


def insert_topic(tx: Queries, row: TopicRow) -> None:
    tx.run(_INSERT_TOPIC, **msgspec.structs.asdict(row))


def find_topic(tx: Queries, topic_id: str) -> TopicRow | None:
    return tx.one(TopicRow, _FIND_TOPIC, topic_id=topic_id)


def list_topics(tx: Queries, consultant_ids: list[str]) -> list[TopicRow]:
    """The active topics of these consultants, oldest first."""
    return tx.all(TopicRow, _TOPICS, consultant_ids=consultant_ids)


def sum_topic_texts(tx: Queries, consultant_ids: list[str]) -> dict[str, int]:
    """The number of characters in the active topics, by consultant."""
    rows = tx.all(TextsRow, _TEXTS, consultant_ids=consultant_ids)
    return {row.consultant_id: int(row.characters) for row in rows}


def update_topic(tx: Queries, row: TopicRow) -> None:
    values = msgspec.structs.asdict(row)
    values.pop("consultant_id")
    topic_id = values.pop("id")
    tx.run(_UPDATE_TOPIC, topic_id=topic_id, **{f"new_{k}": v for k, v in values.items()})


def keep_paused(tx: Queries, consultant_id: str, status: str) -> None:
    """Save the status from before a planned deletion paused the consultant."""
    tx.run(_KEEP_PAUSED, consultant_id=consultant_id, status=status)


def take_paused(tx: Queries, consultant_id: str) -> str | None:
    """Delete and return the saved status; None if the consultant was not paused."""
    status: str | None = tx.scalar(_TAKE_PAUSED, of_consultant=consultant_id)
    return status
