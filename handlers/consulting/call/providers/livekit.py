"""LiveKit: access tokens, the server API for rooms, and verified webhooks.

See https://docs.livekit.io/home/server/. Rooms have the ids of their calls, and participants the
ids of their users.
"""

import base64
import hashlib
import hmac
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import urlsplit

import aiohttp
import msgspec

from handlers.consulting.call.providers import tokens
from handlers.consulting.call.rules import CallRules
from handlers.kit.errors import Forbidden, Invalid

API_WITHIN_S = 10.0
API_TOKEN_LIFE = timedelta(seconds=60)
EMPTY_ROOM_S = 300
"""After this time, LiveKit removes a room that nobody entered or that everybody left."""
HTTP_SCHEMES = {"ws": "http", "wss": "https"}
SESSION_MAX = 64
_SECOND = timedelta(seconds=1)


class LivekitFailed(Exception):
    """The LiveKit server refused a request, or could not be reached. A retry may succeed."""


class Room(msgspec.Struct):
    name: str = ""


class Participant(msgspec.Struct, rename="camel"):
    sid: str = ""
    identity: str = ""
    joined_at: int = 0
    joined_at_ms: int = 0

    @property
    def began(self) -> datetime | None:
        """When the stay began, if the server says so."""
        seconds = self.joined_at_ms / 1_000 or self.joined_at
        return datetime.fromtimestamp(seconds, UTC) if seconds else None


class Webhook(msgspec.Struct, rename="camel"):
    """An event of the LiveKit server; its times are in whole seconds since the epoch."""

    event: str
    created_at: int
    room: Room = msgspec.field(default_factory=Room)
    participant: Participant = msgspec.field(default_factory=Participant)

    @property
    def at(self) -> datetime:
        """The end of the second of this event, so that no part of a stay is lost."""
        return datetime.fromtimestamp(self.created_at, UTC) + _SECOND


def make_token(rules: CallRules, room: str, user_id: str, now: datetime, life: timedelta) -> str:
    """A token with which one user can join one room, and can publish and subscribe there."""
    grant = {
        "room": room,
        "roomJoin": True,
        "canPublish": True,
        "canSubscribe": True,
        "canPublishData": True,
    }
    claims = {"iss": rules.video_key, "sub": user_id, "video": grant}
    return tokens.sign(rules, claims, now, life)


def read_webhook(rules: CallRules, authorization: str, body: bytes, now: datetime) -> Webhook:
    """A webhook that the LiveKit server signed: its token contains the hash of the body.

    Raises Forbidden for one that it did not sign, and Invalid for one that cannot be read.
    """
    try:
        claims = tokens.read(rules, authorization.removeprefix("Bearer "), now)
    except tokens.TokenRefused:
        raise Forbidden("The webhook is not signed by the video provider.") from None
    digest = base64.b64encode(hashlib.sha256(body).digest())
    if not hmac.compare_digest(digest, str(claims.get("sha256", "")).encode()):
        raise Forbidden("The webhook is not signed by the video provider.")
    return _decode(body)


def _decode(body: bytes) -> Webhook:
    """Raises Invalid, also for times outside the calendar."""
    try:
        read = msgspec.json.decode(body, type=Webhook, strict=False)  # 64-bit integers are texts
        _ = read.at, read.participant.began
    except msgspec.ValidationError as error:
        raise Invalid.of(str(error)) from None
    except (msgspec.DecodeError, RecursionError, ValueError, OverflowError, OSError):
        raise Invalid("Expected a LiveKit webhook.") from None
    if len(read.participant.sid) > SESSION_MAX:
        raise Invalid(details={"path": "$.participant.sid", "expected": f"at most {SESSION_MAX}"})
    return read


async def create_room(rules: CallRules, room: str, now: datetime) -> None:
    """Create a room, unless it exists. Raises LivekitFailed."""
    ask = {"name": room, "emptyTimeout": EMPTY_ROOM_S, "departureTimeout": EMPTY_ROOM_S}
    await _ask(rules, "CreateRoom", {"roomCreate": True}, ask, now)


async def delete_room(rules: CallRules, room: str, now: datetime) -> None:
    """Delete a room, if it exists, and disconnect its participants. Raises LivekitFailed."""
    await _ask(rules, "DeleteRoom", {"roomCreate": True}, {"room": room}, now)


async def _ask(
    rules: CallRules, method: str, grant: dict[str, Any], ask: dict[str, Any], now: datetime
) -> None:
    """Call the server API (Twirp, as JSON). What does not exist needs no deletion."""
    claims = {"iss": rules.video_key, "sub": "parley", "video": grant}
    token = tokens.sign(rules, claims, now, API_TOKEN_LIFE)
    url = f"{_api_url(rules.video_url)}/twirp/livekit.RoomService/{method}"
    headers = {"Authorization": f"Bearer {token}"}
    timeout = aiohttp.ClientTimeout(total=API_WITHIN_S)
    try:
        async with (
            aiohttp.ClientSession(timeout=timeout, cookie_jar=aiohttp.DummyCookieJar()) as session,
            session.post(url, json=ask, headers=headers, allow_redirects=False) as answer,
        ):
            status = answer.status
    except (aiohttp.ClientError, TimeoutError) as error:
        raise LivekitFailed(f"{method}: {type(error).__name__}") from None
    if status not in (200, 404):
        raise LivekitFailed(f"{method}: status {status}")


def _api_url(url: str) -> str:
    parts = urlsplit(url)
    scheme = HTTP_SCHEMES.get(parts.scheme, parts.scheme)
    return parts._replace(scheme=scheme).geturl().rstrip("/")
