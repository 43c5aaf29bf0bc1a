"""How long people find what they were told."""

from datetime import datetime

from handlers.kit.ids import id_at
from handlers.notifications import notifications
from storage import notifications as store
from storage.engine import Queries


@notifications.forgets(kept="notifications_kept_days")
def forget_notifications(tx: Queries, before: datetime, limit: int) -> int:
    """Forget notifications, read or not."""
    return store.forget_notifications(tx, id_at(before), limit)
