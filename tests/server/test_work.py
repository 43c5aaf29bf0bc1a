"""What commands are charged, and how pages end."""

import pytest

from handlers.kit.cost import Spent
from handlers.kit.paging import fitting
from server.work import units_of


@pytest.mark.parametrize(
    ("spent", "payload", "answer", "units"),
    [
        (Spent(), 0, 0, 0),
        (Spent(reads=100, writes=5), 0, 0, 2),
        (Spent(event_bytes=4_096), 4_096, 8_192, 3),
    ],
)
def test_units_of_work(spent: Spent, payload: int, answer: int, units: float):
    assert units_of(spent, payload, answer) == units


@pytest.mark.parametrize(
    ("rows", "kept"),
    [([], []), ([9], [9]), ([3, 3, 3], [3, 3]), ([9, 1], [9]), ([1, 9, 1], [1])],
)
def test_a_page_has_one_row_at_least(rows: list[int], kept: list[int]):
    assert fitting(rows, lambda row: row, most=6) == kept
