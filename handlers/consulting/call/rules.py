"""The rules of this domain; each one is a setting."""

from typing import Annotated, Literal
from urllib.parse import urlsplit

import msgspec
from msgspec import Meta

from handlers.consulting.call.contracts import IceServer
from handlers.kit.settings import UnusableSetting

SCHEMES = {"livekit": ("wss", "ws", "https", "http"), "jitsi": ("https", "http")}
TURN_SCHEMES = ("turn:", "turns:")


class CallRules(msgspec.Struct, frozen=True):
    """How long calls wait for users, and the servers that connect them."""

    call_unheld_s: Annotated[
        int, Meta(ge=1, description="how long a new call waits for both users")
    ] = 60
    call_lost_s: Annotated[int, Meta(ge=1, description="how long a call waits for a lost user")] = (
        60
    )
    ice_servers: Annotated[
        tuple[IceServer, ...], Meta(description="STUN and TURN servers for calls, as JSON")
    ] = ()
    turn_urls: Annotated[
        tuple[str, ...],
        Meta(description="TURN servers that share a secret (turn:… or turns:…), comma-separated"),
    ] = ()
    turn_secret: Annotated[
        str, Meta(description="secret of the TURN servers, coturn's static-auth-secret")
    ] = ""
    video_provider: Annotated[
        Literal["browser", "livekit", "jitsi"],
        Meta(description="what carries new calls: browser (between the users), livekit or jitsi"),
    ] = "browser"
    video_url: Annotated[str, Meta(description="address of the LiveKit or Jitsi server")] = ""
    video_key: Annotated[str, Meta(description="LiveKit's API key, or Jitsi's app id")] = ""
    video_secret: Annotated[str, Meta(description="LiveKit's or Jitsi's secret")] = ""
    call_access_s: Annotated[
        int,
        Meta(ge=60, le=86_400, description="lifetime of TURN credentials and video tokens"),
    ] = 600

    call_quality_kept_days: Annotated[
        int, Meta(ge=1, description="how long the quality of connections in calls is kept")
    ] = 90

    def __post_init__(self) -> None:
        """Raises UnusableSetting for an incomplete provider or TURN server; it shows no secret."""
        self._check_turn()
        if self.video_provider == "browser":
            return
        for name in ("video_url", "video_key", "video_secret"):
            if not getattr(self, name).strip():
                raise UnusableSetting(name, f"{self.video_provider} needs it")
        self._check_url(SCHEMES[self.video_provider])

    def _check_turn(self) -> None:
        for url in self.turn_urls:
            if not url.startswith(TURN_SCHEMES) or not url.partition(":")[2]:
                raise UnusableSetting("turn_urls", f"{url!r} must begin with turn: or turns:")
        if self.turn_urls and not self.turn_secret.strip():
            raise UnusableSetting("turn_secret", "PARLEY_TURN_URLS needs it")
        if self.turn_secret and not self.turn_urls:
            raise UnusableSetting("turn_urls", "PARLEY_TURN_SECRET needs it")

    def _check_url(self, schemes: tuple[str, ...]) -> None:
        try:
            parts = urlsplit(self.video_url)
            usable = parts.scheme in schemes and bool(parts.hostname) and parts.port != 0
        except ValueError:
            usable = False
        if not usable or parts.query or parts.fragment or parts.username:
            begins = " or ".join(f"{scheme}://" for scheme in schemes)
            raise UnusableSetting("video_url", f"it must begin with {begins} and a host name")
