"""How many events of a stream are still there for those who come back to it."""

from sqlalchemy import bindparam, func, select

from storage.engine.database import Queries
from storage.events.log import stream_events

_COUNT = select(func.count()).where(
    stream_events.c.stream == bindparam("stream"),
    stream_events.c.seq > bindparam("after"),
    stream_events.c.seq <= bindparam("upto"),
)


def count_since(tx: Queries, stream: str, after: int, upto: int) -> int:
    """How many events of `stream` are kept of those numbered in (after, upto]."""
    count: int = tx.scalar(_COUNT, stream=stream, after=after, upto=upto)
    return count
