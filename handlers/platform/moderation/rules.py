"""The rules of this domain, each of them a setting."""

from typing import Annotated, Literal

import msgspec
from msgspec import Meta


class ModerationRules(msgspec.Struct, frozen=True):
    """The text filter, and the effects and limits of flags."""

    flags_to_hide: Annotated[
        int, Meta(ge=1, description="users whose flags hide a message until a moderator decides")
    ] = 3
    flags_per_hour: Annotated[int, Meta(ge=1, description="flags per user")] = 30
    text_check: Annotated[Literal["words"], Meta(description="the filter for user texts")] = "words"
    words_file: Annotated[
        str, Meta(description="list of refused and flagged words (default: none)")
    ] = ""
