"""The rules of this domain; each one is a setting."""

from typing import Annotated

import msgspec
from msgspec import Meta


class WaitingRoomRules(msgspec.Struct, frozen=True):
    """When waiting rooms open, how long places are kept, and the assumed length of calls."""

    waiting_room_opens_s: Annotated[
        int, Meta(ge=0, description="how long before the block its waiting room opens")
    ] = 900
    place_kept_s: Annotated[
        int, Meta(ge=1, description="how long a disconnected student keeps a place")
    ] = 60
    consultant_late_s: Annotated[
        int, Meta(ge=0, description="how long after the start a consultant counts as late")
    ] = 120
    usual_call_s: Annotated[
        int, Meta(ge=1, description="assumed call duration for the first ETA")
    ] = 600
