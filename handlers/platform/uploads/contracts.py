"""Requests, views, events and refusals of uploads."""

from datetime import datetime
from typing import Annotated, ClassVar, Literal

from msgspec import UNSET, Meta, UnsetType

from handlers.kit.contract import END, Bound, Bounds, Event, Id, Request, View
from handlers.kit.errors import Refusal
from handlers.kit.texts import file_name

SIZE_MOST = 5 * 1024**3
"""The maximum size in bytes; S3 copies no larger object in one request."""
NAME_MAX = 200
"""Characters of a file name."""
FileName = Annotated[str, file_name(NAME_MAX)]
ContentType = Annotated[str, Meta(max_length=100, pattern=r"^([ -.0-~]+/[ -~]+)?" + END)]
"""As the browser says it; empty if it does not know."""
Sha256 = Annotated[str, Meta(pattern=r"^[0-9a-f]{64}" + END)]
Kind = Literal["image", "audio", "video", "file"]


class TypeNotAllowed(Refusal):
    """Files of this type are not allowed."""


class TooLarge(Refusal):
    """This file is too large."""


class QuotaExceeded(Refusal):
    """This file exceeds your storage quota."""


class NotUploaded(Refusal):
    """The file is not uploaded completely yet."""


class SizeWrong(Refusal):
    """The size of the file differs from the announced size."""


class ChecksumWrong(Refusal):
    """The file does not match the announced checksum."""


class ContentWrong(Refusal):
    """The content does not match the type, or is not a supported picture."""


class StartUpload(Request):
    """`size` in bytes, at most 25 MiB for a picture; `sha256` in hexadecimal.

    Without `sha256`, a file of any size is uploaded in parts.
    """

    BOUNDS: ClassVar[Bounds] = {"size": Bound("upload_size_mb", unit=1024**2)}
    name: FileName
    content_type: ContentType
    size: Annotated[int, Meta(ge=1, le=SIZE_MOST)]
    sha256: Sha256 | UnsetType = UNSET


class StartPart(Request):
    """The checksum of one part."""

    sha256: Sha256


class CompleteUpload(Request):
    """`poster_id` is a picture of yours that a video shows before it plays; it is consumed."""

    poster_id: Id | None = None


class SignedPut(View):
    """A request to send with exactly these headers within five minutes."""

    method: str
    url: str
    headers: dict[str, str]


class UploadView(View):
    """An uploaded file, or one whose upload is in progress.

    In progress: `put` uploads it whole, or `part_size` and the numbers of the uploaded `parts` are
    given. Ready: `url` and `thumbnail_url` download it for five minutes.
    """

    id: str
    name: str
    content_type: str
    kind: Kind
    size: int
    status: Literal["waiting", "ready"]
    width: int | None
    height: int | None
    created_at: datetime
    put: SignedPut | None = None
    part_size: int | None = None
    parts: list[int] | None = None
    url: str | None = None
    thumbnail_url: str | None = None


class _OfUpload(Event):
    upload_id: str

    def key(self) -> str:
        return f"upload:{self.upload_id}"


class UploadCompleted(_OfUpload):
    """A file passed its checks and can be used."""

    NAME: ClassVar[str] = "UPLOAD_COMPLETED"
    PLAIN: ClassVar[tuple[str, ...]] = ("kind",)
    user_id: str
    kind: str
    size: int


class UploadDue(_OfUpload):
    """A file was not uploaded, or not used, in time."""

    NAME: ClassVar[str] = "UPLOAD_DUE"


class ObjectsDropped(_OfUpload):
    """These stored objects are no longer needed."""

    NAME: ClassVar[str] = "OBJECTS_DROPPED"
    PLAIN: ClassVar[tuple[str, ...]] = ("keys",)
    keys: list[str]
    parts_id: str | None = None
