"""The rules of this domain; each one is a setting."""

from typing import Annotated

import msgspec
from msgspec import Meta


class BookingRules(msgspec.Struct, frozen=True):
    """How long a request holds its place while it waits for an answer."""

    request_hold_s: Annotated[int, Meta(ge=1, description="how long a request holds a place")] = (
        86_400
    )
    instant_hold_s: Annotated[
        int, Meta(ge=1, description="how long a request_now waits for an answer")
    ] = 120
