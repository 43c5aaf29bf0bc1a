"""Pages are limited by the length of their text, and not only by their number of rows."""

from collections.abc import Callable, Sequence
from typing import TypeVar

T = TypeVar("T")

PAGE_TEXT = 262_144
"""The maximum number of characters on a page."""


def fitting(rows: Sequence[T], text_of: Callable[[T], int], most: int = PAGE_TEXT) -> list[T]:
    """The first `rows` with at most `most` characters together (by `text_of`); at least one row."""
    size = 0
    for count, row in enumerate(rows):
        size += text_of(row)
        if size > most and count:
            return list(rows[:count])
    return list(rows)
