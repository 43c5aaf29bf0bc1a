"""The rules of this domain, each of them a setting."""

from typing import Annotated

import msgspec
from msgspec import Meta


class ModerationRules(msgspec.Struct, frozen=True):
    """What flags do, and how many a person may raise."""

    flags_to_hide: Annotated[
        int, Meta(ge=1, description="so many people's flags hide a message until it is looked at")
    ] = 3
    flags_per_hour: Annotated[int, Meta(ge=1, description="flags that a person may raise")] = 30
