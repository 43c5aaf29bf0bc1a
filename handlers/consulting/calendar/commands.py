"""The commands of /calendar."""

from handlers.consulting.calendar import calendar, feeds, reminders
from handlers.consulting.calendar.contracts import (
    CalendarView,
    FileView,
    GetCalendar,
    GetFile,
    RemindersView,
    RenewFeed,
    SetReminders,
)
from handlers.kit.context import Context
from handlers.kit.contract import Empty


@calendar.command()
async def get(ctx: Context, ask: GetCalendar) -> CalendarView:
    """Get your reminders, and the private address of your calendar."""
    return await ctx.read(feeds.get_calendar)


@calendar.command()
async def set_reminders(ctx: Context, ask: SetReminders) -> RemindersView:
    """Switch reminders on or off."""
    return await ctx.transact(reminders.set_reminders, ask)


@calendar.command()
async def renew_feed(ctx: Context, ask: RenewFeed) -> Empty:
    """Replace the address of your calendar; the old one stops working at once."""
    return await ctx.transact(feeds.renew_feed)


@calendar.command()
async def file(ctx: Context, ask: GetFile) -> FileView:
    """Get one of your bookings as a calendar file."""
    return await ctx.read(feeds.get_file, ask)
