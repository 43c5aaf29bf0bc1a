"""What looks at all that is said, by a check that can be another one.

A check gets each normalized form of a text (`handlers/platform/moderation/normalization.py`) and
returns its matches.
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
    """One way to judge a text."""

    def look(self, reading: str) -> Match: ...


def word_list(file: str) -> Check | None:
    """The check by the list in this file, which is read now; none without a file."""
    if not file:
        return None
    return WordList(Path(file).read_text(encoding="utf-8").splitlines())


CHECKS: dict[str, Callable[[str], Check | None]] = {"words": word_list}
"""By the name that the settings call it."""


def open_filter(rules: Rules) -> port.Filter:
    """The filter by the check that is set; it filters nothing when that has nothing to look for.

    Raises UnusableSetting when the file cannot be read.
    """
    own = rules.of(ModerationRules)
    try:
        made = CHECKS[own.text_check](own.words_file)
    except (OSError, ValueError) as error:
        raise UnusableSetting("words_file", str(error)) from None
    return NoFilter() if made is None else Filter(made)


class Filter:
    """Looks at texts by a check."""

    def __init__(self, check: Check) -> None:
        self._check = check

    def check(self, *texts: str) -> str:
        """What somebody should look at in these, or nothing; raises TextRefused."""
        look = self._check.look
        found = worst_of(look(reading) for text in texts for reading in normalized_forms(text))
        if found.outcome == "refuse":
            raise TextRefused
        return found.hit
