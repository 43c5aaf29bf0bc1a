"""Consumers that change calls after timers, lost connections and lost instances."""

from datetime import datetime

from handlers.consulting.call import call, service
from handlers.consulting.call.contracts import CallDue, MoreStaysLeft
from handlers.kit.context import Context
from handlers.kit.life import InstanceLost
from handlers.kit.transaction import Transaction
from storage.consulting import call as store

STAYS_BATCH = 200


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
