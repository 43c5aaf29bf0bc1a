"""The rules of this domain, each of them a setting."""

from typing import Annotated

import msgspec
from msgspec import Meta


class BookingRules(msgspec.Struct, frozen=True):
    """How long requests hold their places."""

    request_hold_s: Annotated[int, Meta(ge=1, description="how long a request holds a place")] = (
        86_400
    )
    instant_hold_s: Annotated[
        int, Meta(ge=1, description="how long a request_now waits for an answer")
    ] = 120
