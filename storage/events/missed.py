"""Counts the stored events that a returning client missed in a stream."""

from collections.abc import Sequence

from sqlalchemy import bindparam, func, select

from storage.engine.database import Queries
from storage.events.log import events, stream_events

_MISSED = (
    stream_events.c.stream == bindparam("stream"),
    stream_events.c.seq > bindparam("after"),
    stream_events.c.seq <= bindparam("upto"),
)
_COUNT = select(func.count()).where(*_MISSED)
_OTHERS = (
    select(stream_events.c.seq)
    .join(events, events.c.id == stream_events.c.event_id)
    .where(*_MISSED, events.c.name.not_in(bindparam("names", expanding=True)))
    .limit(bindparam("limit"))
    .subquery()
)
_COUNT_OTHERS = select(func.count()).select_from(_OTHERS)


def count_since(tx: Queries, stream: str, after: int, upto: int) -> int:
    """The number of stored events of `stream` with numbers in (after, upto]."""
    count: int = tx.scalar(_COUNT, stream=stream, after=after, upto=upto)
    return count


def has_more_than(
    tx: Queries, stream: str, after: int, upto: int, number: int, besides: Sequence[str]
) -> bool:
    """Whether `stream` has more than `number` events in (after, upto].

    Events whose stored name is in `besides` do not count.
    """
    values = {"stream": stream, "after": after, "upto": upto, "names": list(besides)}
    return int(tx.scalar(_COUNT_OTHERS, **values, limit=number + 1)) > number
