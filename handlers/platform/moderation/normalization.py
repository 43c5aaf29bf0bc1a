"""Normalizes a text to the forms in which people may read it.

- Variants of letters (wide, bold, with accents, look-alikes of other alphabets) become plain
  lowercase letters. Invisible characters are removed.
- Symbols and digits are read as themselves, and as the letters that they stand for ("b4d").
- Separators between letters are read as spaces, and as nothing ("b.a.d").

Normalization takes time linear in the length of the text.
"""

import re
import unicodedata
from collections.abc import Iterator
from itertools import groupby

from storage.engine.folding import without_excess

UNSEEN = {"Mn", "Me", "Cf"}
FILLERS = "\u115f\u1160\u3164\uffa0"
"""Invisible characters with the Unicode category of letters."""
VARIANT_NAME = re.compile(
    r"(?:LATIN SMALL LETTER|LATIN LETTER SMALL CAPITAL|REGIONAL INDICATOR SYMBOL LETTER"
    r"|NEGATIVE (?:CIRCLED|SQUARED) LATIN CAPITAL LETTER)"
    r"(?: TURNED| REVERSED| OPEN| SCRIPT| DOTLESS)? ([A-Z])(?: WITH .+)?"
)
"""The Unicode names of letter variants that have no decomposition to plain letters: small capitals,
letters in boxes, turned letters, letters with strokes."""
VARIANT_RANGES = (range(0xC0, 0x2B0), range(0x1D00, 0x1DC0), range(0x1F150, 0x1F200))


def _letter_variants() -> dict[str, str]:
    signs = [chr(code) for codes in VARIANT_RANGES for code in codes]
    named = [(one, VARIANT_NAME.fullmatch(unicodedata.name(one, ""))) for one in signs]
    return {one: found.group(1).lower() for one, found in named if found is not None}


LOOK_ALIKES = str.maketrans(
    _letter_variants()
    | dict(zip("авгеіјкмнопрсԁԛѕтуүхһԝьӏ", "abreijkmhonpcdqstyyxhwbl", strict=True))
    | dict(zip("αβεηικνορστυχωγ", "abenikvopotuxwy", strict=True))
    | {"ɑ": "a", "ə": "e", "æ": "ae", "œ": "oe", "þ": "th"}
)
SUBSTITUTIONS = tuple(
    str.maketrans("0134578@$€!|", f"o{one}eastbase{one}{one}") for one in ("i", "l")
)
"""Common substitutes for letters, in two readings: the digit one stands for i or for l."""
SUBSTITUTE = re.compile(r"[0134578@$€!|]")
WORD = re.compile(r"[^\W_]+")
GAPS = re.compile(r"[\W_]+")
LETTER = re.compile(r"[^\W\d_]")


def normalized_forms(text: str) -> list[str]:
    """All readings of `text`: words of plain lowercase letters, separated by single spaces."""
    chunks = plain(text).split()
    found = [*_split_and_joined(chunks)]
    if any(SUBSTITUTE.search(chunk) for chunk in chunks):
        for meant in SUBSTITUTIONS:
            found += _split_and_joined([_as_letters(chunk, meant) for chunk in chunks])
    return list(dict.fromkeys(found))


def plain(text: str) -> str:
    """The text in plain lowercase letters, without invisible characters."""
    if text.isascii():
        return text.lower()
    text = unicodedata.normalize("NFKC", without_excess(text)).casefold()
    text = unicodedata.normalize("NFKD", text)
    seen = (c for c in text if unicodedata.category(c) not in UNSEEN and c not in FILLERS)
    return "".join(seen).translate(LOOK_ALIKES)


def _as_letters(chunk: str, meant: dict[int, int]) -> str:
    """Replace substitutes by letters in a chunk that has letters; a number stays a number."""
    return chunk.translate(meant) if LETTER.search(chunk) else chunk


def _split_and_joined(chunks: list[str]) -> Iterator[str]:
    yield " ".join(word for chunk in chunks for word in WORD.findall(chunk))
    yield " ".join(_joined(chunks))


def _joined(chunks: list[str]) -> Iterator[str]:
    """Read each chunk as one word, and a sequence of single letters as one spelled-out word."""
    words = (GAPS.sub("", chunk) for chunk in chunks)
    for single, group in groupby((word for word in words if word), _is_single):
        run = list(group)
        yield from ["".join(run)] if single else run


def _is_single(word: str) -> bool:
    return len(set(word)) == 1
