"""The rules of this domain, each of them a setting."""

from typing import Annotated

import msgspec
from msgspec import Meta


class PersonalDataRules(msgspec.Struct, frozen=True):
    """Exports of personal data, and the deletion of accounts."""

    exports_per_day: Annotated[int, Meta(ge=1, description="exports a person may ask for")] = 3
    exports_kept_days: Annotated[int, Meta(ge=1, description="how long an export is kept")] = 7
    export_progress_every_s: Annotated[
        float, Meta(ge=0, description="at most one event of an export's progress in this time")
    ] = 1.0
    deletion_grace_days: Annotated[
        int, Meta(ge=1, description="how long an account's deletion can be taken back")
    ] = 30
