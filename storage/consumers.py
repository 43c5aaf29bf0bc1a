"""Which consumers this database knows: a new one may want what was stored before it came."""

from datetime import datetime

from sqlalchemy import Column, String, Table
from sqlalchemy.dialects.postgresql import insert

from storage.columns import Instant, metadata
from storage.engine import Queries
from storage.personal import not_personal

consumers = Table(
    "consumers",
    metadata,
    Column("name", String(100), primary_key=True),
    Column("known_since", Instant, nullable=False),
    info=not_personal("name known_since"),
)

_MEET = (
    insert(consumers)
    .on_conflict_do_nothing(index_elements=[consumers.c.name])
    .returning(consumers.c.name)
)


def meet_consumer(tx: Queries, name: str, now: datetime) -> bool:
    """Note the consumer; True when it is new to this database."""
    return tx.scalar(_MEET, name=name, known_since=now) is not None
