"""The rules of this domain, each of them a setting."""

from typing import Annotated

import msgspec
from msgspec import Meta


class PreviewRules(msgspec.Struct, frozen=True):
    """Whether pages behind links are fetched, and how often."""

    link_previews: Annotated[
        bool, Meta(description="whether pages that messages link are fetched and shown")
    ] = False
    previews_per_minute: Annotated[
        int, Meta(ge=1, description="such pages a minute, for a person and for a conversation")
    ] = 10
