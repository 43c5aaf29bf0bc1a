"""How a consumer says what it shall hear from before it was there."""

from collections.abc import Callable
from dataclasses import dataclass

from handlers.kit.contract import Event
from handlers.kit.transaction import Transaction


@dataclass(frozen=True)
class Page:
    """Events for one consumer, older ones first, and the cursor behind them.

    `after` is at most 200 characters; None says that nothing follows.
    """

    events: list[Event]
    after: str | None


Rebuild = Callable[[Transaction, str, int], Page]
"""`rebuild(tx, after, limit)` gives the next page after a cursor, which is empty at first.

It reads the tables of its own domain and makes at most `limit` events of what they say now. It must
take cursors in a fixed order and come to an end. Each page is a transaction of its own, so a page
may tell what an event that waits behind it tells again: the consumer must bear that.
"""
