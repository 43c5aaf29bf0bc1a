"""The rules of this domain, each of them a setting."""

from typing import Annotated

import msgspec
from msgspec import Meta


class PersonalDataRules(msgspec.Struct, frozen=True):
    """Exports of personal data, and the deletion of accounts."""

    exports_per_day: Annotated[int, Meta(ge=1, description="exports per user")] = 3
    exports_kept_days: Annotated[int, Meta(ge=1, description="how long an export is kept")] = 7
    export_progress_every_s: Annotated[
        float, Meta(ge=0, description="minimum interval between progress events of an export")
    ] = 1.0
    deletion_grace_days: Annotated[
        int, Meta(ge=1, description="how long a user can cancel an account deletion")
    ] = 30
