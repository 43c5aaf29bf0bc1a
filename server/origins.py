"""Decides which web pages may use this server: those of its public origin and of listed origins.

The Host header does not matter, because an attacker chooses it by pointing a domain at this server
(DNS rebinding). Origins are compared in full: scheme, host and port.
"""

import re
import time
from collections.abc import Iterable

import structlog
from aiohttp import web

log = structlog.get_logger("origins")

LOOPBACK = ("localhost", "127.0.0.1", "[::1]")
LOG_EVERY_S = 60.0
SHOWN_MAX = 200
DEFAULT_PORTS = {"http": 80, "ws": 80, "https": 443, "wss": 443}
PORT_MAX = 65_535
_ORIGIN = re.compile(
    r"([a-z][a-z0-9+.-]*)://(\[[0-9a-f:.]+\]|[a-z0-9_.-]+)(?::([0-9]{1,5}))?",
    re.ASCII | re.IGNORECASE,
)


def origin_of(text: str) -> str | None:
    """`text` as `scheme://host:port` in lower case, without the scheme's default port.

    None if it is not an origin: `null`, a URL with a path, or malformed.
    """
    found = _ORIGIN.fullmatch(text)
    if found is None:
        return None
    scheme, host = found[1].lower(), found[2].lower()
    port = int(found[3]) if found[3] else DEFAULT_PORTS.get(scheme)
    if port is not None and port > PORT_MAX:
        return None
    shown = "" if port in (None, DEFAULT_PORTS.get(scheme)) else f":{port}"
    return f"{scheme}://{host}{shown}"


def shared_with(origin: str) -> dict[str, str]:
    """The headers that let a page of an allowed `origin` read a response."""
    return {
        "Access-Control-Allow-Origin": origin,
        "Access-Control-Expose-Headers": "Content-Disposition, Content-Range, Retry-After",
    }


def preflight(origin: str) -> web.Response:
    """The answer that lets a page of an allowed `origin` make a request."""
    headers = {
        "Access-Control-Allow-Methods": "GET, HEAD, POST, PUT, DELETE",
        "Access-Control-Allow-Headers": (
            "Authorization, Content-Type, Range, If-None-Match, If-Range"
        ),
        "Access-Control-Max-Age": "600",
    }
    return web.Response(status=204, headers=headers | shared_with(origin))


class Origins:
    """The origins that may use one instance."""

    def __init__(self, public: str | None, listed: Iterable[str]) -> None:
        """`public` is our normalised origin; None, for development, allows loopback instead."""
        self._public = public
        self._allowed = frozenset((*listed, *filter(None, (public,))))
        self._logged_at = float("-inf")

    def allows(self, header: str, request: web.BaseRequest) -> bool:
        """Whether a page with the Origin header `header` may make this request."""
        origin = origin_of(header)
        allowed = origin is not None and self._is_allowed(origin, request)
        if not allowed:
            self._log(origin)
        return allowed

    def reached(self, request: web.BaseRequest, schemes: Iterable[str]) -> str:
        """The allowed origin by which this request reached the server; empty if there is none.

        The first of `schemes` with which the Host header is an allowed origin counts.
        """
        for scheme in schemes:
            origin = origin_of(f"{scheme}://{request.host}")
            if origin is not None and self._is_allowed(origin, request):
                return origin
        return ""

    def _is_allowed(self, origin: str, request: web.BaseRequest) -> bool:
        if origin in self._allowed:
            return True
        return self._public is None and origin in _loopback_of(request)

    def _log(self, origin: str | None) -> None:
        """Log a hint for the operator, and quote only valid origins."""
        now = time.monotonic()
        if now - self._logged_at >= LOG_EVERY_S:
            self._logged_at = now
            hint = "set PARLEY_PUBLIC_URL to the address of the page, or list it in PARLEY_ORIGINS"
            log.warning(
                "origin_refused",
                origin=(origin or "malformed")[:SHOWN_MAX],
                ours=self._public,
                hint=hint,
            )


def _loopback_of(request: web.BaseRequest) -> set[str | None]:
    """The loopback origins with the port that received this request."""
    place = request.transport and request.transport.get_extra_info("sockname")
    return {origin_of(f"http://{host}:{place[1]}") for host in LOOPBACK} if place else set()
