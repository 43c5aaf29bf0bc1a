"""The commands of /chat to conversations."""

from handlers.kit.context import Context
from handlers.kit.contract import Empty
from handlers.kit.cost import Cost
from handlers.kit.filter import TextRefused
from handlers.platform.chat import chat
from handlers.platform.chat.contracts.conversations import (
    ChangeMember,
    ConversationPage,
    ConversationView,
    CreateGroup,
    LastOwner,
    LeaveConversation,
    ListConversations,
    OpenConversation,
    Rename,
    SetGroupPicture,
    SetRole,
    Type,
)
from handlers.platform.chat.contracts.personal import Blocked
from handlers.platform.chat.service import groups, history, members
from rooms import names

MEMBERS = Cost(reads=22_000, writes=200, kept_kib=1_536, answer_kib=512)
"""A group has up to 5,000 members, all of whom are named."""
FOUNDING = Cost(reads=22_000, writes=22_000, kept_kib=1_536, answer_kib=512)


@chat.command(name="open", refuses=(Blocked,), rate="contact")
async def open_conversation(ctx: Context, ask: OpenConversation) -> ConversationView:
    """Your direct conversation with a person; the same one each time."""
    return await ctx.transact(members.open_direct, ask.user_id)


@chat.command(refuses=(Blocked, TextRefused), rate="contact", costs=FOUNDING)
async def create_group(ctx: Context, ask: CreateGroup) -> ConversationView:
    """A new conversation of several, you among them."""
    return await ctx.transact(groups.create_group, ask)


@chat.command(refuses=(Blocked,), rate="contact", costs=MEMBERS)
async def add_member(ctx: Context, ask: ChangeMember) -> ConversationView:
    """Take somebody into a group; they read from here on."""
    return await ctx.transact(groups.add_member, ask)


@chat.command(refuses=(LastOwner,), costs=MEMBERS)
async def remove_member(ctx: Context, ask: ChangeMember) -> ConversationView:
    """Put somebody out of a group that you own; they read up to here."""
    return await ctx.transact(groups.remove_member, ask)


@chat.command(refuses=(LastOwner,), costs=MEMBERS)
async def leave(ctx: Context, ask: LeaveConversation) -> ConversationView:
    """Leave a group; its last owner makes another one first."""
    return await ctx.transact(groups.leave, ask)


@chat.command(refuses=(TextRefused,), costs=MEMBERS)
async def rename(ctx: Context, ask: Rename) -> ConversationView:
    """Give a group that you own another name."""
    return await ctx.transact(groups.rename, ask)


@chat.command(costs=MEMBERS)
async def set_picture(ctx: Context, ask: SetGroupPicture) -> ConversationView:
    """Give a group that you own a picture, or none."""
    return await ctx.transact(groups.set_picture, ask)


@chat.command(refuses=(LastOwner,), costs=MEMBERS)
async def set_role(ctx: Context, ask: SetRole) -> ConversationView:
    """Make somebody an owner of a group that you own, or an owner a member again."""
    return await ctx.transact(groups.set_role, ask)


@chat.command(refuses=(Blocked,), rate="reactions")
async def typing(ctx: Context, ask: Type) -> Empty:
    """Let the others know that you are typing."""
    ephemeral = await ctx.read(members.get_typing, ask.conversation_id)
    ctx.publish_ephemeral("/chat", names.chat(ask.conversation_id), "typing", ephemeral)
    return Empty()


@chat.command(name="list", costs=Cost(reads=22_000, answer_kib=2_100))
async def list_conversations(ctx: Context, ask: ListConversations) -> ConversationPage:
    """Your conversations, the liveliest first."""
    return await ctx.read(history.list_conversations, ask)
