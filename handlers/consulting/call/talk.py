"""Talked time: the seconds in which both participants were connected.

The order of events does not affect the result.
"""

from collections.abc import Iterable
from datetime import datetime

Span = tuple[datetime, datetime]


def talked_seconds(student: Iterable[Span], consultant: Iterable[Span]) -> int:
    """The whole seconds that both sides share; a side is the union of its devices' spans."""
    total = 0.0
    theirs = union(consultant)
    for start, end in union(student):
        for other_start, other_end in theirs:
            both = min(end, other_end) - max(start, other_start)
            total += max(both.total_seconds(), 0.0)
    return int(total)


def union(spans: Iterable[Span]) -> list[Span]:
    """The spans merged without overlaps, in order; spans that end before they start are ignored."""
    joined: list[Span] = []
    for start, end in sorted(span for span in spans if span[1] > span[0]):
        if joined and start <= joined[-1][1]:
            joined[-1] = (joined[-1][0], max(end, joined[-1][1]))
        else:
            joined.append((start, end))
    return joined
