"""A list of words and phrases that are refused or flagged.

Its lines are `refuse: words` and `flag: words`; lines that begin with `#` are comments.
"""

import re
from collections.abc import Iterable, Iterator
from itertools import groupby

from handlers.platform.moderation.matches import Match, Outcome, worst_of
from handlers.platform.moderation.normalization import normalized_forms

ENTRIES_MAX = 100_000
PHRASE_MAX = 8
"""The maximum number of words in a phrase."""
EXAGGERATED_RUN = 3
"""No language has words with this many equal letters in a row, so a run of this length or longer is
an exaggeration and matches a run of any length."""
OUTCOMES: dict[str, Outcome] = {"refuse": "refuse", "flag": "flag"}
_RUNS = re.compile(r"([^\W_])\1+")


class WordList:
    """Finds listed words and phrases: whole words only, also with exaggerated letters."""

    def __init__(self, lines: Iterable[str]) -> None:
        """Raises ValueError, which names the line of an invalid entry."""
        self._by_stem: dict[str, list[tuple[str, Match]]] = {}
        self._lengths: dict[str, set[int]] = {}
        """The lengths of the entries, in words, by the stem of their first word."""
        for number, (outcome, listed) in enumerate(_entries(lines), 1):
            if number > ENTRIES_MAX:
                raise ValueError(f"more than {ENTRIES_MAX} entries")
            form = normalized_forms(listed)[0]
            alike = self._by_stem.setdefault(stem(form), [])
            alike.append((form, Match(outcome, listed)))
            words = stem(form).split(" ")
            self._lengths.setdefault(words[0], set()).add(len(words))

    def match(self, form: str) -> Match:
        """The worst match in a normalized form of a text."""
        return worst_of(self._find(form))

    def _find(self, form: str) -> Iterator[Match]:
        for part, its_stem in self._candidates(form).items():
            alike = self._by_stem.get(its_stem, ())
            yield from (found for listed, found in alike if is_same_word(part, listed))

    def _candidates(self, form: str) -> dict[str, str]:
        """The distinct parts of a form that may match an entry, with their stems."""
        words, stems = form.split(" "), stem(form).split(" ")
        return {
            " ".join(words[at : at + length]): " ".join(stems[at : at + length])
            for at, first in enumerate(stems)
            for length in self._lengths.get(first, ())
        }


def stem(form: str) -> str:
    """The form with each run of equal letters reduced to one letter."""
    return _RUNS.sub(r"\1", form)


def is_same_word(part: str, listed: str) -> bool:
    """Whether two texts of one stem are the same: "baaad" is "bad", but "god" is not "good"."""
    pairs = zip(_run_lengths(part), _run_lengths(listed), strict=True)
    return all(here == there or here >= EXAGGERATED_RUN for here, there in pairs)


def _run_lengths(text: str) -> list[int]:
    return [len(list(group)) for _, group in groupby(text)]


def _entries(lines: Iterable[str]) -> Iterator[tuple[Outcome, str]]:
    for number, line in enumerate(lines, 1):
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        name, _, listed = (part.strip() for part in line.partition(":"))
        outcome, words = OUTCOMES.get(name), normalized_forms(listed)[0].split()
        if outcome is None or not 0 < len(words) <= PHRASE_MAX:
            raise ValueError(f"line {number} is not `refuse: words` or `flag: words`")
        yield outcome, listed
