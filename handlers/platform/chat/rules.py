"""The rules of this domain, each of them a setting."""

from typing import Annotated

import msgspec
from msgspec import Meta


class ChatRules(msgspec.Struct, frozen=True):
    """Messages, read marks and groups."""

    read_mark_every_s: Annotated[
        float, Meta(ge=0, description="at most one mark event a person in this time")
    ] = 1.0
    message_edit_s: Annotated[
        int, Meta(ge=0, description="how long one may edit what one said")
    ] = 86_400
    message_delete_s: Annotated[
        int, Meta(ge=0, description="how long one may take back what one said")
    ] = 172_800
    group_members_max: Annotated[int, Meta(ge=2, description="largest group")] = 1_000
