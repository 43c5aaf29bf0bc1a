"""What a file looks like from its first bytes. It runs in the sandbox."""

import codecs
import re

import filetype
import msgspec

HEAD = 8_192
"""So many first bytes tell what a file is."""
codecs.lookup("hex")  # filetype's, for the sandbox opens no file later, not even to import a codec
_MARKUP = re.compile(rb"<\s*(!doctype|html|svg|script|\?xml|body|iframe)", re.IGNORECASE)


class Looks(msgspec.Struct, frozen=True):
    """`mime` is what the magic bytes stand for, None when they are not known."""

    mime: str | None
    is_text: bool


def look_at(head: bytes) -> Looks:
    """What a file that begins with `head` looks like."""
    return Looks(filetype.guess_mime(head), is_text(head))


def is_text(head: bytes) -> bool:
    """UTF-8 (cut anywhere) without NUL, and nothing that a browser could take for a page."""
    try:
        head[: max(0, len(head) - 3)].decode()
    except UnicodeDecodeError as error:
        if error.start < len(head) - 8:
            return False
    return b"\0" not in head and not _MARKUP.search(head)
