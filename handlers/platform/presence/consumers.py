"""How devices and lost instances move presence."""

from datetime import datetime, timedelta

from handlers.kit.context import Context
from handlers.kit.kernel import EphemeralEvent
from handlers.kit.life import InstanceLost
from handlers.kit.transaction import Transaction
from handlers.platform.presence import presence, service
from handlers.platform.presence.contracts import InstanceGone
from storage.platform import presence as store

PEOPLE_AT_ONCE = 200


@presence.arrives_first
async def come_online(ctx: Context) -> None:
    """A person's first device on this instance is there."""
    await ctx.transact(service.come_online)


@presence.leaves_last
async def go_offline(ctx: Context) -> None:
    """A person's last device on this instance stayed away for the grace."""
    kernel = ctx.kernel
    await ctx.transact(service.go_offline, ctx.user_id, kernel.instance_id, kernel.clock.now())


@presence.resyncs
def resync(tx: Transaction, since: datetime, after: str) -> tuple[list[EphemeralEvent], str]:
    """Who came and went lately, for those who watch and may not have heard it."""
    return service.resync(tx, since, after)


@presence.consumer(InstanceLost)
def wait_out_the_grace(tx: Transaction, event: InstanceLost) -> None:
    """Who was on a dead instance comes back by another one, or by the same one restarted."""
    due = tx.now + timedelta(seconds=tx.rules.presence_grace_s)
    gone = InstanceGone(instance_id=event.instance_id, at=event.at)
    tx.publish_later(gone, due, f"presence:{event.instance_id}")


@presence.consumer(InstanceGone)
def let_its_people_go(tx: Transaction, event: InstanceGone) -> None:
    """Who was only there is offline; a few at a time."""
    held = store.list_held(tx, event.instance_id, PEOPLE_AT_ONCE)
    for user_id in held:
        service.go_offline(tx, user_id, event.instance_id, event.at)
    if len(held) == PEOPLE_AT_ONCE:
        tx.publish(InstanceGone(instance_id=event.instance_id, at=event.at))
