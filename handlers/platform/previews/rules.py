"""The rules of this domain, each of them a setting."""

from typing import Annotated

import msgspec
from msgspec import Meta


class PreviewRules(msgspec.Struct, frozen=True):
    """Whether pages behind links are fetched, and how often."""

    link_previews: Annotated[
        bool, Meta(description="whether to fetch and show previews of linked pages")
    ] = False
    previews_per_minute: Annotated[
        int, Meta(ge=1, description="previews per minute, per user and per conversation")
    ] = 10
