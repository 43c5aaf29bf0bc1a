"""The commands of /chat to what is said."""

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
"""Up to 20 emojis are on a message, each with up to 32 names."""


@chat.command(rate="messages", refuses=(Blocked, TextRefused))
async def send(ctx: Context, ask: SendMessage) -> MessageView:
    """Say something; the same `client_id` again gets the first message."""
    return await ctx.transact(messages.send, ask)


@chat.command(rate="messages", refuses=(Blocked, TextRefused))
async def send_media(ctx: Context, ask: SendMedia) -> MessageView:
    """Show a file of yours that is ready; the same `client_id` again gets the first message."""
    return await ctx.transact(media.send_media, ask)


@chat.command(refuses=(Blocked, TextRefused), rate="reactions", costs=REACTIONS)
async def react(ctx: Context, ask: React) -> ReactionsView:
    """Put a sign on a message, or take yours away."""
    return await ctx.transact(reactions.react, ask)


@chat.command(rate="messages", refuses=(Blocked, TooLate, TextRefused), costs=REACTIONS)
async def edit(ctx: Context, ask: EditMessage) -> MessageView:
    """Change what you said."""
    return await ctx.transact(messages.edit, ask)


@chat.command(refuses=(Blocked, TooMany))
async def pin(ctx: Context, ask: Pin) -> Empty:
    """Pin a message for everybody in the conversation, or no longer; in a group, owners may."""
    return await ctx.transact(pins.pin, ask)


@chat.command(refuses=(TooLate,), costs=REACTIONS)
async def delete(ctx: Context, ask: DeleteMessage) -> MessageView:
    """Take back what you said; its text is gone from everywhere."""
    return await ctx.transact(messages.delete, ask)
