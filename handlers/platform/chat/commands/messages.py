"""The commands of /chat that send and change messages."""

from handlers.kit.context import Context
from handlers.kit.contract import Empty
from handlers.kit.cost import Cost
from handlers.kit.errors import TooMany
from handlers.kit.filter import TextRefused
from handlers.platform.chat import chat
from handlers.platform.chat.contracts.messages import (
    DeleteMessage,
    EditMessage,
    MessageView,
    Pin,
    React,
    ReactionsView,
    SendMedia,
    SendMessage,
    TooLate,
)
from handlers.platform.chat.contracts.personal import Blocked
from handlers.platform.chat.service import media, messages, pins, reactions

REACTIONS = Cost(reads=800)
"""A message has up to 20 emojis, each with the ids of up to 32 users."""


@chat.command(rate="messages", refuses=(Blocked, TextRefused))
async def send(ctx: Context, ask: SendMessage) -> MessageView:
    """Send a message; repeating a `client_id` answers the first message."""
    return await ctx.transact(messages.send, ask)


@chat.command(rate="messages", refuses=(Blocked, TextRefused))
async def send_media(ctx: Context, ask: SendMedia) -> MessageView:
    """Send an uploaded file; repeating a `client_id` answers the first message."""
    return await ctx.transact(media.send_media, ask)


@chat.command(refuses=(Blocked, TextRefused), rate="reactions", costs=REACTIONS)
async def react(ctx: Context, ask: React) -> ReactionsView:
    """Add a reaction to a message, or remove yours."""
    return await ctx.transact(reactions.react, ask)


@chat.command(rate="messages", refuses=(Blocked, TooLate, TextRefused), costs=REACTIONS)
async def edit(ctx: Context, ask: EditMessage) -> MessageView:
    """Edit one of your messages."""
    return await ctx.transact(messages.edit, ask)


@chat.command(refuses=(Blocked, TooMany))
async def pin(ctx: Context, ask: Pin) -> Empty:
    """Pin or unpin a message for all members; in a group, only owners can."""
    return await ctx.transact(pins.pin, ask)


@chat.command(refuses=(TooLate,), costs=REACTIONS)
async def delete(ctx: Context, ask: DeleteMessage) -> MessageView:
    """Delete one of your messages for everyone; the server erases its text."""
    return await ctx.transact(messages.delete, ask)
