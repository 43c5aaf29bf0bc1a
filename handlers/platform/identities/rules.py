"""The rules of this domain, each of them a setting."""

from typing import Annotated

import msgspec
from msgspec import Meta


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
