"""How long notifications are kept."""

from datetime import datetime

from handlers.kit.ids import id_at
from handlers.platform.notifications import notifications
from storage.engine.database import Queries
from storage.platform.notifications import inbox as store


@notifications.forgets(kept="notifications_kept_days")
def forget_notifications(tx: Queries, before: datetime, limit: int) -> int:
    """Delete old notifications, read or unread."""
    return store.forget_notifications(tx, id_at(before), limit)
