"""The terms under which messages are indexed and searched, the same on both databases.

A word is a run of letters and digits, folded (`storage/engine/folding.py`), or an emoji. In scripts
that are written without spaces, a run can contain many words: it is indexed as its pairs of
adjacent characters, and searched as a phrase of them. So any part of it is found, and nothing else.
Other words are found by their beginnings.
"""

import re
import unicodedata
from collections.abc import Iterator
from itertools import pairwise

from storage.engine.folding import MARKS_END, folded

TERMS_MAX = 16_000
"""The maximum number of terms of a message; PostgreSQL counts positions up to 16,383."""
PIECE = 64
"""Longer words are indexed in pieces, because PostgreSQL's terms have at most 2,046 bytes."""
LETTERS_MAX = 8
"""In queries of more words, a single letter is no beginning of a word: each such beginning reads a
large part of the index."""

Phrase = tuple[tuple[str, ...], bool]
"""Terms that stand next to each other, and whether the last one may be a beginning."""


def _ranges_of_marks() -> str:
    """Combining marks, as the ranges of a character class."""
    marks = [code for code in range(0x300, MARKS_END) if unicodedata.category(chr(code))[0] == "M"]
    starts = [code for code, before in zip(marks, [0, *marks], strict=False) if code - before > 1]
    ends = [code for code, after in zip(marks, [*marks[1:], 0], strict=True) if after - code != 1]
    return "".join(f"{chr(first)}-{chr(last)}" for first, last in zip(starts, ends, strict=True))


_MARKS = _ranges_of_marks()
_PICTURE = (
    "[\u00a9\u00ae\u2190-\u21ff\u2300-\u23ff\u25a0-\u27bf\u2934\u2935\u2b00-\u2bff\u3030\u303d"
    "\U0001f000-\U0001faff]"
)
"""Symbols, and the blocks that Unicode reserves for emoji: some are newer than this Python."""
_TONES = "[\U0001f3fb-\U0001f3ff\U000e0020-\U000e007f]{0,8}"
_FLAG = "[\U0001f1e6-\U0001f1ff]{2}"
_EMOJI = f"{_FLAG}|{_PICTURE}{_TONES}(?:\u200d{_PICTURE}{_TONES}){{0,8}}"
_STRAY_JOINERS = re.compile(f"\u200d(?!{_PICTURE})")
_WORDS = re.compile(f"{_EMOJI}|(?:[^\\W_]|[{_MARKS}])+")
_ASCII_WORDS = re.compile(r"[a-z0-9]+")
_UNSPACED = (
    "\u0e00-\u0eff\u1000-\u109f\u1100-\u11ff\u1780-\u17ff\u1950-\u19df\u1a20-\u1aaf\u2e80-\u2fdf"
    "\u3005-\u3007\u3021-\u31ff\u3400-\u4dbf\u4e00-\ua4cf\ua960-\ua97f\uaa60-\uaa7f\uac00-\ud7ff"
    "\uf900-\ufaff\U0001aff0-\U0001b16f\U00020000-\U0003ffff"
)
"""Han, kana, Hangul, Thai, Lao, Khmer, Burmese and their relatives. Korean has spaces, but its
compounds and particles are written without."""
_SCRIPTS = re.compile(f"[{_UNSPACED}]+|[^{_UNSPACED}]+")
_IS_UNSPACED = re.compile(f"[{_UNSPACED}]")


def words_of(text: str) -> list[str]:
    """The different words of a text, in their order."""
    return list(dict.fromkeys(_words_in(text)))


def terms_of(text: str) -> list[str]:
    """The terms of a message, in their order."""
    low = folded(text)
    if low.isascii():
        found = _ASCII_WORDS.findall(low)
        if not found or len(max(found, key=len)) <= PIECE:
            return found[:TERMS_MAX]
    return [term for word in _words_in(text) for term in _terms_in(word)][:TERMS_MAX]


def phrases_of(words: list[str]) -> list[Phrase]:
    """What a message must contain to match all words; none that another one implies."""
    phrases = list(dict.fromkeys(map(_phrase_of, words)))
    needed = [one for one in phrases if not any(_implies(other, one) for other in phrases)]
    return needed if len(needed) <= LETTERS_MAX else list(map(_whole_letter, needed))


def _whole_letter(phrase: Phrase) -> Phrase:
    """The phrase, in which a single letter is a whole word."""
    (terms, begins) = phrase
    return terms, begins and (len(terms[0]) > 1 or bool(_IS_UNSPACED.match(terms[0])))


def _words_in(text: str) -> Iterator[str]:
    low = folded(text)
    if low.isascii():
        yield from _ASCII_WORDS.findall(low)
        return
    for word in _WORDS.findall(_STRAY_JOINERS.sub("", low)):
        yield from _SCRIPTS.findall(word)


def _terms_in(word: str) -> list[str]:
    """The terms of a word of a message; the last character of an unspaced run is one too."""
    if _IS_UNSPACED.match(word):
        return [*map("".join, pairwise(word)), word[-1]]
    return _pieces_of(word)


def _phrase_of(word: str) -> Phrase:
    """The phrase that matches a searched word."""
    if _IS_UNSPACED.match(word) and len(word) > 1:
        return tuple(map("".join, pairwise(word))), False
    return tuple(_pieces_of(word)), True


def _pieces_of(word: str) -> list[str]:
    return [word[at : at + PIECE] for at in range(0, len(word), PIECE)]


def _implies(other: Phrase, one: Phrase) -> bool:
    """Whether each text with `other` also has `one`, a single beginning of a term."""
    (terms, begins) = one
    if other == one or not begins or len(terms) > 1:
        return False
    return any(term.startswith(terms[0]) for term in other[0])
