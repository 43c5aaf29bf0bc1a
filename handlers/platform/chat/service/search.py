"""Search for words in messages that the user can read."""

from handlers.kit.errors import Invalid, NotFound
from handlers.kit.paging import LAST_ID, cursor_of, fitting, position_of
from handlers.kit.transaction import Transaction
from handlers.platform.chat.contracts.messages import FoundView, Search
from handlers.platform.chat.service.history import shown, text_of
from storage.platform.chat import members as chat_members
from storage.platform.chat import search as chat_search
from storage.platform.chat.members import Interval
from storage.platform.chat.search import is_behind as is_behind

FOUND = "/chat search"
SEARCHED_MAX = 1_000
"""The maximum number of membership intervals searched, those of the newest conversations."""


def search(tx: Transaction, ask: Search) -> FoundView:
    """A page of matches that the actor can read. Raises NotFound, or Invalid without a word."""
    words = chat_search.words_of(ask.text)
    if not words:
        raise Invalid(details={"path": "$.text", "expected": "a word"})
    (before,) = position_of(tx, FOUND, ask.before) or (LAST_ID,)
    intervals = _list_intervals(tx, ask.conversation_id)
    if not intervals:
        return FoundView(messages=[], next=None)
    rows = chat_search.list_matches(tx, tx.actor.id, words, list(intervals), before, ask.limit + 1)
    page = fitting(rows[: ask.limit], text_of)
    return FoundView(
        messages=shown(tx, intervals, page),
        next=cursor_of(tx, FOUND, page[-1].id) if len(rows) > len(page) else None,
    )


def catch_up(tx: Transaction) -> None:
    """Index the newest messages that wait for it."""
    chat_search.catch_up(tx)


def _list_intervals(tx: Transaction, conversation_id: str | None) -> dict[str, list[Interval]]:
    """The actor's membership intervals by conversation, in this one or in all; raises NotFound."""
    if conversation_id is not None:
        here = chat_members.list_intervals(tx, conversation_id, tx.actor.id)
        if not here:
            raise NotFound
        return {conversation_id: here}
    intervals: dict[str, list[Interval]] = {}
    for one in chat_members.list_intervals_of(tx, tx.actor.id, SEARCHED_MAX):
        intervals.setdefault(one.conversation_id, []).append(one)
    return intervals
