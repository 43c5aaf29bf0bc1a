"""The rules of this domain; each one is a setting."""

from typing import Annotated

import msgspec
from msgspec import Meta


class ConsultantRules(msgspec.Struct, frozen=True):
    """The status with which new consultants start."""

    consultants_start_active: Annotated[
        bool, Meta(description="whether new consultants are active at once, not pending")
    ] = True
