"""What an operator can do from the command line besides serving."""

from collections.abc import Awaitable, Callable
from typing import TypeVar

from handlers.kit.context import Transaction
from handlers.moderation import public as moderation
from handlers.profile import public as profiles
from server.app import App
from server.heartbeat import align_clock
from server.settings import Settings
from storage import deliveries
from storage.deliveries import Parked, Queue
from storage.epoch import renew_epoch
from storage.migrate import migrate

T = TypeVar("T")
ChangeRole = Callable[[Transaction, str, str], None]
PARKED_SHOWN_MAX = 1_000


async def with_app(settings: Settings, work: Callable[[App], Awaitable[T]]) -> T:
    """Run `work` on an instance that is open but serves nobody."""
    app = App(settings)
    try:
        await migrate(app.database)
        await app.database.start()
        await align_clock(app.kernel)
        return await work(app)
    finally:
        await app.database.stop()


async def grant(app: App, email: str, role: str) -> bool:
    """Give a role; False when nobody has this address."""

    return await app.context().transact(_change_role, moderation.grant_role, email, role)


async def revoke(app: App, email: str, role: str) -> bool:
    """Take a role away, at once on every instance; False when nobody has this address."""
    return await app.context().transact(_change_role, moderation.revoke_role, email, role)


def _change_role(tx: Transaction, change: ChangeRole, email: str, role: str) -> bool:
    user = profiles.find_user_by_email(tx, email)
    if user is not None:
        change(tx, user.id, role)
    return user is not None


async def list_parked(app: App) -> list[Parked]:
    return await app.database.read(lambda tx: deliveries.list_parked(tx, PARKED_SHOWN_MAX))


async def retry_parked(app: App, queue: Queue) -> int:
    """Put a parked queue back to work; a running instance finds it within seconds."""
    now = app.clock.now()
    return await app.database.transact(lambda tx: deliveries.retry_parked(tx, queue, now))


async def skip_parked(app: App, queue: Queue) -> int:
    """Give up a parked delivery, so that those behind it get their turn."""
    return await app.database.transact(lambda tx: deliveries.skip_parked(tx, queue))


async def renew(app: App, fresh: str) -> None:
    """After restoring a backup: clients' numbers from before count no more."""
    await app.database.transact(lambda tx: renew_epoch(tx, fresh))
