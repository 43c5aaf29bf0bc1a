"""The rules of this domain, each of them a setting."""

from typing import Annotated

import msgspec
from msgspec import Meta


class AvailabilityRules(msgspec.Struct, frozen=True):
    """Blocks that are made ahead, and offers of the waiting list."""

    weeks_ahead: Annotated[int, Meta(ge=1, le=26, description="weeks of blocks created ahead")] = 4
    offer_s: Annotated[int, Meta(ge=1, description="how long a waiting-list offer is valid")] = 900
