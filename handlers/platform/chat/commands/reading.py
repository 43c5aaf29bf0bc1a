"""The commands of /chat that read messages and move marks."""

from functools import partial

from handlers.kit.context import Context
from handlers.kit.contract import Empty
from handlers.kit.cost import Cost
from handlers.platform.chat import chat
from handlers.platform.chat.contracts.marks import (
    GetReceipts,
    MarksView,
    MarkUnread,
    MoveMark,
    NothingToMark,
    ReceiptsOff,
    ReceiptsView,
    UnwatchMarks,
    WatchMarks,
)
from handlers.platform.chat.contracts.media import (
    LinkedMedia,
    LinksView,
    ListMediaLinks,
    MediaLinks,
)
from handlers.platform.chat.contracts.messages import (
    FoundView,
    GetMedia,
    GetMessage,
    HistoryView,
    ListPinned,
    MessageView,
    PinsView,
    ReadHistory,
    Search,
)
from handlers.platform.chat.contracts.rooms import marks_room
from handlers.platform.chat.service import gathering, history, marks, media, pins, receipts, unread
from handlers.platform.chat.service import search as searching
from handlers.platform.uploads import public as uploads

PAGE = Cost(reads=66_000, answer_kib=3_000)
"""Up to 100 messages, each with up to 20 emojis and the ids of up to 32 users for each emoji."""
MESSAGE = Cost(reads=800)
LINKS = Cost(reads=3_000, answer_kib=256)
"""For each of up to fifty messages: the message, its reader's memberships, and the upload."""
MARKS = Cost(reads=16_000)
"""A group has up to 5,000 members, each with two marks."""


@chat.command(name="get", costs=MESSAGE)
async def get_message(ctx: Context, ask: GetMessage) -> MessageView:
    """Get a message that you can read, for example the original of a reply."""
    return await ctx.read(history.get_message, ask.message_id)


@chat.command(name="media")
async def get_media(ctx: Context, ask: GetMedia) -> MediaLinks:
    """Get download links for the file in a message that you can read."""
    upload_id = await ctx.read(media.find_media, ask.message_id)
    return MediaLinks(**(await uploads.links_of(ctx, upload_id))._asdict())


@chat.command(name="media_links", costs=LINKS)
async def list_media_links(ctx: Context, ask: ListMediaLinks) -> LinksView:
    """Get download links for the files in several messages at once, for example to renew them."""
    found = await ctx.read(media.list_media, ask.message_ids)
    links = await uploads.list_links(ctx, list(found.values()))
    shown = ((id_, links[upload_id]) for id_, upload_id in found.items() if upload_id in links)
    return LinksView(media=[LinkedMedia(message_id=i, **one._asdict()) for i, one in shown])


@chat.command(name="pins", costs=Cost(reads=13_000, answer_kib=1_500))
async def list_pinned(ctx: Context, ask: ListPinned) -> PinsView:
    """List the pinned messages of a conversation."""
    return await ctx.read(pins.list_pinned, ask.conversation_id)


@chat.command(name="receipts", refuses=(ReceiptsOff,), costs=Cost(reads=12_000, answer_kib=640))
async def get_receipts(ctx: Context, ask: GetReceipts) -> ReceiptsView:
    """List who has read and received one of your messages, and when."""
    return await ctx.read(receipts.get_receipts, ask)


@chat.command(rate="searches", costs=PAGE)
async def search(ctx: Context, ask: Search) -> FoundView:
    """Search the messages that you can read."""
    if await ctx.read(searching.is_behind):
        await ctx.keep_up(searching.catch_up)
    return await ctx.read(searching.search, ask)


@chat.command()
async def mark_read(ctx: Context, ask: MoveMark) -> Empty:
    """Mark a conversation as read up to a message; the mark never moves back."""
    return await ctx.transact(marks.move, ask, "read")


@chat.command()
async def mark_delivered(ctx: Context, ask: MoveMark) -> Empty:
    """Mark messages as received up to a number; the mark never moves back."""
    return await ctx.transact(marks.move, ask, "delivered")


@chat.command(refuses=(NothingToMark,))
async def mark_unread(ctx: Context, ask: MarkUnread) -> Empty:
    """Mark messages as unread, for yourself only; your read receipts stay."""
    return await ctx.transact(unread.mark_unread, ask)


@chat.command(costs=MARKS, watches=marks_room)
async def watch(ctx: Context, ask: WatchMarks) -> MarksView:
    """Get the read and delivery marks of a conversation, and subscribe to their changes."""
    room = marks_room(ask.conversation_id)
    read = partial(ctx.read, gathering.get_watched, ask.conversation_id)
    return await ctx.rooms.follow("/chat", room, read)


@chat.command()
async def unwatch(ctx: Context, ask: UnwatchMarks) -> Empty:
    """Unsubscribe from the marks of a conversation."""
    ctx.rooms.unfollow("/chat", marks_room(ask.conversation_id))
    return Empty()


@chat.command(name="history", costs=PAGE)
async def read_history(ctx: Context, ask: ReadHistory) -> HistoryView:
    """List the messages from your time as a member, the newest page first."""
    return await ctx.read(history.read_history, ask)
