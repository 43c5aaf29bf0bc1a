"""Video providers: what a device needs to take part in a call, by the call's provider.

`browser` needs no service: the two browsers connect directly, or through TURN servers. The others
are services with rooms; a token lets one user into one room for a few minutes.
"""

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import NamedTuple

from handlers.consulting.call.contracts import AccessView
from handlers.consulting.call.providers import jitsi, livekit, turn
from handlers.consulting.call.rules import CallRules
from storage.consulting.call.calls import CallRow, Provider


class Entry(NamedTuple):
    """One user who enters a call at `now`; what they get is valid for `life`."""

    call: CallRow
    user_id: str
    now: datetime
    life: timedelta

    @property
    def is_consultant(self) -> bool:
        return self.user_id == self.call.consultant_id

    @property
    def expires_at(self) -> datetime:
        return self.now + self.life


def open_browser(rules: CallRules, entry: Entry) -> AccessView:
    """The servers that connect two browsers, with TURN credentials of this user."""
    servers = [*rules.ice_servers, *turn.servers_of(rules, entry.user_id, entry.expires_at)]
    expires_at = entry.expires_at if rules.turn_urls else None
    return AccessView(ice_servers=servers, expires_at=expires_at)


def open_livekit(rules: CallRules, entry: Entry) -> AccessView:
    """A token for the call's room of the LiveKit server."""
    room = entry.call.id
    token = livekit.make_token(rules, room, entry.user_id, entry.now, entry.life)
    return AccessView(url=rules.video_url, room=room, token=token, expires_at=entry.expires_at)


def open_jitsi(rules: CallRules, entry: Entry) -> AccessView:
    """A token for the call's room of the Jitsi server; the consultant is the moderator."""
    room, user = entry.call.id, jitsi.User(entry.user_id, entry.is_consultant)
    token = jitsi.make_token(rules, room, user, entry.now, entry.life)
    return AccessView(url=rules.video_url, room=room, token=token, expires_at=entry.expires_at)


OPEN: dict[Provider, Callable[[CallRules, Entry], AccessView]] = {
    "browser": open_browser,
    "livekit": open_livekit,
    "jitsi": open_jitsi,
}
