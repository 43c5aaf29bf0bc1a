"""The rules of this domain, each of them a setting."""

from typing import Annotated

import msgspec
from msgspec import Meta


class ConsultantRules(msgspec.Struct, frozen=True):
    """How consultants begin."""

    consultants_start_active: Annotated[
        bool, Meta(description="whether new consultants are active at once, not pending")
    ] = True
