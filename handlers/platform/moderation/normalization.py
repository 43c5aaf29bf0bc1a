"""A text as a reader may take it, whatever it is written with.

Letters in other guises (wide, bold, with marks, of another alphabet) are plain ones, and what
cannot be seen is gone. Signs and digits are read as themselves, and as the letters that they stand
for ("b4d"); what separates letters is read as a gap, and as nothing ("b.a.d"). All of it takes time
in proportion to the text.
"""

import re
import unicodedata
from collections.abc import Iterator
from itertools import groupby

UNSEEN = {"Mn", "Me", "Cf"}
MARKS_MAX = 30
"""Marks that may follow each other: normalising sorts them, in time that grows with their square.
No language needs more (Stream-Safe Text Format, UAX #15)."""
MARKS_END = 0x20000
"""Beyond it are ideographs, and tags and variation selectors, which are not sorted."""
SENTENCES = str.maketrans("\ufdfa\ufdfb", "  ")
"""Single characters that would unfold to whole sentences."""
FILLERS = "\u115f\u1160\u3164\uffa0"
"""Letters by their category that nobody sees."""
GUISE = re.compile(
    r"(?:LATIN SMALL LETTER|LATIN LETTER SMALL CAPITAL|REGIONAL INDICATOR SYMBOL LETTER"
    r"|NEGATIVE (?:CIRCLED|SQUARED) LATIN CAPITAL LETTER)"
    r"(?: TURNED| REVERSED| OPEN| SCRIPT| DOTLESS)? ([A-Z])(?: WITH .+)?"
)
"""The names of letters that Unicode does not say to be plain ones: small capitals, in boxes,
turned, struck through."""
GUISES_IN = (range(0xC0, 0x2B0), range(0x1D00, 0x1DC0), range(0x1F150, 0x1F200))


def _in_other_guises() -> dict[str, str]:
    signs = [chr(code) for codes in GUISES_IN for code in codes]
    named = [(one, GUISE.fullmatch(unicodedata.name(one, ""))) for one in signs]
    return {one: found.group(1).lower() for one, found in named if found is not None}


LOOKS_LIKE = str.maketrans(
    _in_other_guises()
    | dict(zip("авгеіјкмнопрсԁԛѕтуүхһԝьӏ", "abreijkmhonpcdqstyyxhwbl", strict=True))
    | dict(zip("αβεηικνορστυχωγ", "abenikvopotuxwy", strict=True))
    | {"ɑ": "a", "ə": "e", "æ": "ae", "œ": "oe", "þ": "th"}
)
STANDS_FOR = tuple(str.maketrans("0134578@$€!|", f"o{one}eastbase{one}{one}") for one in ("i", "l"))
"""As it is often written; a one is an i, or an l."""
STANDS = re.compile(r"[0134578@$€!|]")
WORD = re.compile(r"[^\W_]+")
GAPS = re.compile(r"[\W_]+")
LETTER = re.compile(r"[^\W\d_]")


def _is_sorted(one: str) -> bool:
    """Whether normalising makes `one` a mark that it sorts among its neighbours."""
    if unicodedata.combining(one):
        return True
    unfolds = unicodedata.decomposition(one)
    return bool(unfolds and unicodedata.combining(unicodedata.normalize("NFKD", one)[0]))


MARK = "[" + "".join(filter(_is_sorted, map(chr, range(0x300, MARKS_END)))) + "]"
PILED = re.compile(f"(?<={MARK}{{{MARKS_MAX}}}){MARK}+")
"""The marks beyond so many in a row."""


def normalized_forms(text: str) -> list[str]:
    """Each way to read `text`: words in small plain letters, one blank between two."""
    chunks = plain(text).split()
    found = [*_both_ways(chunks)]
    if any(STANDS.search(chunk) for chunk in chunks):
        for meant in STANDS_FOR:
            found += _both_ways([_as_letters(chunk, meant) for chunk in chunks])
    return list(dict.fromkeys(found))


def plain(text: str) -> str:
    """Small plain letters, and nothing that cannot be seen."""
    if text.isascii():
        return text.lower()
    text = PILED.sub("", text.translate(SENTENCES))
    text = unicodedata.normalize("NFKC", text).casefold()
    text = unicodedata.normalize("NFKD", text)
    seen = (c for c in text if unicodedata.category(c) not in UNSEEN and c not in FILLERS)
    return "".join(seen).translate(LOOKS_LIKE)


def _as_letters(chunk: str, meant: dict[int, int]) -> str:
    """Signs and digits among letters stand for letters; a number is a number."""
    return chunk.translate(meant) if LETTER.search(chunk) else chunk


def _both_ways(chunks: list[str]) -> Iterator[str]:
    yield " ".join(word for chunk in chunks for word in WORD.findall(chunk))
    yield " ".join(_joined(chunks))


def _joined(chunks: list[str]) -> Iterator[str]:
    """Whatever stands between two blanks is a word; single letters are spelling one together."""
    words = (GAPS.sub("", chunk) for chunk in chunks)
    for single, group in groupby((word for word in words if word), _is_single):
        run = list(group)
        yield from ["".join(run)] if single else run


def _is_single(word: str) -> bool:
    return len(set(word)) == 1
