"""How a new consumer gets events for state that is older than the consumer."""

from collections.abc import Callable
from dataclasses import dataclass

from handlers.kit.contract import Event
from handlers.kit.transaction import Transaction


@dataclass(frozen=True)
class Page:
    """One page of events for a consumer, oldest first, and the cursor of the next page.

    `after` is at most 200 characters; None means that this is the last page.
    """

    events: list[Event]
    after: str | None


Rebuild = Callable[[Transaction, str, int], Page]
"""`rebuild(tx, after, limit)` returns the page after a cursor; the first cursor is empty.

It reads the tables of its own domain and builds at most `limit` events from their current state. It
must read in a fixed order and must come to an end. Each page runs in its own transaction, so a page
can repeat an event that is already queued behind it: the consumer must tolerate the repetition.
"""
