"""Turns `SEND_NOTIFICATION` events into dispatches, sends them, and pauses and resumes channels."""

from handlers.kit.context import Context
from handlers.kit.transaction import Transaction
from handlers.platform.send import channels, send, service
from handlers.platform.send.contracts import (
    ChannelResumed,
    DispatchDue,
    ProbeDue,
    ReleaseGoesOn,
    SendNotification,
)


@send.consumer(SendNotification)
def accept_for_sending(tx: Transaction, event: SendNotification) -> None:
    """Store a message and schedule its delivery."""
    service.accept(tx, event)


@send.consumer(DispatchDue, outbound=True)
async def send_the_mail(ctx: Context, event: DispatchDue) -> None:
    """Hand a message to its channel, at least once, with the dispatch id as its identity."""
    content = await ctx.read(service.find_content, event)
    if content is None:
        await ctx.transact(service.set_aside, event)
        return
    outcome = await ctx.kernel.channels[event.channel].send(content)
    await ctx.transact(service.record, event, outcome)


@send.consumer(ProbeDue)
def probe_the_channel(tx: Transaction, event: ProbeDue) -> None:
    """Try one of the dispatches that wait for a paused channel."""
    channels.probe(tx, event.channel)


@send.consumer(ChannelResumed, ReleaseGoesOn)
def release_the_waiting(tx: Transaction, event: ChannelResumed | ReleaseGoesOn) -> None:
    """Send the dispatches that waited for a channel, page by page."""
    after = event.after if isinstance(event, ReleaseGoesOn) else ""
    channels.release(tx, event.channel, after)
