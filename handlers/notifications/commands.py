"""The doors of /notifications."""

from handlers.kit.context import Context
from handlers.notifications import notifications, service
from handlers.notifications.contracts import (
    ListNotifications,
    MarkNotificationsRead,
    NotificationPage,
    UnreadView,
)


@notifications.command(name="list")
async def list_notifications(ctx: Context, ask: ListNotifications) -> NotificationPage:
    """What you were told, the newest first."""
    return await ctx.read(service.list_notifications, ask)


@notifications.command()
async def mark_read(ctx: Context, ask: MarkNotificationsRead) -> UnreadView:
    """You have read these."""
    return await ctx.transact(service.mark_read, ask)
