"""The kinds of text in requests. Each is a `format` in the catalog; no field is a plain `str`.

A `line` is text that others read in a title, a list, a file name or an email. `prose` is longer
text that may be shown next to such lines. A `message` is what users write to each other; it is only
shown in its conversation. Keys, tokens and passwords are `opaque`. All other fields have a pattern.
"""

import re
from collections.abc import Callable

from msgspec import Meta

from handlers.kit.addresses import LENGTH_MAX, canonical_address
from handlers.kit.visible import checked_file_name, checked_line, is_blank

_UNWANTED = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u202d\u202e]")
"""Control characters except tabs and line breaks, and bidirectional overrides."""


BLANKS_MAX = 20
"""The blanks allowed before and after an email address, such as those of a copied one."""
_ADDRESS = rf"^\s{{0,{BLANKS_MAX}}}\S{{3,{LENGTH_MAX}}}\s{{0,{BLANKS_MAX}}}$(?!\n)"
"""`$` also matches before a final line break, and JavaScript has no `\\Z`."""


def line(most: int) -> Meta:
    """One line of visible text; runs of spaces become one (`handlers/kit/visible.py`)."""
    return _meta("line", 1, most, "One line of visible text.")


def file_name(most: int) -> Meta:
    """A line that is a valid file name on every system."""
    says = "One line of visible text without `/` and `\\`, and without dots at its ends."
    return _meta("file-name", 1, most, says)


def prose(most: int) -> Meta:
    """Any number of lines without control characters and bidirectional overrides; may be empty."""
    return _meta("prose", 0, most, "Lines of text without control characters.")


def message(least: int, most: int, pattern: str | None = None) -> Meta:
    """Any characters, because users paste anything, but not only invisible ones.

    It must never appear in an email or a title.
    """
    return _meta("message", least, most, "The text of a message.", pattern)


def opaque(least: int, most: int) -> Meta:
    """A text that the server compares or passes on, and never shows."""
    return _meta("opaque", least, most, "A text that the server compares but never shows.")


def address() -> Meta:
    """An email address, in any spelling; it becomes canonical (`handlers/kit/addresses.py`)."""
    return _meta("address", 3, LENGTH_MAX + 2 * BLANKS_MAX, "An email address.", _ADDRESS)


def checked_message(text: str) -> str:
    """`text`; "" if it has no visible character."""
    return "" if is_blank(text) else text


def checked_prose(text: str) -> str:
    """`text`, or "" if it has no visible character.

    Raises ValueError if it has control characters or bidirectional overrides.
    """
    if _UNWANTED.search(text):
        raise ValueError("Expected text without control characters")
    return checked_message(text)


CHECKED: dict[str, Callable[[str], str]] = {
    "line": checked_line,
    "file-name": checked_file_name,
    "prose": checked_prose,
    "message": checked_message,
    "address": canonical_address,
}
"""Maps a format to the function that returns the normalized text, or raises ValueError with what is
expected."""


def _meta(kind: str, least: int, most: int, says: str, pattern: str | None = None) -> Meta:
    return Meta(
        min_length=least or None,
        max_length=most,
        pattern=pattern,
        description=says,
        extra_json_schema={"format": kind},
    )
