"""The doors of /chat for who reads."""

from handlers.chat import chat
from handlers.chat.contracts.marks import MoveMark
from handlers.chat.contracts.messages import (
    GetMedia,
    GetMessage,
    HistoryView,
    MediaLinks,
    MessageView,
    ReadHistory,
)
from handlers.chat.service import history, marks, media
from handlers.kit.context import Context
from handlers.kit.contract import Empty
from handlers.uploads import public as uploads


@chat.command(name="get")
async def get_message(ctx: Context, ask: GetMessage) -> MessageView:
    """One message that you may read, such as what a reply answers."""
    return await ctx.read(history.get_message, ask.message_id)


@chat.command(name="media")
async def get_media(ctx: Context, ask: GetMedia) -> MediaLinks:
    """Where the file of a message is fetched, for who may read the message."""
    upload_id = await ctx.read(media.find_media, ask.message_id)
    url, thumbnail_url = await uploads.links_of(ctx, upload_id)
    return MediaLinks(url=url, thumbnail_url=thumbnail_url)


@chat.command()
async def mark_read(ctx: Context, ask: MoveMark) -> Empty:
    """You have read up to a number; marks only rise."""
    return await ctx.transact(marks.move, ask, "read")


@chat.command()
async def mark_delivered(ctx: Context, ask: MoveMark) -> Empty:
    """Your device has got everything up to a number; marks only rise."""
    return await ctx.transact(marks.move, ask, "delivered")


@chat.command(name="history")
async def read_history(ctx: Context, ask: ReadHistory) -> HistoryView:
    """What was said while you were in, the newest page first."""
    return await ctx.read(history.read_history, ask)
