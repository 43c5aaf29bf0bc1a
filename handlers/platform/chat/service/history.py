"""What users can read: their conversations, and messages from when they were members.

An `Interval` is one period of membership, by sequence numbers.
"""

from datetime import datetime
from typing import Any

from msgspec import structs

from handlers.kit.errors import Invalid, NotFound
from handlers.kit.paging import LAST_ID, cursor_of, fitting, position_of
from handlers.kit.transaction import Transaction
from handlers.platform.chat.contracts.conversations import (
    ConversationPage,
    ListConversations,
    ListedConversationView,
)
from handlers.platform.chat.contracts.messages import (
    HistoryView,
    MessageView,
    Reaction,
    ReadHistory,
)
from handlers.platform.chat.contracts.rooms import chat_room
from handlers.platform.chat.service.views import conversation_views, message_view, reactions_of
from rooms import names
from storage.engine.columns import instant_text
from storage.platform.chat import conversations as store
from storage.platform.chat import members as chat_members
from storage.platform.chat import messages as chat_messages
from storage.platform.chat import removals as chat_removals
from storage.platform.chat import states as chat_states
from storage.platform.chat.conversations import ListedRow
from storage.platform.chat.members import Interval
from storage.platform.chat.messages import MessageRow
from storage.platform.chat.states import StateRow

HISTORY, CONVERSATIONS = "/chat history", "/chat list"
UNREAD_MAX = 1_000
ID_TEXT = 40
"""The characters that the id of one member adds to a page."""
LATEST = "9999-01-01T00:00:00Z"


def read_history(tx: Transaction, ask: ReadHistory) -> HistoryView:
    """A page of messages before `before_seq`, from the times when the actor was a member.

    Raises NotFound when they never were.
    """
    intervals = chat_members.list_intervals(tx, ask.conversation_id, tx.actor.id)
    if not intervals:
        raise NotFound
    head = tx.head("/chat", chat_room(ask.conversation_id))
    last = _last_number(tx, ask, head)
    rows = _newest(tx, intervals, last, ask.limit + 1)
    page = fitting(rows[: ask.limit], text_of)
    return HistoryView(
        messages=shown(tx, {ask.conversation_id: intervals}, page[::-1]),
        has_more=len(rows) > len(page),
        next=cursor_of(tx, HISTORY, str(page[-1].seq)) if len(rows) > len(page) else None,
        seq=head if intervals[-1].to_seq is None else intervals[-1].to_seq,
    )


def _last_number(tx: Transaction, ask: ReadHistory, head: int) -> int:
    """The highest number that a page may have; raises Invalid."""
    if ask.before_seq is not None and ask.before is not None:
        raise Invalid(details={"path": "$.before", "expected": "no `before_seq` beside it"})
    position = position_of(tx, HISTORY, ask.before)
    before_seq = int(position[0]) if position else ask.before_seq
    return head if before_seq is None else before_seq - 1


def get_readable(tx: Transaction, message_id: str) -> MessageRow:
    """`get_accessible`, without messages that the actor deleted for themselves. Raises NotFound."""
    row = get_accessible(tx, message_id)
    if chat_removals.has_removed(tx, tx.actor.id, row.id):
        raise NotFound
    return row


def get_accessible(tx: Transaction, message_id: str) -> MessageRow:
    """A message that got its current content while the actor was a member. Raises NotFound."""
    row = chat_messages.find_message(tx, message_id)
    if row is None:
        raise NotFound
    if not may_read(chat_members.list_intervals(tx, row.conversation_id, tx.actor.id), row):
        raise NotFound
    return row


def may_read(intervals: list[Interval], row: MessageRow) -> bool:
    """Whether the message got its current content within one of the reader's intervals."""
    for interval in intervals:
        upto = row.said_seq if interval.to_seq is None else interval.to_seq
        if interval.from_seq <= row.said_seq <= upto:
            return True
    return False


def readable(
    tx: Transaction, intervals: dict[str, list[Interval]], rows: list[MessageRow]
) -> list[MessageRow]:
    """The rows that the actor can read and did not delete for themselves.

    `intervals` are the actor's, by conversation.
    """
    removed = set(chat_removals.list_removed(tx, tx.actor.id, [row.id for row in rows]))
    return [
        row
        for row in rows
        if row.id not in removed and may_read(intervals[row.conversation_id], row)
    ]


def shown(
    tx: Transaction, intervals: dict[str, list[Interval]], rows: list[MessageRow]
) -> list[MessageView]:
    """The messages as the actor sees them; without reactions where they are no longer a member."""
    here = [row.id for row in rows if intervals[row.conversation_id][-1].to_seq is None]
    reactions = reactions_of(tx, here)
    return [
        _as_received(intervals[row.conversation_id], row, reactions.get(row.id, [])) for row in rows
    ]


def text_of(row: MessageRow | MessageView) -> int:
    """The number of characters that a message adds to a page."""
    return len(row.text)


def get_message(tx: Transaction, message_id: str) -> MessageView:
    """One message that the actor can read; raises NotFound."""
    row = get_readable(tx, message_id)
    here = chat_members.list_intervals(tx, row.conversation_id, tx.actor.id)
    return shown(tx, {row.conversation_id: here}, [row])[0]


def list_conversations(tx: Transaction, ask: ListConversations) -> ConversationPage:
    """A page of the actor's conversations, or the one asked for; raises NotFound for that one."""
    if ask.only is not None:
        return _list_one(tx, ask.only)
    moment, before_id = position_of(tx, CONVERSATIONS, ask.before) or (LATEST, LAST_ID)
    before = datetime.fromisoformat(moment)
    rows = store.list_conversations(tx, tx.actor.id, ask.archived, before, before_id, ask.limit + 1)
    sizes = chat_members.count_members(tx, [row.id for row in rows])
    page = fitting(rows[: ask.limit], lambda row: ID_TEXT * sizes.get(row.id, 0))
    listed = fitting(_listed(tx, page), _text_of_listed)
    return ConversationPage(
        conversations=listed,
        next=_cursor(tx, rows[len(listed) - 1]) if len(rows) > len(listed) else None,
        seq=tx.head("/chat", names.user(tx.actor.id)),
    )


def _list_one(tx: Transaction, conversation_id: str) -> ConversationPage:
    row = store.find_listed(tx, tx.actor.id, conversation_id)
    if row is None:
        raise NotFound
    seq = tx.head("/chat", names.user(tx.actor.id))
    return ConversationPage(conversations=_listed(tx, [row]), next=None, seq=seq)


def _newest(tx: Transaction, intervals: list[Interval], last: int, limit: int) -> list[MessageRow]:
    """Messages in these intervals with numbers up to `last`, the newest first."""
    found: list[MessageRow] = []
    for interval in reversed(intervals):
        upto = last if interval.to_seq is None else min(last, interval.to_seq)
        if len(found) < limit and interval.from_seq <= upto:
            found += chat_messages.list_messages(
                tx,
                interval.conversation_id,
                tx.actor.id,
                interval.from_seq,
                upto,
                limit - len(found),
            )
    return found


def _as_received(
    intervals: list[Interval], row: MessageRow, reactions: list[Reaction]
) -> MessageView:
    """A message without content or preview that it got while the reader was not a member."""
    if intervals[-1].to_seq is not None:
        row = structs.replace(row, preview=None)
    if may_read(intervals, row):
        return message_view(row, reactions)
    return message_view(
        structs.replace(row, text="", card_kind=None, mentions=None, preview=None), reactions
    )


def _listed(tx: Transaction, rows: list[ListedRow]) -> list[ListedConversationView]:
    """The conversations as the actor sees them, in a fixed number of queries."""
    ids = [row.id for row in rows]
    unread = store.count_unread(tx, tx.actor.id, ids, UNREAD_MAX)
    last = store.list_last_messages(tx, tx.actor.id, ids)
    reactions = reactions_of(tx, [row.id for row in last.values()])
    own = chat_states.list_states(tx, tx.actor.id, ids)
    return [
        ListedConversationView(
            **structs.asdict(view),
            unread=unread[view.id],
            last_message=_last(last.get(view.id), reactions),
            **_own(own.get(view.id)),
        )
        for view in conversation_views(tx, rows)
    ]


def _last(row: MessageRow | None, reactions: dict[str, list[Reaction]]) -> MessageView | None:
    return None if row is None else message_view(row, reactions[row.id])


def _own(state: StateRow | None) -> dict[str, Any]:
    state = state or StateRow("", "")
    return {name: getattr(state, name) for name in ("muted_until", "archived", "draft")}


def _text_of_listed(view: ListedConversationView) -> int:
    last = text_of(view.last_message) if view.last_message is not None else 0
    return last + len(view.draft or "")


def _cursor(tx: Transaction, row: ListedRow) -> str:
    return cursor_of(tx, CONVERSATIONS, instant_text(row.active_at), row.id)
