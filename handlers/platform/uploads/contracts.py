"""What is said about uploads."""

from datetime import datetime
from typing import Annotated, ClassVar, Literal

from msgspec import UNSET, Meta, UnsetType

from handlers.kit.contract import END, Event, Id, Request, View
from handlers.kit.errors import Refusal
from handlers.kit.texts import file_name

SIZE_MOST = 5 * 1024**3
"""S3 copies no more in one piece."""
FileName = Annotated[str, file_name(200)]
ContentType = Annotated[str, Meta(min_length=3, max_length=100, pattern=r"^[ -.0-~]+/[ -~]+" + END)]
Sha256 = Annotated[str, Meta(pattern=r"^[0-9a-f]{64}" + END)]
Kind = Literal["image", "audio", "video", "file"]


class TypeNotAllowed(Refusal):
    """Files of this type cannot be brought here."""


class TooLarge(Refusal):
    """This file is larger than files may be."""


class QuotaExceeded(Refusal):
    """There is no room left for this file."""


class NotUploaded(Refusal):
    """The bytes are not there yet."""


class SizeWrong(Refusal):
    """More or fewer bytes came than were promised."""


class ChecksumWrong(Refusal):
    """Other bytes came than were promised."""


class ContentWrong(Refusal):
    """The bytes are not what the type says, or no picture that we take."""


class StartUpload(Request):
    """`size` in bytes, `sha256` in hexadecimal; what comes in parts may leave the latter out."""

    name: FileName
    content_type: ContentType
    size: Annotated[int, Meta(ge=1, le=SIZE_MOST)]
    sha256: Sha256 | UnsetType = UNSET


class StartPart(Request):
    """The checksum of one part."""

    sha256: Sha256


class CompleteUpload(Request):
    """`poster_id`: a picture of one's own that this video shows before it plays; it is used up."""

    poster_id: Id | None = None


class SignedPut(View):
    """A request to make with just these headers, within five minutes."""

    method: str
    url: str
    headers: dict[str, str]


class UploadView(View):
    """A file on its way or here.

    On its way: `put` brings it whole, or there are `part_size` and the numbers of the `parts` that
    are there. Here: `url` and `thumbnail_url` fetch it, for five minutes.
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
    """A file was checked and can be used."""

    NAME: ClassVar[str] = "UPLOAD_COMPLETED"
    PLAIN: ClassVar[tuple[str, ...]] = ("kind",)
    user_id: str
    kind: str
    size: int


class UploadDue(_OfUpload):
    """A file has been waiting for long, to come or to be used."""

    NAME: ClassVar[str] = "UPLOAD_DUE"


class ObjectsDropped(_OfUpload):
    """Nobody needs these objects any more."""

    NAME: ClassVar[str] = "OBJECTS_DROPPED"
    PLAIN: ClassVar[tuple[str, ...]] = ("keys",)
    keys: list[str]
    parts_id: str | None = None
