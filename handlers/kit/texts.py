"""The kinds of text that requests carry, each a `format` in the catalog; there is no plain `str`.

What others read in a title, a list, a file's name or a mail is a `line`. Longer text that may be
shown beside such lines is `prose`. What people say to each other is a `message`, which is shown in
its conversation alone. Keys, tokens and passwords are `opaque`. Everything else has a pattern.
"""

import re
from collections.abc import Callable

from msgspec import Meta

from handlers.kit.visible import checked_file_name, checked_line

_UNWANTED = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u202d\u202e]")
"""Control characters but tabs and line breaks, and overrides of direction."""


def line(most: int) -> Meta:
    """One line of visible text; its spaces are made single (`handlers/kit/visible.py`)."""
    return _meta("line", 1, most, "One line of visible text.")


def file_name(most: int) -> Meta:
    """A line that can be a file's name everywhere."""
    says = "One line of visible text without `/` and `\\`, and without dots at its ends."
    return _meta("file-name", 1, most, says)


def prose(most: int) -> Meta:
    """Any number of lines without control characters and overrides of direction; may be empty."""
    return _meta("prose", 0, most, "Lines of text without control characters.")


def message(least: int, most: int, pattern: str | None = None) -> Meta:
    """Any characters, since people paste anything: it must never be put into a mail or a title."""
    return _meta("message", least, most, "The text of a message.", pattern)


def opaque(least: int, most: int) -> Meta:
    """A text that is compared or handed on, and shown to nobody."""
    return _meta("opaque", least, most, "A text that the server compares but never shows.")


def checked_prose(text: str) -> str:
    """`text`; raises ValueError when it has control characters or overrides of direction."""
    if _UNWANTED.search(text):
        raise ValueError("Expected text without control characters")
    return text


CHECKED: dict[str, Callable[[str], str]] = {
    "line": checked_line,
    "file-name": checked_file_name,
    "prose": checked_prose,
}
"""By the format: what gives the text as it is kept, or raises ValueError with what is expected."""


def _meta(kind: str, least: int, most: int, says: str, pattern: str | None = None) -> Meta:
    return Meta(
        min_length=least or None,
        max_length=most,
        pattern=pattern,
        description=says,
        extra_json_schema={"format": kind},
    )
