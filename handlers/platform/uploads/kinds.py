"""The allowed content types, and the guessed types that a file of each may have.

Types that browsers run or render as pages (HTML, SVG, XML, scripts) are not allowed.
"""

from collections.abc import Iterable

from handlers.platform.uploads.magic import GuessedType
from storage.platform.uploads import Kind

TEXTS = ("text/plain", "text/csv")
ZIPPED = ("application/zip",)
_OFFICE = "application/vnd.openxmlformats-officedocument."
_MP4 = ("video/mp4", "video/quicktime", "audio/mp4", "video/x-m4v", "audio/x-m4a", "video/3gpp")
_WEBM = ("video/webm", "audio/webm", "video/x-matroska")
_OGG = ("audio/ogg", "video/ogg", "application/ogg")

IMAGES: dict[str, tuple[str, ...]] = {
    "image/jpeg": ("image/jpeg",),
    "image/png": ("image/png", "image/apng"),
    "image/webp": ("image/webp",),
    "image/gif": ("image/gif",),
}
AUDIO: dict[str, tuple[str, ...]] = {
    "audio/webm": _WEBM,
    "audio/ogg": _OGG,
    "audio/mp4": _MP4,
    "audio/mpeg": ("audio/mpeg",),
    "audio/wav": ("audio/x-wav", "audio/wav"),
    "audio/aac": ("audio/aac",),
}
VIDEO: dict[str, tuple[str, ...]] = {
    "video/mp4": _MP4,
    "video/webm": _WEBM,
    "video/quicktime": _MP4,
}
FILES: dict[str, tuple[str, ...]] = {
    "application/pdf": ("application/pdf",),
    "application/zip": ZIPPED,
    f"{_OFFICE}wordprocessingml.document": (*ZIPPED, f"{_OFFICE}wordprocessingml.document"),
    f"{_OFFICE}spreadsheetml.sheet": (*ZIPPED, f"{_OFFICE}spreadsheetml.sheet"),
    f"{_OFFICE}presentationml.presentation": (
        *ZIPPED,
        f"{_OFFICE}presentationml.presentation",
    ),
    **dict.fromkeys(TEXTS, ()),
}
KINDS: dict[Kind, dict[str, tuple[str, ...]]] = {
    "image": IMAGES,
    "audio": AUDIO,
    "video": VIDEO,
    "file": FILES,
}


def without_parameters(content_type: str) -> str:
    """A content type without parameters, which recorders add: `audio/webm;codecs=opus`."""
    return content_type.partition(";")[0].strip().lower()


def kind_of(content_type: str) -> Kind | None:
    """`image`, `audio`, `video` or `file`; None for a type that is not allowed."""
    return next((kind for kind, types in KINDS.items() if content_type in types), None)


def matches_type(content_type: str, guessed: GuessedType) -> bool:
    """Whether a file with this content type may have this guessed type."""
    if content_type in TEXTS:
        return guessed.is_text  # ignores the magic bytes: some texts begin with "BM"
    return guessed.mime in _expected(KINDS.values(), content_type)


def _expected(kinds: Iterable[dict[str, tuple[str, ...]]], content_type: str) -> tuple[str, ...]:
    return next((types[content_type] for types in kinds if content_type in types), ())
