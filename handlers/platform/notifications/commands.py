"""The commands of /notifications."""

from handlers.kit.context import Context
from handlers.kit.contract import Empty
from handlers.kit.cost import Cost
from handlers.platform.auth.contracts import SessionRevoked
from handlers.platform.notifications import devices, notifications, service
from handlers.platform.notifications.contracts import (
    ListNotifications,
    MarkNotificationsRead,
    NotificationPage,
    RegisterDevice,
    UnreadView,
    UnregisterDevice,
)


@notifications.command(name="list", costs=Cost(reads=150, answer_kib=256))
async def list_notifications(ctx: Context, ask: ListNotifications) -> NotificationPage:
    """List your notifications, the newest first."""
    return await ctx.read(service.list_notifications, ask)


@notifications.command(costs=Cost(reads=450, writes=260))
async def mark_read(ctx: Context, ask: MarkNotificationsRead) -> UnreadView:
    """Mark notifications as read."""
    return await ctx.transact(service.mark_read, ask)


@notifications.command(refuses=(SessionRevoked,))
async def register_device(ctx: Context, ask: RegisterDevice) -> Empty:
    """Register this app for push notifications while this session lasts."""
    return await ctx.transact(devices.register, ask)


@notifications.command()
async def unregister_device(ctx: Context, ask: UnregisterDevice) -> Empty:
    """Unregister this app from push notifications."""
    return await ctx.transact(devices.unregister, ask.token)
