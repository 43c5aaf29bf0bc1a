"""A fake LiveKit server: it verifies tokens, keeps rooms, and signs webhooks.

Tokens and webhooks go through the official `livekit-api` package, so that it confirms ours.
"""

import base64
import hashlib
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from aiohttp import web
from joserfc import jwt
from joserfc.jwk import OctKey
from livekit import api

KEY = "devkey"
SECRET = "a secret of LiveKit, long enough for HS256"
PATH = "/calls/livekit"


def settings(url: str) -> dict[str, str]:
    """The settings of a server that uses this one."""
    return {
        "PARLEY_VIDEO_PROVIDER": "livekit",
        "PARLEY_VIDEO_URL": url,
        "PARLEY_VIDEO_KEY": KEY,
        "PARLEY_VIDEO_SECRET": SECRET,
    }


def read_token(token: str) -> Any:
    """The claims of a token, verified by the official package, at any time."""
    return api.TokenVerifier(KEY, SECRET, leeway=timedelta(days=9_000)).verify(token)


def body_of(
    event: str, room: str, at: datetime, user_id: str = "", session: str = "PA_1", **more: Any
) -> str:
    """A webhook as the server writes it: 64-bit integers are texts. `began` is the join."""
    began: datetime = more.pop("began", at)
    webhook: dict[str, Any] = {
        "event": event,
        "id": more.pop("id", "EV_1"),
        "createdAt": str(int(at.timestamp())),
        "room": {"sid": "RM_1", "name": room},
        **more,
    }
    if user_id:
        webhook["participant"] = {
            "sid": session,
            "identity": user_id,
            "state": "ACTIVE",
            "joinedAt": str(int(began.timestamp())),
            "joinedAtMs": str(int(began.timestamp() * 1000)),
        }
    return json.dumps(webhook)


def sign(body: str, *, key: str = KEY, secret: str = SECRET) -> str:
    """The header of a webhook that is sent now: a token with the hash of its body."""
    token = api.AccessToken(key, secret).with_sha256(_digest(body))
    return token.with_ttl(timedelta(minutes=5)).to_jwt()


def signed_at(token: str) -> datetime:
    """When the official package made this token."""
    claims = jwt.decode(token, OctKey.import_key(SECRET), algorithms=["HS256"]).claims
    return datetime.fromtimestamp(claims["nbf"], UTC)


def sign_at(body: str, now: datetime) -> str:
    """The same at another time, which the official package cannot do."""
    claims = {"iss": KEY, "exp": int(now.timestamp()) + 300, "sha256": _digest(body)}
    return jwt.encode({"alg": "HS256"}, claims, OctKey.import_key(SECRET))


def _digest(body: str) -> str:
    return base64.b64encode(hashlib.sha256(body.encode()).digest()).decode()


@dataclass
class FakeLivekit:
    """The rooms of the server, and the requests for them in order."""

    url: str = ""
    failures: int = 0
    """How many of the next requests fail."""
    asked: list[tuple[str, str]] = field(default_factory=list)

    async def answer(self, request: web.Request) -> web.Response:
        if self.failures:
            self.failures -= 1
            return web.json_response({"code": "unavailable"}, status=503)
        token = request.headers["Authorization"].removeprefix("Bearer ")
        assert read_token(token).video.room_create
        method, asked = request.match_info["method"], await request.json()
        name = asked["name" if method == "CreateRoom" else "room"]
        known = [one for one in self.asked if one == ("CreateRoom", name)]
        self.asked.append((method, name))
        if method == "DeleteRoom" and not known:
            return web.json_response({"code": "not_found"}, status=404)
        return web.json_response({})


@asynccontextmanager
async def running_livekit() -> AsyncIterator[FakeLivekit]:
    server = FakeLivekit()
    application = web.Application()
    application.router.add_post("/twirp/livekit.RoomService/{method}", server.answer)
    runner = web.AppRunner(application)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    server.url = f"ws://127.0.0.1:{runner.addresses[0][1]}"
    yield server
    await runner.cleanup()
