"""Fetches a linked page after a message with the link was sent, if the setting is on."""

import structlog

from handlers.kit.context import Context
from handlers.kit.rules import Rules
from handlers.kit.transaction import Transaction
from handlers.platform.chat.contracts.messages import MessageDeleted, MessageEdited, MessageSent
from handlers.platform.previews import previews, service
from handlers.platform.previews.fetch import Busy, NoPage
from handlers.platform.previews.links import first_link
from handlers.platform.previews.page import Page
from handlers.platform.previews.rules import PreviewRules

log = structlog.get_logger("previews")


def may_contain_link(rules: Rules, event: MessageSent | MessageEdited) -> bool:
    """Whether to process a message. An edited one always: it may have lost its link."""
    if not rules.of(PreviewRules).link_previews or event.message.kind != "text":
        return False
    return isinstance(event, MessageEdited) or first_link(event.message.text) is not None


def is_enabled(rules: Rules, event: MessageDeleted) -> bool:
    return rules.of(PreviewRules).link_previews


@previews.consumer(MessageSent, MessageEdited, outbound=True, filter=may_contain_link)
async def look_up_the_link(ctx: Context, event: MessageSent | MessageEdited) -> None:
    """Fetch the page that a message links to, and show its preview.

    It may fetch a page twice, but it stores a failure and does not retry it.
    """
    url = await ctx.transact(service.link_to_fetch, event.message.id)
    if url is None:
        return
    sender_id = event.message.sender_id or event.message.conversation_id
    try:
        page: Page | None = await ctx.kernel.pages.get_page(sender_id, url)
    except Busy:
        return
    except NoPage as error:
        log.info("no_page", why=str(error))
        page = None
    await ctx.transact(service.keep, event.message.id, url, page)


@previews.consumer(MessageDeleted, filter=is_enabled)
def forget_the_page(tx: Transaction, event: MessageDeleted) -> None:
    """Delete what was fetched for a deleted message."""
    service.forget(tx, event.message.id)
