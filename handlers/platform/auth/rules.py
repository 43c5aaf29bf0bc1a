"""The rules of this domain, each of them a setting."""

from pathlib import Path
from typing import Annotated

import msgspec
from msgspec import Meta

from handlers.kit.settings import UnusableSetting


class AuthRules(msgspec.Struct, frozen=True):
    """Passwords, tokens, sessions and known devices."""

    password_length_min: Annotated[
        int, Meta(ge=8, le=64, description="minimum password length")
    ] = 8
    access_token_life_s: Annotated[int, Meta(ge=5, description="lifetime of an access token")] = 900
    refresh_token_life_days: Annotated[
        int, Meta(ge=1, description="lifetime of an unused session")
    ] = 60
    refresh_repeat_s: Annotated[
        int, Meta(ge=0, description="how long a used refresh token repeats its answer")
    ] = 30
    fresh_proof_s: Annotated[
        int, Meta(ge=1, description="how long a proof of identity counts as fresh")
    ] = 600
    sessions_kept_days: Annotated[
        int, Meta(ge=1, description="how long the device and place of ended sessions are kept")
    ] = 30
    devices_known_days: Annotated[
        int, Meta(ge=1, description="how long an account recognizes an unused device")
    ] = 180
    places_file: Annotated[
        str, Meta(description="MaxMind database (.mmdb) that locates IP addresses")
    ] = ""

    def __post_init__(self) -> None:
        if self.places_file and not Path(self.places_file).is_file():
            raise UnusableSetting("places_file", "the file does not exist")
