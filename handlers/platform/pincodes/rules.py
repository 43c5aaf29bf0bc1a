"""The rules of this domain, each of them a setting."""

from typing import Annotated

import msgspec
from msgspec import Meta


class PincodeRules(msgspec.Struct, frozen=True):
    """How long pincodes live, and how often they may be tried."""

    pincode_life_s: Annotated[int, Meta(ge=1, description="lifetime of a pincode")] = 600
    pincode_tries: Annotated[int, Meta(ge=1, description="wrong attempts that lock a pincode")] = 5
    pincodes_per_hour: Annotated[
        int, Meta(ge=1, description="pincodes for one address, per requester")
    ] = 10
    pincodes_kept_s: Annotated[
        int, Meta(ge=3_600, description="how long addresses of unused pincodes are kept")
    ] = 3_600
