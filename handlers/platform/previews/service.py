"""Decisions about previews: which page to fetch, and whether to show it.

A preview contains only public text of the page, so what was fetched for one conversation can be
shown in another.
"""

from datetime import timedelta

import msgspec

from handlers.kit.transaction import Transaction
from handlers.platform.chat import public as chats
from handlers.platform.chat.contracts.messages import LinkPreview, MessageView
from handlers.platform.previews.links import first_link
from handlers.platform.previews.page import Page
from handlers.platform.previews.rules import PreviewRules
from storage.platform import previews as store
from storage.platform.previews import PageRow

KEPT = timedelta(days=1)
FAILURE_KEPT = timedelta(minutes=10)
"""Shorter, because a page that could not be fetched may soon be available."""
MINUTE = timedelta(minutes=1)


def link_to_fetch(tx: Transaction, message_id: str) -> str | None:
    """The URL to fetch for a message.

    None if it has no link, if the page is stored already (its preview is then shown), or if
    the limit is reached.
    """
    message = chats.lock_text(tx, message_id) if tx.rules.of(PreviewRules).link_previews else None
    url = first_link(message.text) if message is not None else None
    store.forget_pages_of(tx, message_id, but=_fingerprint(tx, url) if url else "")
    if message is None or url is None:
        return None
    known = store.find_page(tx, _fingerprint(tx, url))
    if known is not None and known.at > tx.now - (FAILURE_KEPT if known.page is None else KEPT):
        _show(tx, message, url, msgspec.convert(known.page, Page | None))
        return None
    return url if _may_fetch(tx, message) else None


def keep(tx: Transaction, message_id: str, url: str, page: Page | None) -> None:
    """Store what was fetched, and show it, if the message still has this link."""
    message = chats.lock_text(tx, message_id)
    if message is None or first_link(message.text) != url:
        return
    store.keep_page(tx, PageRow(_fingerprint(tx, url), message_id, page, tx.now))
    _show(tx, message, url, page)


def forget(tx: Transaction, message_id: str) -> None:
    """Delete what was fetched for a message. Other messages keep the previews that they show."""
    store.forget_pages_of(tx, message_id)


def _show(tx: Transaction, message: MessageView, url: str, page: Page | None) -> None:
    if page is not None:
        chats.show_preview(tx, message, LinkPreview(url=url, **msgspec.structs.asdict(page)))


def _may_fetch(tx: Transaction, message: MessageView) -> bool:
    """Count a fetch; whether the conversation and the sender are within the limit per minute."""
    keys = (f"chat:{message.conversation_id}", f"user:{message.sender_id}")
    counts = [store.count_one(tx, key, tx.now - MINUTE, tx.now) for key in keys]
    return max(counts) <= tx.rules.of(PreviewRules).previews_per_minute


def _fingerprint(tx: Transaction, url: str) -> str:
    return tx.keys.fingerprint("link", url)
