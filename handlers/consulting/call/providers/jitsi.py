"""Jitsi Meet: tokens by which a self-hosted server lets users into rooms.

Jitsi sends no webhooks by default, so the talked time follows our own presence.
See https://github.com/jitsi/lib-jitsi-meet/blob/master/doc/tokens.md.
"""

from datetime import datetime, timedelta
from typing import NamedTuple
from urllib.parse import urlsplit

from handlers.consulting.call.providers import tokens
from handlers.consulting.call.rules import CallRules

AUDIENCE = "jitsi"


class User(NamedTuple):
    id: str
    is_moderator: bool


def make_token(rules: CallRules, room: str, user: User, now: datetime, life: timedelta) -> str:
    """A token for one user and one room."""
    affiliation = "owner" if user.is_moderator else "member"
    about = {"id": user.id, "moderator": user.is_moderator, "affiliation": affiliation}
    claims = {
        "aud": AUDIENCE,
        "iss": rules.video_key,
        "sub": urlsplit(rules.video_url).hostname,
        "room": room,
        "context": {"user": about},
    }
    return tokens.sign(rules, claims, now, life)
