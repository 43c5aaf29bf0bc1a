"""Serves the REST endpoints that domains declare: authentication, rates and refusals."""

from functools import partial
from typing import TYPE_CHECKING

import structlog
from aiohttp import web

from handlers.kit.command import Route
from handlers.kit.context import Context
from handlers.kit.errors import Forbidden, Invalid, NotFound, RateLimited, Refusal, Unavailable
from handlers.kit.ids import new_id
from handlers.kit.kernel import Actor, Origin
from handlers.kit.rest import BODY
from handlers.kit.uniqueness import Names, place_of
from server.admission import TokenMissing
from server.aiohttp_internals import HttpProcessingError
from server.bodies import Resource
from server.dispatch import authorise, error_of
from server.work import Work
from storage.engine.database import OutcomeUnknown, StorageUnavailable

if TYPE_CHECKING:
    from server.app import App

log = structlog.get_logger("rest")

STATUS = {
    "TOKEN_MISSING": 401,
    "TOKEN_INVALID": 401,
    "TOKEN_EXPIRED": 401,
    "SESSION_REVOKED": 401,
    "FORBIDDEN": 403,
    "NOT_FOUND": 404,
    "CONFLICT": 409,
    "RATE_LIMITED": 429,
    "INTERNAL": 500,
    "UNAVAILABLE": 503,
}
"""The status by code; 400 for all others."""
SAFE = ("GET", "HEAD", "OPTIONS")
BEARER = "Bearer "
DEVICE_MAX = 200


class Rest:
    """Answers the requests to domains' routes on one instance."""

    def __init__(self, app: "App") -> None:
        self._app = app
        self._work = Work(app.limits)

    def add_to(self, application: web.Application) -> frozenset[Resource]:
        """Add the routes; returns the resources that read their bodies as streams.

        Raises WrongDeclaration if the server itself has a route with that method and path.
        """
        streaming = set()
        taken = Names("route")
        for own in application.router.routes():
            if own.resource is not None:
                taken.reserve([(own.method, own.resource.canonical)], "the server itself")
        for route in self._app.registry.routes:
            taken.take((route.method, route.path), place_of(route.run))
            serve = partial(self._serve, route)
            added = application.router.add_route(route.method, route.path, serve)
            if route.head:
                application.router.add_route("HEAD", route.path, serve)
            if route.streams and added.resource is not None:
                streaming.add((route.method, added.resource.canonical))
        return frozenset(streaming)

    async def _serve(self, route: Route, request: web.Request) -> web.StreamResponse:
        try:
            answer: web.StreamResponse = await self._answer(route, request)
        except Refusal as refusal:
            answer = refused(refusal)
        except (web.RequestPayloadError, HttpProcessingError):
            answer = refused(Invalid("The body cannot be read."))
        except (StorageUnavailable, TimeoutError) as error:
            log.warning("unavailable", path=route.path, error=str(error) or type(error).__name__)
            unknown = {"outcome": "unknown"} if isinstance(error, OutcomeUnknown) else None
            answer = refused(Unavailable(details=unknown, retry_after_s=1))
        self._app.metrics.commands.add("rest", f"{route.method} {route.path}", str(answer.status))
        return answer

    async def _answer(self, route: Route, request: web.Request) -> web.StreamResponse:
        settings = self._app.settings
        address, correlation_id = settings.address_of(request), new_id(self._app.clock.now())
        reached = settings.reached_of(request)
        origin = Origin(address, device_of(request), correlation_id, reached)
        if any("\0" in value for value in request.match_info.values()):
            raise NotFound
        ids = {n: value.lower() for n, value in request.match_info.items() if n.endswith("_id")}
        request.match_info.update(ids)
        self._refuse_other_sites(route, request)
        actor = None if route.visitors else await self._identify(request)
        await self._limit(route, actor, address)
        authorise(route, actor)
        return await self._run(route, request, Context(self._app.kernel, actor, origin))

    async def _run(
        self, route: Route, request: web.Request, context: Context
    ) -> web.StreamResponse:
        """Run the route, and charge its work to the user or address, as for a command."""
        if wait_s := self._work.wait_of(context.actor, context.origin):
            raise RateLimited("Too many requests; wait.", retry_after_s=wait_s)
        try:
            response: web.StreamResponse = await route.run(context, request)
        finally:
            account = (context.actor, context.origin)
            self._work.charge(*account, context.spent, len(request[BODY]), answer=0)
        return response

    def _refuse_other_sites(self, route: Route, request: web.Request) -> None:
        """Refuse changes from pages of other sites, whatever credentials they send."""
        if route.cross_site or request.method in SAFE:
            return
        for origin in request.headers.getall("Origin", []):
            if not self._app.settings.allows_origin(origin, request):
                raise Forbidden("This page belongs to another site.")

    async def _identify(self, request: web.Request) -> Actor:
        """The user of the bearer token; raises the same refusals as a connection."""
        headers = request.headers.getall("Authorization", [])
        if len(headers) != 1 or not headers[0].startswith(BEARER):  # two would be ambiguous
            raise TokenMissing
        return await self._app.admission.identify(headers[0].removeprefix(BEARER).strip(), None)

    async def _limit(self, route: Route, actor: Actor | None, address: str) -> None:
        person_id = actor.id if actor else None
        wait = await self._app.limits.take_for(route.rate, person_id, address)
        if wait:
            raise RateLimited(retry_after_s=wait)


def device_of(request: web.BaseRequest) -> str:
    """The client's User-Agent as text that can be stored: invalid characters become `?`."""
    user_agent = request.headers.get("User-Agent", "")[:DEVICE_MAX]
    return user_agent.encode("utf-8", "replace").decode()


def refused(refusal: Refusal) -> web.Response:
    """A refusal as a response: `{error: {code, message, …}}` with the matching status."""
    headers = {"Cache-Control": "no-store"}
    if refusal.retry_after_s:
        headers["Retry-After"] = str(max(1, round(refusal.retry_after_s)))
    return web.Response(
        body=b'{"error":%b}' % error_of(refusal),
        status=STATUS.get(refusal.CODE, 400),
        content_type="application/json",
        headers=headers,
    )
