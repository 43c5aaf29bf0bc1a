"""The text filter, with a check that the settings select.

A check gets each normalized form of a text (`handlers/platform/moderation/normalization.py`) and
returns the worst match.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Protocol

from handlers.kit import filter as port
from handlers.kit.filter import NoFilter, TextRefused
from handlers.kit.rules import Rules
from handlers.kit.settings import UnusableSetting
from handlers.platform.moderation.matches import Match, worst_of
from handlers.platform.moderation.normalization import normalized_forms
from handlers.platform.moderation.rules import ModerationRules
from handlers.platform.moderation.words import WordList


class Check(Protocol):
    """One way to check texts."""

    def match(self, form: str) -> Match: ...


def word_list(file: str) -> Check | None:
    """The check against the word list in `file`, which is read now; None without a file."""
    if not file:
        return None
    return WordList(Path(file).read_text(encoding="utf-8").splitlines())


CHECKS: dict[str, Callable[[str], Check | None]] = {"words": word_list}
"""The checks, by their names in the settings."""


def open_filter(rules: Rules) -> port.Filter:
    """The filter with the selected check; a filter that accepts everything without a word list.

    Raises UnusableSetting when the word list cannot be read.
    """
    own = rules.of(ModerationRules)
    try:
        made = CHECKS[own.text_check](own.words_file)
    except (OSError, ValueError) as error:
        raise UnusableSetting("words_file", str(error)) from None
    return NoFilter() if made is None else Filter(made)


class Filter:
    """Filters texts with a check."""

    def __init__(self, check: Check) -> None:
        self._check = check

    def check(self, *texts: str) -> str:
        """The match that a moderator should review, or ""; raises TextRefused."""
        match = self._check.match
        found = worst_of(match(form) for text in texts for form in normalized_forms(text))
        if found.outcome == "refuse":
            raise TextRefused
        return found.hit
