"""The rules of this domain, each of them a setting."""

from typing import Annotated

import msgspec
from msgspec import Meta


class UploadRules(msgspec.Struct, frozen=True):
    """The sizes of files, and how long they may wait."""

    upload_size_mb: Annotated[int, Meta(ge=1, le=5_120, description="largest file")] = 512
    upload_quota_mb: Annotated[int, Meta(ge=1, description="room for a person's files")] = 2_048
    uploads_waiting_max: Annotated[
        int, Meta(ge=1, description="files that a person may have on their way")
    ] = 20
    upload_life_s: Annotated[
        int, Meta(ge=1, description="how long a file may be on its way, or here without any use")
    ] = 86_400
