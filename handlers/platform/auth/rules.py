"""The rules of this domain, each of them a setting."""

from typing import Annotated

import msgspec
from msgspec import Meta


class AuthRules(msgspec.Struct, frozen=True):
    """Passwords, tokens, sessions and known devices."""

    password_length_min: Annotated[int, Meta(ge=8, le=64, description="shortest password")] = 8
    access_token_life_s: Annotated[int, Meta(ge=5, description="life of an access token")] = 900
    refresh_token_life_days: Annotated[int, Meta(ge=1, description="life of an unused session")] = (
        60
    )
    refresh_repeat_s: Annotated[
        int, Meta(ge=0, description="how long a spent refresh token repeats its answer")
    ] = 30
    fresh_proof_s: Annotated[
        int, Meta(ge=1, description="how long a proof of who one is counts as fresh")
    ] = 600
    sessions_kept_days: Annotated[
        int, Meta(ge=1, description="how long one sees from where ended sessions were")
    ] = 30
    devices_known_days: Annotated[
        int, Meta(ge=1, description="how long an unused device stays known to its account")
    ] = 180
