"""The rules of this domain, each of them a setting."""

from typing import Annotated

import msgspec
from msgspec import Meta


class NotificationRules(msgspec.Struct, frozen=True):
    """How long notifications are kept."""

    notifications_kept_days: Annotated[
        int, Meta(ge=1, description="how long notifications are kept")
    ] = 365
