"""How devices and lost instances move presence."""

from handlers.kit.context import Context, Transaction
from handlers.kit.life import InstanceLost
from handlers.presence import presence, service
from handlers.presence.contracts import MorePeopleLeft
from storage import presence as store

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


@presence.consumer(InstanceLost, MorePeopleLeft)
def let_its_people_go(tx: Transaction, event: InstanceLost) -> None:
    """Who was only on a dead instance is offline."""
    held = store.list_held(tx, event.instance_id, PEOPLE_AT_ONCE)
    for user_id in held:
        service.go_offline(tx, user_id, event.instance_id, event.at)
    if len(held) == PEOPLE_AT_ONCE:
        tx.publish(MorePeopleLeft(instance_id=event.instance_id, at=event.at))
