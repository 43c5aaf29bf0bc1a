"""How timers and lost instances move calls."""

from datetime import datetime

from handlers.call import call, service
from handlers.call.contracts import CallDue
from handlers.kit.context import Context, Transaction
from handlers.kit.life import InstanceLost
from storage import call as store


@call.departs
async def note_the_lost_device(ctx: Context, call_id: str, stay_id: str, at: datetime) -> None:
    """A device that was in a call is gone."""
    await ctx.transact(service.lose, call_id, stay_id, at)


@call.consumer(CallDue)
def end_the_overdue(tx: Transaction, event: CallDue) -> None:
    """End a call to which nobody came (back)."""
    row = store.lock_call(tx, event.call_id)
    if row is not None:
        service.end_if_overdue(tx, row)


@call.consumer(InstanceLost)
def close_what_it_left(tx: Transaction, event: InstanceLost) -> None:
    """Stays of a dead instance end at its last sign of life: no more than that is billed."""
    for stay in store.list_stays_of_instance(tx, event.instance_id):
        service.lose(tx, stay.call_id, stay.id, max(event.at, stay.joined_at))
    for stay in store.list_assumed_stays(tx, event.instance_id, event.at):
        service.resolve(tx, stay, event.at)
