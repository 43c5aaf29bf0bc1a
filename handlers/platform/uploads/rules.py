"""The rules of this domain, each of them a setting."""

from typing import Annotated

import msgspec
from msgspec import Meta


class UploadRules(msgspec.Struct, frozen=True):
    """The sizes of files, and how long they may wait."""

    upload_size_mb: Annotated[int, Meta(ge=1, le=5_120, description="maximum file size")] = 512
    upload_quota_mb: Annotated[int, Meta(ge=1, description="storage quota per user")] = 2_048
    uploads_waiting_max: Annotated[int, Meta(ge=1, description="unfinished uploads per user")] = 20
    upload_life_s: Annotated[
        int, Meta(ge=1, description="how long unfinished uploads and unused files are kept")
    ] = 86_400
