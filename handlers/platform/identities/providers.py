"""The configuration of identity providers.

Google, Apple and Facebook have presets; any other OpenID provider needs its issuer.
"""

from collections.abc import Mapping
from typing import Annotated, Any, Literal
from urllib.parse import urlsplit

import msgspec
from joserfc.errors import JoseError
from joserfc.jwk import ECKey
from msgspec import Meta

LOOPBACK = ("localhost", "127.0.0.1", "::1")
TAKEN_NAMES = ("password", "pincode")
"""Names of sign-in methods without a provider."""

Filled = Annotated[str, Meta(min_length=1, max_length=4_000)]
ProviderName = Annotated[str, Meta(pattern=r"^[a-z][a-z0-9-]{0,39}$(?!\n)")]


class ProviderSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The settings of a provider, as the operator gives them."""

    client_id: Filled
    client_secret: str = ""
    issuer: str = ""
    title: str = ""
    scope: str = ""
    client_auth: Literal["", "client_secret_basic", "client_secret_post", "none"] = ""
    """How the client authenticates to the provider; "" selects the default."""
    team_id: str = ""
    key_id: str = ""
    private_key: str = ""
    """Apple's key (PEM, ES256), which signs the client secret."""


class ProviderConfig(msgspec.Struct, frozen=True):
    """The complete configuration of a provider, presets included."""

    name: str
    title: str
    issuer: str
    scope: str
    client_id: str
    client_secret: str
    client_auth: str = ""
    response_mode: str | None = None
    token_endpoint: str | None = None
    """For a provider whose discovery document has none."""
    apple_key: tuple[str, str, str] | None = None
    """The team id, key id and private key."""


GOOGLE = {"title": "Google", "issuer": "https://accounts.google.com"}
APPLE = {
    "title": "Apple",
    "issuer": "https://appleid.apple.com",
    "scope": "openid email name",
    "client_auth": "client_secret_post",
    "response_mode": "form_post",  # Apple requires it for the scopes name and email
}
FACEBOOK = {
    "title": "Facebook",
    "issuer": "https://www.facebook.com",
    "scope": "openid email public_profile",
    "client_auth": "client_secret_post",
    "token_endpoint": "https://graph.facebook.com/v23.0/oauth/access_token",
}
KNOWN: dict[str, dict[str, Any]] = {"google": GOOGLE, "apple": APPLE, "facebook": FACEBOOK}


def provider_configs(providers: Mapping[str, ProviderSettings]) -> tuple[ProviderConfig, ...]:
    """All providers that the operator set; raises ValueError as `provider_config` does."""
    return tuple(provider_config(name, settings) for name, settings in providers.items())


def provider_config(name: str, settings: ProviderSettings) -> ProviderConfig:
    """The configuration of provider `name`; raises ValueError that explains an invalid setting."""
    given = {"title": settings.title, "issuer": settings.issuer, "scope": settings.scope}
    known = {"title": name.capitalize(), "scope": "openid email profile", **KNOWN.get(name, {})}
    known |= {key: value for key, value in given.items() if value}
    if not is_safe(known.get("issuer"), of_loopback=True):
        raise ValueError(f"{name} needs an https issuer")
    if name in TAKEN_NAMES:
        raise ValueError(f"a provider cannot have the name {name}")
    if settings.client_auth:
        known["client_auth"] = settings.client_auth
    return ProviderConfig(
        name=name,
        client_id=settings.client_id,
        client_secret=settings.client_secret,
        apple_key=_apple_key(name, settings),
        **known,
    )


def _apple_key(name: str, settings: ProviderSettings) -> tuple[str, str, str] | None:
    key = (settings.team_id, settings.key_id, settings.private_key)
    if not any(key):
        return None
    if not all(key):
        raise ValueError(f"{name} needs team_id, key_id and private_key together")
    try:
        ECKey.import_key(settings.private_key)
    except (JoseError, ValueError):
        raise ValueError(f"the private_key of {name} is not a valid key") from None
    return key


def is_safe(url: str | None, *, of_loopback: bool) -> bool:
    """Whether a URL uses TLS. `of_loopback` also allows plain loopback URLs, for development."""
    try:
        parts = urlsplit(url or "")
    except ValueError:
        return False
    local = of_loopback and parts.scheme == "http" and parts.hostname in LOOPBACK
    return local or (parts.scheme == "https" and bool(parts.hostname))
