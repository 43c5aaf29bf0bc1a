"""The bodies of REST requests and responses: the same types as those of commands, as JSON."""

from typing import TypeVar

import msgspec
from aiohttp import web

from handlers.kit.contract import Request, View
from handlers.kit.errors import Invalid

BODY = web.RequestKey("body", bytes)
"""The whole body of a request. The server reads it, within limits, before the handler runs."""
R = TypeVar("R", bound=Request)


def read_body(request: web.Request, kind: type[R]) -> R:
    """The body, decoded as a request of this type; raises Invalid."""
    try:
        return msgspec.json.decode(request[BODY], type=kind)
    except msgspec.ValidationError as error:
        raise Invalid.of(str(error)) from None
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError):
        raise Invalid("Expected a JSON object.") from None


def answer(view: View, status: int = 200) -> web.Response:
    return web.Response(
        body=msgspec.json.encode(view),
        status=status,
        content_type="application/json",
        headers={"Cache-Control": "no-store"},
    )
