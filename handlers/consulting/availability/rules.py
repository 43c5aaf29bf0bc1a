"""The rules of this domain; each one is a setting."""

from typing import Annotated

import msgspec
from msgspec import Meta


class AvailabilityRules(msgspec.Struct, frozen=True):
    """How far ahead blocks are created, and how long waiting-list offers are valid."""

    weeks_ahead: Annotated[int, Meta(ge=1, le=26, description="weeks of blocks created ahead")] = 4
    offer_s: Annotated[int, Meta(ge=1, description="how long a waiting-list offer is valid")] = 900
