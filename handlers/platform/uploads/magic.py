"""Guesses the type of a file from its first bytes. This runs in the sandbox."""

import codecs
import re

import filetype
import msgspec

HEAD = 8_192
"""Bytes at the start of a file from which its type is guessed."""
UTF_8, WINDOWS_1252 = "utf-8", "windows-1252"
_MARKS = (
    (codecs.BOM_UTF32_LE, "utf-32le"),  # before UTF-16: its mark begins with that of UTF-16
    (codecs.BOM_UTF32_BE, "utf-32be"),
    (codecs.BOM_UTF16_LE, "utf-16le"),
    (codecs.BOM_UTF16_BE, "utf-16be"),
    (codecs.BOM_UTF8, UTF_8),
)
_MARKUP = re.compile(
    r"(?>\s|<!--.*?-->)*+<\s*(?:!doctype|html|head|body|svg|script|iframe|\?xml)\b",
    re.IGNORECASE | re.DOTALL,
)
"""The beginning of a page or a drawing. Elsewhere, a text may mention markup."""
_CONTROLS = re.compile(rb"[\x00-\x07\x0b\x0e-\x19\x1c-\x1f\x7f]")
"""Bytes that no text in Windows-1252 has. Logs have backspaces and escapes."""
for _needed in ("hex", WINDOWS_1252, *(charset for _, charset in _MARKS)):
    codecs.lookup(_needed)  # the sandbox opens no file later, not even to import a codec


class GuessedType(msgspec.Struct, frozen=True):
    """`mime` is the type of the magic bytes, None if they are unknown. `charset` is the encoding as
    browsers name it, if this can be a text; None if not."""

    mime: str | None
    charset: str | None


def guess_type(head: bytes) -> GuessedType:
    """Guess the type of a file that begins with `head`."""
    mime = filetype.guess_mime(head)
    if mime is None and head[4:8] == b"ftyp":
        mime = "video/mp4"  # of a brand that the library does not know
    return GuessedType(mime, charset_of(head))


def charset_of(head: bytes) -> str | None:
    """The encoding of a text that begins with `head`, cut off anywhere.

    None if it has NUL characters or other binary data, or if it begins as a page that a browser
    could render.
    """
    mark, charset = next(
        ((mark, charset) for mark, charset in _MARKS if head.startswith(mark)), (b"", UTF_8)
    )
    text = decoded(head[len(mark) :], charset)
    if text is None and not mark and not _CONTROLS.search(head):
        charset = WINDOWS_1252
        text = decoded(head, charset)
    return None if text is None or "\0" in text or _MARKUP.match(text) else charset


def decoded(head: bytes, charset: str) -> str | None:
    """The text that begins with `head`, without a character that is cut off; None if invalid."""
    try:
        return codecs.getincrementaldecoder(charset)().decode(head)
    except UnicodeDecodeError:
        return None
