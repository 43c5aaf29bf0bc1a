"""The REST endpoint from which calendar programs fetch a user's bookings."""

from aiohttp import web

from handlers.consulting.calendar import calendar, feeds
from handlers.kit.context import Context

CONTENT_TYPE = "text/calendar"


@calendar.route("GET", "/calendar/{user_id}/{key}.ics", visitors=True, rate="calendars", head=True)
async def get_feed(ctx: Context, request: web.Request) -> web.Response:
    """Fetch a user's bookings at the private address that `/calendar get` answers."""
    user_id, key = request.match_info["user_id"], request.match_info["key"]
    text = await ctx.read(feeds.get_feed, user_id, key)
    headers = {"Cache-Control": "private, max-age=300"}
    return web.Response(text=text, content_type=CONTENT_TYPE, charset="utf-8", headers=headers)
