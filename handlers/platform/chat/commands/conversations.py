"""The commands of /chat for conversations and their members."""

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
from handlers.platform.chat.contracts.rooms import chat_room
from handlers.platform.chat.service import groups, history, members

MEMBERS = Cost(reads=22_000, writes=200, kept_kib=1_536, answer_kib=512)
"""A group has up to 5,000 members, and its view contains all their ids."""
FOUNDING = Cost(reads=22_000, writes=22_000, kept_kib=1_536, answer_kib=512)


@chat.command(name="open", refuses=(Blocked,), rate="contact")
async def open_conversation(ctx: Context, ask: OpenConversation) -> ConversationView:
    """Get your direct conversation with a user; creates it the first time."""
    return await ctx.transact(members.open_direct, ask.user_id)


@chat.command(refuses=(Blocked, TextRefused), rate="contact", costs=FOUNDING)
async def create_group(ctx: Context, ask: CreateGroup) -> ConversationView:
    """Create a group conversation with yourself as its owner."""
    return await ctx.transact(groups.create_group, ask)


@chat.command(refuses=(Blocked,), rate="contact", costs=MEMBERS)
async def add_member(ctx: Context, ask: ChangeMember) -> ConversationView:
    """Add a user to a group; they can read messages from then on."""
    return await ctx.transact(groups.add_member, ask)


@chat.command(refuses=(LastOwner,), costs=MEMBERS)
async def remove_member(ctx: Context, ask: ChangeMember) -> ConversationView:
    """Remove a member from a group that you own; they keep access to earlier messages."""
    return await ctx.transact(groups.remove_member, ask)


@chat.command(refuses=(LastOwner,), costs=MEMBERS)
async def leave(ctx: Context, ask: LeaveConversation) -> ConversationView:
    """Leave a group; its last owner must make another member an owner first."""
    return await ctx.transact(groups.leave, ask)


@chat.command(refuses=(TextRefused,), costs=MEMBERS)
async def rename(ctx: Context, ask: Rename) -> ConversationView:
    """Rename a group that you own."""
    return await ctx.transact(groups.rename, ask)


@chat.command(costs=MEMBERS)
async def set_picture(ctx: Context, ask: SetGroupPicture) -> ConversationView:
    """Set or remove the picture of a group that you own."""
    return await ctx.transact(groups.set_picture, ask)


@chat.command(refuses=(LastOwner,), costs=MEMBERS)
async def set_role(ctx: Context, ask: SetRole) -> ConversationView:
    """Make a member of a group that you own an owner, or an owner a regular member."""
    return await ctx.transact(groups.set_role, ask)


@chat.command(refuses=(Blocked,), rate="reactions", ephemeral=True)
async def typing(ctx: Context, ask: Type) -> Empty:
    """Tell the other members that you are typing, unless you are invisible."""
    ephemeral = await ctx.read(members.find_typing, ask.conversation_id)
    if ephemeral is not None:
        ctx.rooms.publish_ephemeral("/chat", chat_room(ask.conversation_id), "typing", ephemeral)
    return Empty()


@chat.command(name="list", costs=Cost(reads=22_000, answer_kib=2_100))
async def list_conversations(ctx: Context, ask: ListConversations) -> ConversationPage:
    """List your conversations, the most recently active first."""
    return await ctx.read(history.list_conversations, ask)
