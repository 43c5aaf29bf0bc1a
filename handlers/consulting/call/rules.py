"""The rules of this domain; each one is a setting."""

from typing import Annotated

import msgspec
from msgspec import Meta

from handlers.consulting.call.contracts import IceServer


class CallRules(msgspec.Struct, frozen=True):
    """How long calls wait for users, and the servers that connect them."""

    call_unheld_s: Annotated[
        int, Meta(ge=1, description="how long a new call waits for both users")
    ] = 60
    call_lost_s: Annotated[int, Meta(ge=1, description="how long a call waits for a lost user")] = (
        60
    )
    ice_servers: Annotated[
        tuple[IceServer, ...], Meta(description="STUN and TURN servers for calls, as JSON")
    ] = ()
