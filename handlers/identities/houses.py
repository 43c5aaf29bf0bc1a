"""The houses where people sign in: which there are, and what of each is known before it is asked.

Google, Apple and Facebook are known by name; any other OpenID provider by its issuer.
"""

from typing import Annotated, Any

import msgspec
from msgspec import Meta

Filled = Annotated[str, Meta(min_length=1, max_length=4_000)]
ProviderName = Annotated[str, Meta(pattern=r"^[a-z][a-z0-9-]{0,39}$(?!\n)")]


class HouseSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What an operator says of a provider."""

    client_id: Filled
    client_secret: str = ""
    issuer: str = ""
    title: str = ""
    scope: str = ""
    client_auth: str = ""
    """How the client shows its secret: client_secret_basic, client_secret_post or none."""
    team_id: str = ""
    key_id: str = ""
    private_key: str = ""
    """Apple's key (PEM, ES256), with which the client's secret is made."""


class House(msgspec.Struct, frozen=True):
    """A provider, as it is asked."""

    name: str
    title: str
    issuer: str
    scope: str
    client_id: str
    client_secret: str
    client_auth: str = ""
    response_mode: str | None = None
    token_endpoint: str | None = None
    """For a house whose discovery document has none."""
    apple_key: tuple[str, str, str] | None = None
    """Team, key id and private key."""


GOOGLE = {"title": "Google", "issuer": "https://accounts.google.com"}
APPLE = {
    "title": "Apple",
    "issuer": "https://appleid.apple.com",
    "scope": "openid email name",
    "client_auth": "client_secret_post",
    "response_mode": "form_post",  # Apple's rule, where a name or an address is asked for
}
FACEBOOK = {
    "title": "Facebook",
    "issuer": "https://www.facebook.com",
    "scope": "openid email public_profile",
    "client_auth": "client_secret_post",
    "token_endpoint": "https://graph.facebook.com/v23.0/oauth/access_token",
}
KNOWN: dict[str, dict[str, Any]] = {"google": GOOGLE, "apple": APPLE, "facebook": FACEBOOK}


def house_of(name: str, settings: HouseSettings) -> House:
    """The provider `name`; raises ValueError with what is wrong in its settings."""
    given = {key: value for key in ("title", "issuer", "scope") if (value := _of(settings, key))}
    known = {"title": name.capitalize(), "scope": "openid email profile", **KNOWN.get(name, {})}
    known |= given
    if not known.get("issuer"):
        raise ValueError(f"{name} needs an issuer")
    if settings.client_auth:
        known["client_auth"] = settings.client_auth
    return House(
        name=name,
        client_id=settings.client_id,
        client_secret=settings.client_secret,
        apple_key=_apple_key(name, settings),
        **known,
    )


def _of(settings: HouseSettings, name: str) -> str:
    value: str = getattr(settings, name)
    return value


def _apple_key(name: str, settings: HouseSettings) -> tuple[str, str, str] | None:
    key = (settings.team_id, settings.key_id, settings.private_key)
    if not any(key):
        return None
    if not all(key):
        raise ValueError(f"{name} needs team_id, key_id and private_key together")
    return key
