"""The doors of /chat."""

from handlers.availability.contracts import BlockFull, BlockPast, OwnBlock
from handlers.booking.contracts import BookingView, Overlaps, TopicNotOffered
from handlers.chat import chat
from handlers.chat.contracts import (
    ChangeMember,
    ConversationPage,
    ConversationView,
    CreateGroup,
    DeleteMessage,
    EditMessage,
    GetMedia,
    GetMessage,
    HistoryView,
    LeaveConversation,
    ListConversations,
    MediaLinks,
    MessageView,
    MoveMark,
    OpenConversation,
    React,
    ReactionsView,
    ReadHistory,
    RequestBookingInChat,
    SendMedia,
    SendMessage,
    Type,
)
from handlers.chat.service import cards, history, marks, media, members, messages, reactions
from handlers.kit.context import Context
from handlers.kit.contract import Empty
from handlers.uploads import public as uploads
from rooms import names


@chat.command(name="open")
async def open_conversation(ctx: Context, ask: OpenConversation) -> ConversationView:
    """Your direct conversation with a person; the same one each time."""
    return await ctx.transact(members.open_direct, ask.user_id)


@chat.command()
async def create_group(ctx: Context, ask: CreateGroup) -> ConversationView:
    """A new conversation of several, you among them."""
    return await ctx.transact(members.create_group, ask)


@chat.command()
async def add_member(ctx: Context, ask: ChangeMember) -> ConversationView:
    """Take somebody into a group; they read from here on."""
    return await ctx.transact(members.add_member, ask)


@chat.command()
async def remove_member(ctx: Context, ask: ChangeMember) -> ConversationView:
    """Put somebody out of a group that you made; they read up to here."""
    return await ctx.transact(members.remove_member, ask)


@chat.command()
async def leave(ctx: Context, ask: LeaveConversation) -> ConversationView:
    """Leave a group."""
    return await ctx.transact(members.leave, ask)


@chat.command(rate="messages")
async def send(ctx: Context, ask: SendMessage) -> MessageView:
    """Say something; the same `client_id` again gets the first message."""
    return await ctx.transact(messages.send, ask)


@chat.command(rate="messages")
async def send_media(ctx: Context, ask: SendMedia) -> MessageView:
    """Show a file of yours that is ready; the same `client_id` again gets the first message."""
    return await ctx.transact(media.send_media, ask)


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


@chat.command(rate="messages")
async def react(ctx: Context, ask: React) -> ReactionsView:
    """Put a sign on a message, or take yours away."""
    return await ctx.transact(reactions.react, ask)


@chat.command(rate="messages")
async def edit(ctx: Context, ask: EditMessage) -> MessageView:
    """Change what you said."""
    return await ctx.transact(messages.edit, ask)


@chat.command()
async def delete(ctx: Context, ask: DeleteMessage) -> MessageView:
    """Take back what you said; its text is gone from everywhere."""
    return await ctx.transact(messages.delete, ask)


@chat.command()
async def mark_read(ctx: Context, ask: MoveMark) -> Empty:
    """You have read up to a number; marks only rise."""
    return await ctx.transact(marks.move, ask, "read")


@chat.command()
async def mark_delivered(ctx: Context, ask: MoveMark) -> Empty:
    """Your device has got everything up to a number; marks only rise."""
    return await ctx.transact(marks.move, ask, "delivered")


@chat.command()
async def typing(ctx: Context, ask: Type) -> Empty:
    """Let the others know that you are typing."""
    whisper = await ctx.read(members.get_typing, ask.conversation_id)
    ctx.whisper("/chat", names.chat(ask.conversation_id), "typing", whisper)
    return Empty()


@chat.command(name="history")
async def read_history(ctx: Context, ask: ReadHistory) -> HistoryView:
    """What was said while you were in, the newest page first."""
    return await ctx.read(history.read_history, ask)


@chat.command(name="list")
async def list_conversations(ctx: Context, ask: ListConversations) -> ConversationPage:
    """Your conversations, the liveliest first."""
    return await ctx.read(history.list_conversations, ask)


@chat.command(refuses=(BlockFull, BlockPast, TopicNotOffered, Overlaps, OwnBlock))
async def request_booking(ctx: Context, ask: RequestBookingInChat) -> BookingView:
    """Ask for a booking inside a conversation, which shows it and keeps it current."""
    return await ctx.transact(cards.request_booking, ask)
