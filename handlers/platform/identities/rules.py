"""The rules of this domain, each of them a setting."""

from typing import Annotated

import msgspec
from msgspec import Meta

from handlers.kit.settings import UnusableSetting
from handlers.platform.identities.providers import ProviderName, ProviderSettings, provider_configs


class IdentityRules(msgspec.Struct, frozen=True):
    """Signing in at a provider."""

    oauth_attempt_s: Annotated[
        int, Meta(ge=1, description="time to complete a sign-in with a provider")
    ] = 600
    oauth_ticket_s: Annotated[int, Meta(ge=1, description="lifetime of a sign-in ticket")] = 600
    oauth_redirects: Annotated[
        tuple[str, ...],
        Meta(description="app addresses to which tickets may be sent, comma-separated"),
    ] = ()
    oauth_providers: Annotated[
        dict[ProviderName, ProviderSettings],
        Meta(description="google, apple, facebook and other sign-in providers, as JSON (README)"),
    ] = msgspec.field(default_factory=dict)

    def __post_init__(self) -> None:
        """Raises UnusableSetting for a provider that cannot work; it shows no secret."""
        try:
            provider_configs(self.oauth_providers)
        except ValueError as error:
            raise UnusableSetting("oauth_providers", str(error)) from None
