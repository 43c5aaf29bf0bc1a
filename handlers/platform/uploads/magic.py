"""Guesses the type of a file from its first bytes. This runs in the sandbox."""

import codecs
import re

import filetype
import msgspec

HEAD = 8_192
"""Bytes at the start of a file from which its type is guessed."""
codecs.lookup("hex")  # for filetype: the sandbox opens no file later, not even to import a codec
_MARKUP = re.compile(rb"<\s*(!doctype|html|svg|script|\?xml|body|iframe)", re.IGNORECASE)


class GuessedType(msgspec.Struct, frozen=True):
    """`mime` is the type of the magic bytes, None if they are unknown."""

    mime: str | None
    is_text: bool


def guess_type(head: bytes) -> GuessedType:
    """Guess the type of a file that begins with `head`."""
    return GuessedType(filetype.guess_mime(head), is_text(head))


def is_text(head: bytes) -> bool:
    """Whether this is UTF-8 (cut off anywhere) without NUL and without markup that a browser could
    render as a page."""
    try:
        head[: max(0, len(head) - 3)].decode()
    except UnicodeDecodeError as error:
        if error.start < len(head) - 8:
            return False
    return b"\0" not in head and not _MARKUP.search(head)
