"""Counts the stored events that a returning client missed in a stream."""

from sqlalchemy import bindparam, func, select

from storage.engine.database import Queries
from storage.events.log import stream_events

_COUNT = select(func.count()).where(
    stream_events.c.stream == bindparam("stream"),
    stream_events.c.seq > bindparam("after"),
    stream_events.c.seq <= bindparam("upto"),
)


def count_since(tx: Queries, stream: str, after: int, upto: int) -> int:
    """The number of stored events of `stream` with numbers in (after, upto]."""
    count: int = tx.scalar(_COUNT, stream=stream, after=after, upto=upto)
    return count
