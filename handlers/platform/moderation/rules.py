"""The rules of this domain, each of them a setting."""

from typing import Annotated, Literal

import msgspec
from msgspec import Meta


class ModerationRules(msgspec.Struct, frozen=True):
    """What is filtered, what flags do, and how many a person may raise."""

    flags_to_hide: Annotated[
        int, Meta(ge=1, description="so many people's flags hide a message until it is looked at")
    ] = 3
    flags_per_hour: Annotated[int, Meta(ge=1, description="flags that a person may raise")] = 30
    text_check: Annotated[Literal["words"], Meta(description="what looks at all that is said")] = (
        "words"
    )
    words_file: Annotated[
        str, Meta(description="list of words that are refused or flagged (default: none are)")
    ] = ""
