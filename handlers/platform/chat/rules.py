"""The rules of this domain, each of them a setting."""

from typing import Annotated

import msgspec
from msgspec import Meta


class ChatRules(msgspec.Struct, frozen=True):
    """Messages, read marks and groups."""

    read_mark_every_s: Annotated[
        float, Meta(ge=0, description="minimum interval between a user's read marks")
    ] = 1.0
    gathered_marks_every_s: Annotated[
        float,
        Meta(ge=0, description="interval between the marks of a conversation of more than five"),
    ] = 3.0
    message_edit_s: Annotated[int, Meta(ge=0, description="how long a message can be edited")] = (
        86_400
    )
    message_delete_s: Annotated[
        int, Meta(ge=0, description="how long a message can be deleted for everyone")
    ] = 172_800
    group_members_max: Annotated[int, Meta(ge=2, description="members per group")] = 1_000
