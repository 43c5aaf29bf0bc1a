"""Consumers that change calls after timers, lost connections and lost instances."""

from datetime import datetime

from handlers.consulting.call import call, service
from handlers.consulting.call.contracts import (
    AboutCall,
    CallDue,
    CallEnded,
    CallInitiated,
    MoreStaysLeft,
)
from handlers.consulting.call.providers import livekit
from handlers.consulting.call.rules import CallRules
from handlers.kit.context import Context
from handlers.kit.life import InstanceLost
from handlers.kit.rules import Rules
from handlers.kit.transaction import Transaction
from storage.consulting.call import calls as store

STAYS_BATCH = 200


def has_room(rules: Rules, event: AboutCall) -> bool:
    """Whether the call has a room on the LiveKit server that is configured."""
    return event.call.provider == rules.of(CallRules).video_provider == "livekit"


@call.disconnects
async def note_the_lost_device(ctx: Context, call_id: str, device_id: str, at: datetime) -> None:
    """End the stay of a device that disconnected during a call."""
    await ctx.transact(service.lose, call_id, device_id, at)


@call.consumer(CallDue)
def end_the_overdue(tx: Transaction, event: CallDue) -> None:
    """End a call that waited too long for a participant."""
    row = store.lock_call(tx, event.call_id)
    if row is not None:
        service.end_if_overdue(tx, row)


@call.consumer(InstanceLost, MoreStaysLeft)
def close_what_it_left(tx: Transaction, event: InstanceLost) -> None:
    """End the stays of a dead instance at its last heartbeat, so that later time is not billed."""
    left = store.list_stays_of_instance(tx, event.instance_id, STAYS_BATCH)
    for stay in left:
        service.lose(tx, stay.call_id, stay.device_id, max(event.at, stay.joined_at))
    rest = STAYS_BATCH - len(left)
    assumed = store.list_assumed_stays(tx, event.instance_id, event.at, rest)
    for stay in assumed:
        service.resolve(tx, stay, event.at)
    if len(left) + len(assumed) == STAYS_BATCH:
        tx.publish(MoreStaysLeft(instance_id=event.instance_id, at=event.at))


@call.consumer(CallInitiated, outbound=True, filter=has_room)
async def create_the_room(ctx: Context, event: CallInitiated) -> None:
    """Create the room of a call. Users who are faster create it by joining."""
    if event.call.id not in await ctx.read(service.list_over, [event.call.id]):
        rules, now = ctx.kernel.rules.of(CallRules), ctx.kernel.clock.now()
        await livekit.create_room(rules, event.call.id, now)


@call.consumer(CallEnded, outbound=True, filter=has_room)
async def delete_the_room(ctx: Context, event: CallEnded) -> None:
    """Delete the room of a call that has ended, which disconnects who is still in it."""
    rules, now = ctx.kernel.rules.of(CallRules), ctx.kernel.clock.now()
    await livekit.delete_room(rules, event.call.id, now)
