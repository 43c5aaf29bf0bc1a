"""Pages are bounded by their text too, not by the number of their rows alone."""

from collections.abc import Callable, Sequence
from typing import TypeVar

T = TypeVar("T")

PAGE_TEXT = 262_144
"""Characters on a page."""


def fitting(rows: Sequence[T], text_of: Callable[[T], int], most: int = PAGE_TEXT) -> list[T]:
    """The first `rows`, one at least, that have `most` characters together by `text_of`."""
    size = 0
    for count, row in enumerate(rows):
        size += text_of(row)
        if size > most and count:
            return list(rows[:count])
    return list(rows)
