"""Reads request bodies, within limits of size and time, before the handler runs.

Invariants:
- A body with a `Content-Encoding` is refused, because a few bytes could decompress to many.
- A body whose `Content-Length` is too large is refused unread. A chunked body is refused at the
  first byte beyond the limit.
- A body must arrive within `BODY_WITHIN_S`, and as much again for each `BODY_MAX` bytes of it.
- Only routes declared with `streams=True`, and the clients' packets (`Bodies.chunks`), read their
  bodies themselves, with their own limits. All others find the body in `request[BODY]`. Methods
  without a body must not have one.
"""

import asyncio
from collections.abc import AsyncIterator
from time import monotonic

from aiohttp import web
from aiohttp.typedefs import Handler

from handlers.kit.rest import BODY
from server.rejections import Kind, Rejections

BODY_MAX = 65_536
BODY_WITHIN_S = 10.0
Resource = tuple[str, str]
"""A method, and a path as aiohttp writes it (`/files/{key}`)."""
WITHOUT_BODY = ("GET", "HEAD", "OPTIONS")
NOT_ENCODED = ("", "identity")


class Bodies:
    """The middleware that reads bodies; one for each instance."""

    def __init__(self, rejections: Rejections) -> None:
        self.streaming: frozenset[Resource] = frozenset()
        """The routes that read their bodies themselves."""
        self._rejections = rejections

    @web.middleware
    async def take(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        encoding = request.headers.get("Content-Encoding", "").strip().lower()
        if encoding not in NOT_ENCODED:
            raise self._rejected("encoded_body", web.HTTPUnsupportedMediaType())
        request[BODY] = await self._read(request) if self._is_read_here(request) else b""
        return await handler(request)

    def _is_read_here(self, request: web.Request) -> bool:
        """Whether to read the body here; without a route, it is not read at all."""
        resource = request.match_info.route.resource
        if resource is None or not request.body_exists:
            return False
        return (request.method, resource.canonical) not in self.streaming

    async def _read(self, request: web.Request) -> bytes:
        if request.method in WITHOUT_BODY:
            raise self._rejected("unexpected_body", web.HTTPBadRequest())
        body = bytearray()
        async for chunk in self.chunks(request, BODY_MAX):
            body += chunk
        return bytes(body)

    async def chunks(self, request: web.Request, size_max: int) -> AsyncIterator[bytes]:
        """The body as it arrives, at most `size_max` bytes; the caller's own time does not count.

        Raises web.HTTPRequestEntityTooLarge and web.HTTPRequestTimeout.
        """
        if (request.content_length or 0) > size_max:
            raise self._rejected("large_body", too_large(size_max))
        left_s, size = BODY_WITHIN_S, 0
        while True:
            began = monotonic()
            chunk = await self._next(request, left_s)
            left_s += BODY_WITHIN_S * len(chunk) / BODY_MAX - (monotonic() - began)
            size += len(chunk)
            if size > size_max:
                raise self._rejected("large_body", too_large(size_max))
            if not chunk:
                return
            yield chunk

    async def _next(self, request: web.Request, within_s: float) -> bytes:
        """What arrived of the body; nothing at its end."""
        try:
            async with asyncio.timeout(within_s):
                return await request.content.readany()
        except TimeoutError:
            raise self._rejected("slow_body", web.HTTPRequestTimeout()) from None

    def _rejected(self, kind: Kind, error: web.HTTPException) -> web.HTTPException:
        """Count the refusal and close the connection, so that the rest of the body is not read."""
        self._rejections.add(kind)
        error.force_close()
        return error


def too_large(size_max: int) -> web.HTTPException:
    return web.HTTPRequestEntityTooLarge(size_max, size_max)
