"""How long people find what they were told."""

from datetime import datetime

from handlers.kit.ids import id_at
from handlers.platform.notifications import notifications
from storage.engine.database import Queries
from storage.platform.notifications import inbox as store


@notifications.forgets(kept="notifications_kept_days")
def forget_notifications(tx: Queries, before: datetime, limit: int) -> int:
    """Forget notifications, read or not."""
    return store.forget_notifications(tx, id_at(before), limit)
