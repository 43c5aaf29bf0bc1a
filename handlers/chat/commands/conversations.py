"""The doors of /chat to conversations."""

from handlers.chat import chat
from handlers.chat.contracts.conversations import (
    ChangeMember,
    ConversationPage,
    ConversationView,
    CreateGroup,
    LeaveConversation,
    ListConversations,
    OpenConversation,
    Type,
)
from handlers.chat.service import history, members
from handlers.kit.context import Context
from handlers.kit.contract import Empty
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


@chat.command()
async def typing(ctx: Context, ask: Type) -> Empty:
    """Let the others know that you are typing."""
    whisper = await ctx.read(members.get_typing, ask.conversation_id)
    ctx.whisper("/chat", names.chat(ask.conversation_id), "typing", whisper)
    return Empty()


@chat.command(name="list")
async def list_conversations(ctx: Context, ask: ListConversations) -> ConversationPage:
    """Your conversations, the liveliest first."""
    return await ctx.read(history.list_conversations, ask)
