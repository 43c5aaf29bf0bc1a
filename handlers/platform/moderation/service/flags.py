"""Flags from users: each user flags a message once, and enough flags hide it."""

from datetime import timedelta

from handlers.kit.contract import Empty
from handlers.kit.errors import NotFound, RateLimited
from handlers.kit.transaction import Transaction
from handlers.platform.chat import public as chats
from handlers.platform.chat.contracts.messages import MessageView
from handlers.platform.moderation.contracts import FlagMessage, OwnMessage
from handlers.platform.moderation.rules import ModerationRules
from handlers.platform.moderation.service.cases import (
    open_case,
    publish_changed,
    publish_opened,
    set_hidden,
)
from handlers.platform.moderation.service.records import note_decision
from handlers.platform.profile import public as profiles
from storage.platform import moderation as store
from storage.platform.moderation import CaseRow, FlagRow

HOUR = timedelta(hours=1)


def flag(tx: Transaction, ask: FlagMessage) -> Empty:
    """Flag a message; flagging it again changes nothing.

    Raises NotFound, OwnMessage or RateLimited.
    """
    profiles.lock_user(tx, tx.actor.id)  # so that the rate limit counts concurrent flags
    message = chats.hold_readable(tx, ask.message_id)
    if message.sender_id == tx.actor.id:
        raise OwnMessage
    if store.find_flag(tx, message.id, tx.actor.id) is None:
        _add(tx, message, ask)
    return Empty()


def _add(tx: Transaction, message: MessageView, ask: FlagMessage) -> None:
    known = store.lock_open_case(tx, message.id)
    if known is None and message.hidden:
        raise NotFound  # a moderator has decided, and the content is hidden
    _check_rate(tx)
    case = known or open_case(tx, message)
    store.insert_flag(tx, FlagRow(message.id, tx.actor.id, case.id, ask.reason, ask.note, tx.now))
    case.flags += 1
    case.reasons[ask.reason] = case.reasons.get(ask.reason, 0) + 1
    if case.flags >= tx.rules.of(ModerationRules).flags_to_hide and not case.hidden:
        _hide(tx, case)
    (publish_changed if known else publish_opened)(tx, case)


def _hide(tx: Transaction, case: CaseRow) -> None:
    set_hidden(tx, case, True)
    note_decision(tx, "hide_by_flags", case, "", by=None)


def _check_rate(tx: Transaction) -> None:
    recent = store.count_recent_flags(tx, tx.actor.id, tx.now - HOUR)
    if recent.count >= tx.rules.of(ModerationRules).flags_per_hour and recent.first_at is not None:
        wait = recent.first_at + HOUR - tx.now
        raise RateLimited(retry_after_s=round(wait.total_seconds(), 3))
