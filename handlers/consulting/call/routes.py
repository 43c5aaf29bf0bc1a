"""The REST endpoint for the webhooks of the video provider."""

from aiohttp import web

from handlers.consulting.call import call, reports
from handlers.consulting.call.providers import livekit
from handlers.consulting.call.rules import CallRules
from handlers.kit.context import Context
from handlers.kit.errors import NotFound
from handlers.kit.rest import BODY


@call.route("POST", "/calls/livekit", visitors=True, rate="video_webhooks", cross_site=True)
async def take_webhook(ctx: Context, request: web.Request) -> web.Response:
    """Receive a signed webhook of the LiveKit server: who joined or left a room."""
    rules = ctx.kernel.rules.of(CallRules)
    if rules.video_provider != "livekit":
        raise NotFound
    signed = request.headers.get("Authorization", "")
    now = ctx.kernel.clock.now()
    await ctx.transact(reports.take, livekit.read_webhook(rules, signed, request[BODY], now))
    return web.Response(status=204)
