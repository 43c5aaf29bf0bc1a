"""The server's HTTP endpoints: the page and its files, health, metrics and documentation."""

import asyncio
import base64
import hashlib
import json
import re
from pathlib import Path
from typing import TYPE_CHECKING

import structlog
from aiohttp import web
from aiohttp.typedefs import Handler
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest

from handlers.kit.errors import RateLimited
from handlers.kit.networks import network_of
from server import page_files
from server.catalog import Catalog
from server.logs import where
from server.origins import preflight, shared_with
from server.page_files import CLIENT, PageFiles
from server.rest import Rest, refused
from server.systems import systems_off

if TYPE_CHECKING:
    from server.app import App

log = structlog.get_logger("http")

ROOT = Path(__file__).parent.parent
HANDSHAKE = "/socket.io/"
BYTES_PER_REQUEST = 16_384
"""An answer counts as one more request for each of these; files have their own rate."""
PAGE_FILES = ("/client/", "/vendor/")
PAGE_FILE_COUNTS = 0.2
"""Opening the page takes a hundred cheap requests, and three hundred users may share an address."""
SLASHES_PER_REQUEST = 100
REFUSED_AFTER_S = 1.0
"""The delay of a refusal, which costs a fifth of an answer: a client that ignores refusals gets one
per second and connection."""
PATH_MAX = 255
"""Maximum characters in the path of a page file: the cost of resolving it grows with them."""
TYPES = {
    ".js": "text/javascript",
    ".mjs": "text/javascript",
    ".css": "text/css",
    ".html": "text/html",
    ".svg": "image/svg+xml",
    ".json": "application/json",
    ".webmanifest": "application/manifest+json",
    ".ts": "text/plain",
    ".png": "image/png",
}
CODES = {
    404: "NOT_FOUND",
    405: "METHOD_NOT_ALLOWED",
    413: "TOO_LARGE",
    429: "RATE_LIMITED",
    500: "INTERNAL",
    503: "UNAVAILABLE",
}
METHOD_NOT_ALLOWED = 405
NO_FRAMES = "frame-ancestors 'none'"
NO_PAGE = f"default-src 'none'; {NO_FRAMES}"
"""For responses that are not pages: a browser that opens one as a page loads and runs nothing."""
NO_SYSTEMS = '<meta name="parley-systems" content="">'
"""The element that tells the page the served systems and the domains that have pages."""
IMPORT_MAP = re.compile(r'<script type="importmap">(.*?)</script>', re.DOTALL)


def build_web(app: "App") -> web.Application:
    """The aiohttp application."""
    site, bodies = Site(app), app.bodies
    application = web.Application(
        middlewares=[site.share, harden, site.limit, bodies.take, site.refuse_while_stopping]
    )
    application.router.add_get("/", site.page)
    application.router.add_get("/client/{path:.+}", site.client_file)
    application.router.add_get("/vendor/{path:.+}", site.vendor_file)
    application.router.add_get("/health", site.ready)
    application.router.add_get("/health/live", site.live)
    application.router.add_get("/health/ready", site.ready)
    application.router.add_get("/metrics", site.metrics)
    application.router.add_get("/docs", site.docs)
    application.router.add_get("/docs/asyncapi.json", site.asyncapi)
    application.router.add_get("/docs/contracts.d.ts", site.contracts)
    bodies.streaming = Rest(app).add_to(application) | {("POST", HANDSHAKE)}
    return application


@web.middleware
async def harden(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Send errors as `{error: {code, message}}`, and every response with security headers."""
    try:
        response: web.StreamResponse = await handler(request)
    except web.HTTPException as error:
        response = error_response(error.status, error.reason)
        if error.keep_alive is False:
            response.force_close()
    except ConnectionError:
        raise  # the client is gone
    except Exception as raised:
        error_name, places = type(raised).__name__, where(raised)
        log.error("request_failed", path=request.path, error=error_name, where=places)
        response = error_response(500, "Something broke on our side; it has been logged.")
    if not response.prepared:
        set_security_headers(response)
    return response


def set_security_headers(response: web.StreamResponse) -> None:
    """Set headers so that browsers do not frame a response, guess its type, or run a non-page."""
    headers = response.headers
    headers.setdefault("X-Content-Type-Options", "nosniff")
    headers.setdefault("Referrer-Policy", "no-referrer")
    headers.setdefault("X-Frame-Options", "DENY")
    headers["Server"] = "Parley"  # instead of library versions
    headers.setdefault("Content-Security-Policy", NO_PAGE)
    if response.content_type == "text/html":
        headers.setdefault("Cross-Origin-Opener-Policy", "same-origin")


def error_response(status: int, reason: str) -> web.Response:
    code = CODES.get(status, "INVALID")
    return web.json_response({"error": {"code": code, "message": reason}}, status=status)


class Site:
    """The handlers, with their access to the instance."""

    def __init__(self, app: "App") -> None:
        self._app = app
        self._catalog = Catalog(app.registry, app.settings.rules)
        self._vendor = self._read_vendor()
        self._files = PageFiles()
        self._parts = page_files.parts_of(app.settings.systems)
        self._off = systems_off(app.settings.systems)

    @web.middleware
    async def share(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        """Let pages of allowed origins make requests and read the responses."""
        response = await handler(request)
        origin = request.headers.get("Origin")
        if response.prepared:
            return response
        response.headers.add("Vary", "Origin")
        if origin is None or not self._app.settings.allows_origin(origin, request):
            return response
        if request.method == "OPTIONS" and response.status == METHOD_NOT_ALLOWED:
            response = preflight(origin)  # the path has another method
        response.headers.update(shared_with(origin))
        return response

    @web.middleware
    async def limit(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        """Apply the rate of requests per address; a long answer counts as several requests.

        A refusal is delayed, which slows down a client that ignores refusals.
        """
        limits, network = self._app.limits, network_of(self._app.settings.address_of(request))
        if wait_s := limits.take_here("requests", network, cost_of(request.path)):
            self._app.rejections.add("request_rate")
            await asyncio.sleep(REFUSED_AFTER_S)
            return refused(RateLimited(retry_after_s=wait_s))
        response = await handler(request)
        if isinstance(response, web.Response) and isinstance(response.body, bytes):
            limits.charge("requests", network, len(response.body) // BYTES_PER_REQUEST)
        return response

    @web.middleware
    async def refuse_while_stopping(
        self, request: web.Request, handler: Handler
    ) -> web.StreamResponse:
        """Refuse new connections while stopping, so that a proxy tries another instance."""
        if self._app.stopping and request.path == HANDSHAKE and not self._knows(request):
            return error_response(503, "this instance is about to stop")
        return await handler(request)

    def _knows(self, request: web.Request) -> bool:
        return request.query.get("sid") in self._app.sockets.eio.sockets

    async def live(self, request: web.Request) -> web.Response:
        """Report that the process answers."""
        return web.json_response({"status": "live"})

    async def ready(self, request: web.Request) -> web.Response:
        """Report whether the instance can serve: database and bus work, and it is not stopping."""
        app = self._app
        if not app.stopping and app.bus.well and await app.database.ready():
            return web.json_response({"status": "ready"})
        return error_response(503, "this instance cannot serve now")

    async def metrics(self, request: web.Request) -> web.Response:
        app = self._app
        held = {**app.rooms.counts(), **app.capacity.counts(), "tasks": len(asyncio.all_tasks())}
        for what, count in held.items():
            app.metrics.held.labels(what).set(count)
        for kind, waiting in app.database.waits.now.items():
            app.metrics.database_waiting.labels(kind).set(waiting)
        await app.domain_metrics.refresh()
        body = generate_latest(self._app.metrics.registry)
        return web.Response(body=body, headers={"Content-Type": CONTENT_TYPE_LATEST})

    async def docs(self, request: web.Request) -> web.Response:
        return self._html(self._catalog.page(), docs_policy())

    async def asyncapi(self, request: web.Request) -> web.Response:
        return web.Response(text=self._catalog.asyncapi_json(), content_type="application/json")

    async def contracts(self, request: web.Request) -> web.Response:
        return web.Response(text=self._catalog.contracts(), content_type="text/plain")

    async def page(self, request: web.Request) -> web.Response:
        """The page; its policy allows its one inline script, the import map, by hash."""
        page = page_files.versioned((CLIENT / "index.html").read_text())
        page = page.replace(NO_SYSTEMS, f'{NO_SYSTEMS[:-2]}{" ".join(self._parts)}">')
        return self._html(page, page_policy(page, self._app.kernel.objects.origin))

    async def client_file(self, request: web.Request) -> web.Response:
        if len(request.match_info["path"]) > PATH_MAX:
            raise web.HTTPNotFound
        found = page_files.find(request.match_info["path"])
        if found is None or found[0].suffix not in TYPES:
            raise web.HTTPNotFound
        path, cache_control = found
        if path.relative_to(CLIENT).parts[0] in self._off:
            raise web.HTTPNotFound
        return self._files.answer(request, path, TYPES[path.suffix], cache_control)

    async def vendor_file(self, request: web.Request) -> web.Response:
        """A file of an npm package, if `vendor.json` lists it."""
        path = self._vendor.get(request.path)
        if path is None or not path.is_file():
            raise web.HTTPNotFound
        kind = TYPES[path.suffix]
        return self._files.answer(request, path, kind, page_files.ASKED_EACH_TIME)

    def _html(self, page: str, policy: str) -> web.Response:
        headers = {"Content-Security-Policy": policy, "Cache-Control": "no-cache"}
        return web.Response(text=page, content_type="text/html", headers=headers)

    def _read_vendor(self) -> dict[str, Path]:
        file = CLIENT / "vendor.json"
        listed = json.loads(file.read_text()) if file.exists() else {}
        return {url: ROOT / path for url, path in listed.items()}


def cost_of(path: str) -> float:
    """The cost of a request for `path` in requests; each slash makes finding a route slower."""
    if path.startswith(PAGE_FILES) and len(path) <= PATH_MAX:
        return PAGE_FILE_COUNTS
    return 1 + path.count("/") // SLASHES_PER_REQUEST


def docs_policy() -> str:
    """The content security policy of the catalog's page: only its style sheet."""
    return f"default-src 'none'; style-src 'self'; base-uri 'none'; form-action 'none'; {NO_FRAMES}"


def page_policy(page: str, files: str | None = None) -> str:
    """The content security policy of a page with one import map.

    `files` is the origin of uploaded files, if that differs from the page's.
    """
    beside = f" {files}" if files else ""
    found = IMPORT_MAP.search(page)
    digest = hashlib.sha256((found[1] if found else "").encode()).digest()
    inline = f"'sha256-{base64.b64encode(digest).decode()}'"
    return "; ".join(
        (
            "default-src 'none'",
            f"script-src 'self' {inline}",
            "style-src 'self'",
            f"connect-src 'self'{beside}",
            f"img-src 'self'{beside}",
            f"media-src 'self' blob:{beside}",
            "font-src 'self'",
            "manifest-src 'self'",
            "base-uri 'none'",
            "form-action 'self'",
            NO_FRAMES,
            "require-trusted-types-for 'script'",
            "trusted-types 'none'",
        )
    )
