"""The operator's commands on the command line, other than serving."""

from collections.abc import Awaitable, Callable
from typing import TypeVar

from handlers.kit.transaction import Transaction
from handlers.platform.moderation import public as moderation
from handlers.platform.profile import public as profiles
from server.app import App
from server.heartbeat import align_clock
from server.registration import SILENT_AFTER, UNSERVED_SHOWN_MAX, names_served
from server.settings import Settings
from storage.engine.database import Queries
from storage.engine.migrate import migrate
from storage.events import backfills, consumers, deliveries
from storage.events.consumers import Unserved
from storage.events.deliveries import Parked, Queue
from storage.events.epoch import renew_epoch

T = TypeVar("T")
ChangeRole = Callable[[Transaction, str, str], None]
PARKED_SHOWN_MAX = 1_000
PURGE_BATCH_SIZE = 1_000
ABOVE_ALL_IDS = "g"


class CannotDo(Exception):
    """An operator's command is refused; the text says why."""


async def with_app(settings: Settings, work: Callable[[App], Awaitable[T]]) -> T:
    """Run `work` with a started database, but without serving clients."""
    app = App(settings)
    try:
        await migrate(app.database)
        await app.database.start()
        await align_clock(app.kernel)
        return await work(app)
    finally:
        await app.database.stop()


async def grant(app: App, email: str, role: str) -> bool:
    """Grant a role; returns False if no user has this address."""

    return await app.context().transact(_change_role, moderation.grant_role, email, role)


async def revoke(app: App, email: str, role: str) -> bool:
    """Revoke a role, at once on every instance; returns False if no user has this address."""
    return await app.context().transact(_change_role, moderation.revoke_role, email, role)


def _change_role(tx: Transaction, change: ChangeRole, email: str, role: str) -> bool:
    user = profiles.find_user_by_email(tx, email)
    if user is not None:
        change(tx, user.id, role)
    return user is not None


async def list_parked(app: App) -> list[Parked]:
    return await app.database.read(lambda tx: deliveries.list_parked(tx, PARKED_SHOWN_MAX))


async def retry_parked(app: App, queue: Queue) -> int:
    """Release a parked queue; a running instance processes it within seconds."""
    now = app.clock.now()
    return await app.database.transact(lambda tx: deliveries.retry_parked(tx, queue, now))


async def skip_parked(app: App, queue: Queue) -> int:
    """Delete a parked delivery, so that the queue continues with the next one."""
    return await app.database.transact(lambda tx: deliveries.skip_parked(tx, queue))


async def list_unserved(app: App) -> list[Unserved]:
    """Consumers with deliveries that neither this version nor a running instance serves."""
    return await app.database.read(
        lambda tx: consumers.list_unserved(tx, _list_served(app, tx), UNSERVED_SHOWN_MAX)
    )


async def purge(app: App, consumer: str) -> int:
    """Delete all deliveries of an unserved consumer; returns their number, raises CannotDo."""
    count, purged = 0, PURGE_BATCH_SIZE
    while purged == PURGE_BATCH_SIZE:
        purged = await app.database.transact(lambda tx: _purge_some(app, tx, consumer))
        count += purged
    return count


def _purge_some(app: App, tx: Queries, consumer: str) -> int:
    if consumer in _list_served(app, tx):
        within = f"within the last {SILENT_AFTER.total_seconds():.0f} s"
        raise CannotDo(
            f"{consumer} is served by this version, or was served by an instance {within}"
        )
    return consumers.give_up(tx, consumer, ABOVE_ALL_IDS, PURGE_BATCH_SIZE)


def _list_served(app: App, tx: Queries) -> list[str]:
    served = consumers.list_served(tx, app.clock.now() - SILENT_AFTER)
    return sorted({*names_served(app.registry), *served})


async def rebuild(app: App, consumer: str) -> None:
    """Restart a consumer's backfill, which a serving instance then runs; raises CannotDo."""
    found = app.registry.consumers.get(consumer)
    if found is None:
        raise CannotDo(f"there is no consumer {consumer}")
    if not found.is_backfilled:
        raise CannotDo(f"{consumer} declares neither backfill nor rebuild")
    now = app.clock.now()
    await app.database.transact(lambda tx: backfills.begin_anew(tx, consumer, now))


async def renew(app: App, fresh: str) -> None:
    """Change the epoch after restoring a backup, which invalidates clients' old numbers."""
    await app.database.transact(lambda tx: renew_epoch(tx, fresh))
