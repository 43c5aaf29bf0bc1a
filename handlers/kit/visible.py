"""Which characters of a text are visible: one definition for names, titles and file names.

`one_line` removes characters that are invisible or that change how other text is shown: control,
format and bidirectional characters, line breaks, private and unassigned code points, fillers, and
excess combining marks. A few invisible characters are part of a visible one and stay next to it:
joiners in scripts and emoji, variation selectors, and the tags of a flag. Its time is proportional
to the length of the text.
"""

import re
import unicodedata
from collections.abc import Iterator
from itertools import pairwise

MARKS_MAX = 4
"""The maximum number of combining marks on one character (the bound that UTS #39, 5.4 suggests)."""
FLAG_TAGS_MAX = 6
MARKS = ("Mn", "Me")
CASED = ("Lu", "Ll", "Lt")
JOINERS = "\u200c\u200d"
JOINED = ("Lo", "So", "Sm")
"""Categories of letters in scripts without case, and of pictographs."""
VIRAMA = 9
"""The combining class of viramas. Any joiner may follow one (RFC 5892, A.1 and A.2). A joiner
before one keeps a letter whole, as Bengali and Kannada need (Unicode, 12.2 and 12.8)."""
SELECTORS = frozenset(
    map(chr, (0x180B, 0x180C, 0x180D, 0x180F, *range(0xFE00, 0xFE10), *range(0xE0100, 0xE01F0)))
)
TAGS = frozenset(map(chr, range(0xE0020, 0xE0080)))
BLACK_FLAG = "\U0001f3f4"
INFORMATION = "\u2139"
"""The only emoji that is a letter with case."""
BLANK_GLYPHS = frozenset(
    "\u034f\u115f\u1160\u17b4\u17b5\u2800\u3164\uffa0\ufffc\U00016fe4\U0001d159"
)
"""Characters in categories of letters, marks and symbols whose glyph is blank."""
RESERVED = (range(0x1F000, 0x1FB00), range(0x20000, 0x2FFFE), range(0x30000, 0x3FFFE))
"""Unicode reserves the unassigned code points of these blocks for emoji and for Han characters,
which occur in names: devices newer than this Python can show them."""
SPACES = str.maketrans(
    dict.fromkeys(map(chr, (0xA0, 0x1680, *range(0x2000, 0x200B), 0x202F, 0x205F, 0x3000)), " ")
)
"""Replaces every other space character (Zs) with a plain space."""
SEEN = re.compile("[!-~]")
QUOTES = str.maketrans(dict.fromkeys('"“”„‟«»〝〞〟＂', "'"))
SLASHES = str.maketrans("", "", "/\\")


def one_line(text: str) -> str:
    """`text` as one line of visible characters; empty if it has none.

    Spaces and line breaks become single spaces; those at the ends are removed.
    """
    if not (text.isascii() and text.isprintable()):
        text = "".join(_visible(text))
    return " ".join(text.split())


def is_blank(text: str) -> bool:
    """Whether `text` has no visible character."""
    return SEEN.search(text) is None and all(one == " " for one in _visible(text))


def shortened(text: str, limit: int) -> str:
    """`one_line` of `text`, cut to `limit` characters with an ellipsis at the end."""
    line = one_line(text)
    return line if len(line) <= limit else one_line(line[: limit - 1]) + "…"


def quoted(text: str, limit: int) -> str:
    """`shortened` text in quotation marks that no character inside can close.

    In a sentence of the server, it cannot be mistaken for the server's own words.
    """
    return f"“{shortened(text.translate(QUOTES), limit)}”"


def checked_line(text: str) -> str:
    """`text` with single spaces; raises ValueError unless it is one line of visible text."""
    line = one_line(text)
    words = filter(None, text.translate(SPACES).split(" "))
    if not line or line != " ".join(words):
        raise ValueError("Expected one line of visible text")
    return line


def as_file_name(text: str) -> str:
    """`one_line` of `text` as a file name, without slashes, and without dots or spaces at its ends.

    The result may be empty."""
    return one_line(text.translate(SLASHES)).strip(". ")


def checked_file_name(text: str) -> str:
    """`checked_line` of `text`; raises ValueError unless it is a valid file name unchanged."""
    name = checked_line(text)
    if name != as_file_name(name):
        raise ValueError(
            "Expected a file name without `/` and `\\`, and without a dot at its start or end"
        )
    return name


def _visible(text: str) -> Iterator[str]:
    base, last, count = "", "", 0
    for one, following in pairwise(text + " "):
        kind = unicodedata.category(one)
        if one.isspace():
            base, last = "", " "
        elif one in BLANK_GLYPHS:
            continue
        elif one in JOINERS or one in TAGS or kind in MARKS:
            count += 1
            if not base or not _belongs(one, base, last, following, count):
                continue
            last = one
        elif one.isprintable() or (kind == "Cn" and _is_reserved(one)):
            base, last, count = one, one, 0
        else:
            continue
        yield last


def _is_reserved(one: str) -> bool:
    """Whether Unicode can only assign a visible character to this unassigned code point."""
    return any(ord(one) in block for block in RESERVED)


def _is_joined(one: str) -> bool:
    """Whether a joiner may stand before this letter or picture."""
    kind = unicodedata.category(one)
    return kind in JOINED or (kind == "Cn" and _is_reserved(one))


def _belongs(one: str, base: str, last: str, following: str, count: int) -> bool:
    """Whether an invisible character, or the `count`th mark on `base`, may follow `last`."""
    if one in JOINERS:
        if unicodedata.combining(following) == VIRAMA:
            return last not in JOINERS and count < MARKS_MAX  # leaves room for the virama
        return unicodedata.combining(last) == VIRAMA or _is_joined(following)
    if one in TAGS:
        return base == BLACK_FLAG and count <= FLAG_TAGS_MAX
    if one in SELECTORS:
        cased = unicodedata.category(base) in CASED and base != INFORMATION
        return not cased and count <= MARKS_MAX
    return count <= MARKS_MAX
