"""A list of words and phrases that are refused, or flagged, wherever they are said.

Its lines are `refuse: words` and `flag: words`; those that begin with `#` say nothing.
"""

import re
from collections.abc import Iterable, Iterator
from itertools import groupby

from handlers.platform.moderation.matches import Match, Outcome, worst_of
from handlers.platform.moderation.normalization import normalized_forms

ENTRIES_MAX = 100_000
PHRASE_MAX = 8
"""So many words are one phrase at most."""
LONG_RUN = 3
"""So many equal letters are an exaggeration: no language writes them in earnest."""
OUTCOMES: dict[str, Outcome] = {"refuse": "refuse", "flag": "flag"}
_RUNS = re.compile(r"([^\W_])\1+")


class WordList:
    """Finds what is listed: whole words, letter by letter, however long a letter is drawn out."""

    def __init__(self, lines: Iterable[str]) -> None:
        """Raises ValueError, which says in which line, when one is not understood."""
        self._by_stem: dict[str, list[tuple[str, Match]]] = {}
        self._lengths: dict[str, set[int]] = {}
        """How many words the entries have that begin with a stem."""
        for number, (outcome, listed) in enumerate(_entries(lines), 1):
            if number > ENTRIES_MAX:
                raise ValueError(f"more than {ENTRIES_MAX} entries")
            reading = normalized_forms(listed)[0]
            alike = self._by_stem.setdefault(stem(reading), [])
            alike.append((reading, Match(outcome, listed)))
            words = stem(reading).split(" ")
            self._lengths.setdefault(words[0], set()).add(len(words))

    def look(self, reading: str) -> Match:
        """The worst that is found in a reading of a text."""
        return worst_of(self._find(reading))

    def _find(self, reading: str) -> Iterator[Match]:
        for said, its_stem in self._sayings(reading).items():
            alike = self._by_stem.get(its_stem, ())
            yield from (found for listed, found in alike if says(said, listed))

    def _sayings(self, reading: str) -> dict[str, str]:
        """The parts of a reading that begin like an entry, each once, with their stems."""
        words, stems = reading.split(" "), stem(reading).split(" ")
        return {
            " ".join(words[at : at + length]): " ".join(stems[at : at + length])
            for at, first in enumerate(stems)
            for length in self._lengths.get(first, ())
        }


def stem(reading: str) -> str:
    """Each letter once, however often it is repeated."""
    return _RUNS.sub(r"\1", reading)


def says(said: str, listed: str) -> bool:
    """Whether they, of the same stem, are the same: "baaad" is "bad", and "god" is not "good"."""
    pairs = zip(_runs(said), _runs(listed), strict=True)
    return all(here == there or here >= LONG_RUN for here, there in pairs)


def _runs(text: str) -> list[int]:
    return [len(list(group)) for _, group in groupby(text)]


def _entries(lines: Iterable[str]) -> Iterator[tuple[Outcome, str]]:
    for number, line in enumerate(lines, 1):
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        said, _, listed = (part.strip() for part in line.partition(":"))
        outcome, words = OUTCOMES.get(said), normalized_forms(listed)[0].split()
        if outcome is None or not 0 < len(words) <= PHRASE_MAX:
            raise ValueError(f"line {number} is not `refuse: words` or `flag: words`")
        yield outcome, listed
