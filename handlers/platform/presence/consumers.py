"""Updates presence when devices connect or leave, and when an instance dies."""

from datetime import datetime, timedelta

from handlers.kit.context import Context
from handlers.kit.kernel import EphemeralEvent
from handlers.kit.life import InstanceLost
from handlers.kit.rules import KitRules
from handlers.kit.transaction import Transaction
from handlers.platform.presence import presence, service
from handlers.platform.presence.contracts import InstanceGone
from storage.platform import presence as store

USERS_BATCH = 200


@presence.arrives_first
async def come_online(ctx: Context) -> None:
    """Record a user's first device on this instance."""
    await ctx.transact(service.come_online)


@presence.leaves_last
async def go_offline(ctx: Context) -> None:
    """Record that a user's last device on this instance did not return within the grace period."""
    kernel = ctx.kernel
    await ctx.transact(service.go_offline, ctx.user_id, kernel.instance_id, kernel.clock.now())


@presence.resyncs
def resync(tx: Transaction, since: datetime, after: str) -> tuple[list[EphemeralEvent], str]:
    """Repeat recent changes for watchers, who may have missed the ephemeral events."""
    return service.resync(tx, since, after)


@presence.consumer(InstanceLost)
def wait_out_the_grace(tx: Transaction, event: InstanceLost) -> None:
    """Give the users of a dead instance the grace period to reconnect, to any instance."""
    due = tx.now + timedelta(seconds=tx.rules.of(KitRules).presence_grace_s)
    gone = InstanceGone(instance_id=event.instance_id, at=event.at)
    tx.publish_later(gone, due, f"presence:{event.instance_id}")


@presence.consumer(InstanceGone)
def let_its_people_go(tx: Transaction, event: InstanceGone) -> None:
    """Mark users as offline who were only connected to a dead instance, one batch at a time."""
    user_ids = store.list_users_on(tx, event.instance_id, USERS_BATCH)
    for user_id in user_ids:
        service.go_offline(tx, user_id, event.instance_id, event.at)
    if len(user_ids) == USERS_BATCH:
        tx.publish(InstanceGone(instance_id=event.instance_id, at=event.at))
