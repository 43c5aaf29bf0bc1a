"""The accepted types: what browsers call them, how their files are named, and their magic bytes.

Browsers take the type of a file from its name, each with its own list, and know nothing for many
names. Types that browsers run or render as pages (HTML, SVG, XML, scripts) are not accepted under
any name.
"""

from typing import NamedTuple

from handlers.platform.uploads.contracts import NAME_MAX
from handlers.platform.uploads.magic import GuessedType
from storage.platform.uploads import Kind

TEXTS = ("text/plain", "text/csv")
UNKNOWN = frozenset(
    {
        *("", "application/octet-stream", "binary/octet-stream", "application/binary"),
        *("application/unknown", "application/x-unknown", "unknown/unknown"),
        *("application/download", "application/x-download", "application/force-download"),
    }
)
"""What clients say if they do not know a type; the name of the file decides."""
_ACTIVE = frozenset(
    {
        *("html", "htm", "xhtml", "xht", "shtml", "mht", "mhtml", "hta", "svg", "svgz"),
        *("xml", "xsl", "xslt", "js", "mjs", "wsf", "vbs"),
    }
)
"""Extensions by which a system opens a downloaded file in a browser or runs it, whatever it is."""
_OOXML = "application/vnd.openxmlformats-officedocument."
DOCX = f"{_OOXML}wordprocessingml.document"
XLSX = f"{_OOXML}spreadsheetml.sheet"
PPTX = f"{_OOXML}presentationml.presentation"
_ODF = "application/vnd.oasis.opendocument."
_ZIPPED = (
    *("application/zip", "application/epub+zip", DOCX, XLSX, PPTX),
    *(f"{_ODF}text", f"{_ODF}spreadsheet", f"{_ODF}presentation"),
)
_MP4 = ("video/mp4", "video/quicktime", "audio/mp4", "video/x-m4v", "audio/x-m4a", "video/3gpp")
_WEBM = ("video/webm", "audio/webm", "video/x-matroska")
_OGG = ("audio/ogg", "video/ogg", "application/ogg")


class Accepted(NamedTuple):
    """One accepted type: its other names in use, its extensions, and what its content may look like
    (`GuessedType.mime`). Pictures are not guessed but decoded, and texts have no magic bytes."""

    kind: Kind
    names: tuple[str, ...]
    extensions: tuple[str, ...]
    guesses: tuple[str, ...] = ()


ACCEPTED = {
    "image/jpeg": Accepted(
        "image",
        ("image/jpg", "image/pjpeg", "image/x-jpeg", "image/jfif", "image/x-citrix-jpeg"),
        ("jpg", "jpeg", "jpe", "jfif", "pjpeg", "pjp"),
    ),
    "image/png": Accepted(
        "image",
        ("image/x-png", "image/apng", "image/vnd.mozilla.apng", "image/x-citrix-png"),
        ("png", "apng"),
    ),
    "image/webp": Accepted("image", ("image/x-webp",), ("webp",)),
    "image/gif": Accepted("image", ("image/x-gif", "image/x-citrix-gif"), ("gif",)),
    "image/heic": Accepted(
        "image",
        (
            *("image/heif", "image/heic-sequence", "image/heif-sequence"),
            *("image/x-heic", "image/x-heif"),
        ),
        ("heic", "heif", "heics", "heifs", "hif"),
    ),
    "image/avif": Accepted("image", ("image/avif-sequence", "image/x-avif"), ("avif", "avifs")),
    "audio/webm": Accepted("audio", ("audio/x-matroska", "audio/matroska"), ("weba",), _WEBM),
    "audio/ogg": Accepted(
        "audio",
        (
            *("audio/x-ogg", "audio/opus", "audio/x-opus", "audio/x-opus+ogg", "audio/vorbis"),
            *("audio/x-vorbis", "audio/x-vorbis+ogg", "application/ogg", "application/x-ogg"),
        ),
        ("ogg", "oga", "opus"),
        _OGG,
    ),
    "audio/mp4": Accepted(
        "audio",
        (
            *("audio/m4a", "audio/x-m4a", "audio/x-mp4", "audio/mp4a-latm", "audio/m4b"),
            *("audio/x-m4b", "audio/x-m4p", "audio/3gpp", "audio/3gpp2"),
        ),
        ("m4a", "m4b"),
        _MP4,
    ),
    "audio/mpeg": Accepted(
        "audio",
        (
            *("audio/mp3", "audio/x-mp3", "audio/mpeg3", "audio/x-mpeg-3", "audio/x-mpeg3"),
            *("audio/x-mpeg", "audio/mpg", "audio/x-mpg", "audio/mpa", "audio/x-mpegaudio"),
        ),
        ("mp3", "mpga"),
        ("audio/mpeg",),
    ),
    "audio/wav": Accepted(
        "audio",
        ("audio/x-wav", "audio/wave", "audio/x-wave", "audio/vnd.wave", "audio/x-pn-wav"),
        ("wav", "wave"),
        ("audio/x-wav", "audio/wav"),
    ),
    "audio/aac": Accepted(
        "audio",
        (
            *("audio/x-aac", "audio/aacp", "audio/x-aacp", "audio/aac-adts", "audio/vnd.dlna.adts"),
            "audio/x-hx-aac-adts",
        ),
        ("aac", "adts"),
        ("audio/aac",),
    ),
    "video/mp4": Accepted(
        "video",
        (
            *("video/x-mp4", "video/m4v", "video/x-m4v", "video/mpeg4", "video/mp4v-es"),
            *("application/mp4", "video/3gpp", "video/3gpp2", "video/3gp"),
        ),
        ("mp4", "m4v", "mp4v", "3gp", "3gpp", "3g2"),
        _MP4,
    ),
    "video/webm": Accepted(
        "video", ("video/x-matroska", "video/matroska", "video/x-webm"), ("webm", "mkv"), _WEBM
    ),
    "video/quicktime": Accepted("video", ("video/x-quicktime", "video/mov"), ("mov", "qt"), _MP4),
    "application/pdf": Accepted(
        "file",
        (
            *("application/x-pdf", "application/vnd.pdf", "application/acrobat"),
            *("applications/vnd.pdf", "text/pdf", "text/x-pdf", "application/x-bzpdf"),
        ),
        ("pdf",),
        ("application/pdf",),
    ),
    "application/zip": Accepted(
        "file",
        (
            *("application/x-zip-compressed", "application/x-zip", "application/zip-compressed"),
            *("application/x-compressed", "multipart/x-zip"),
        ),
        ("zip",),
        _ZIPPED,
    ),
    DOCX: Accepted("file", (), ("docx",), ("application/zip", DOCX)),
    XLSX: Accepted("file", (), ("xlsx",), ("application/zip", XLSX)),
    PPTX: Accepted("file", (), ("pptx",), ("application/zip", PPTX)),
    "text/csv": Accepted(
        "file",
        (
            *("text/x-csv", "application/csv", "application/x-csv"),
            *("text/comma-separated-values", "text/x-comma-separated-values"),
        ),
        ("csv",),
    ),
    "text/plain": Accepted(
        "file",
        (
            *("text/x-log", "text/markdown", "text/x-markdown", "text/x-web-markdown"),
            *("text/x-readme", "text/x-nfo", "text/x-diff", "text/x-patch", "text/x-tex"),
            *("text/tab-separated-values", "text/vtt", "application/x-subrip", "text/x-subrip"),
            *("application/json", "text/json", "text/x-json", "application/x-ndjson"),
            *("application/yaml", "application/x-yaml", "text/yaml", "text/x-yaml"),
            *("application/toml", "text/x-ini", "text/x-properties", "text/x-java-properties"),
            *("text/x-sql", "application/sql", "application/x-sql", "text/x-rst"),
        ),
        (
            *("txt", "text", "log", "md", "markdown", "nfo", "diff", "patch", "tex", "rst"),
            *("tsv", "tab", "srt", "vtt", "json", "jsonl", "ndjson", "yaml", "yml", "toml"),
            *("ini", "cfg", "conf", "properties", "sql"),
        ),
    ),
}
_BY_NAME = {
    **{name: own for own, accepted in ACCEPTED.items() for name in accepted.names},
    **{own: own for own in ACCEPTED},
}
_BY_EXTENSION = {
    extension: own for own, accepted in ACCEPTED.items() for extension in accepted.extensions
}
_INSTEAD: dict[str, tuple[str, ...]] = {
    "application/zip": (DOCX, XLSX, PPTX),
    "text/plain": ("text/csv",),
    "application/vnd.ms-excel": ("text/csv", "text/plain", XLSX),
    "application/msword": (DOCX,),
    "application/vnd.ms-powerpoint": (PPTX,),
    "video/mp4": ("audio/mp4", "video/quicktime"),
    "video/webm": ("audio/webm",),
    "video/ogg": ("audio/ogg",),
    "audio/mpeg": ("audio/mp4",),
    "audio/aac": ("audio/mp4",),
    "image/heic": ("image/avif",),
}
"""Types that some system also gives to files of other types, which the extension then tells: for
example, Windows with Excel calls a CSV file `application/vnd.ms-excel`."""


def without_parameters(content_type: str) -> str:
    """A content type without parameters, which recorders add: `audio/webm;codecs=opus`."""
    return content_type.partition(";")[0].strip().lower()


def extension_of(name: str) -> str:
    """The extension of a file name, in lower case without the dot; empty if it has none."""
    return name.rpartition(".")[2].lower() if "." in name else ""


def renamed(name: str, before: str, after: str) -> str:
    """The name of a picture of the accepted type `before` that is stored as `after`."""
    if before == after:
        return name
    stem = name.rpartition(".")[0] if _BY_EXTENSION.get(extension_of(name)) == before else name
    extension = ACCEPTED[after].extensions[0]
    return f"{stem[: NAME_MAX - len(extension) - 1]}.{extension}"


def type_of(content_type: str, name: str) -> str | None:
    """The accepted type of a file that a client announces so; None if it is not accepted."""
    said, extension = without_parameters(content_type), extension_of(name)
    by_extension = _BY_EXTENSION.get(extension)
    if extension in _ACTIVE:
        return None
    if said in UNKNOWN:
        return by_extension
    own = _BY_NAME.get(said)
    return by_extension if by_extension in _INSTEAD.get(own or said, ()) else own


def kind_of(content_type: str) -> Kind:
    """`image`, `audio`, `video` or `file`, of an accepted type."""
    return ACCEPTED[content_type].kind


def matches_type(content_type: str, guessed: GuessedType) -> bool:
    """Whether a file of this accepted type may have this guessed type."""
    if content_type in TEXTS:
        return guessed.charset is not None  # ignores magic bytes: some texts begin with "BM"
    return guessed.mime in ACCEPTED[content_type].guesses
