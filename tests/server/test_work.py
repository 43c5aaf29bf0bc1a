"""The cost of commands, and the end of pages."""

import pytest

from handlers.kit.cost import Spent
from handlers.kit.paging import fitting
from server.rates import Buckets, RateLimit
from server.work import units_of


@pytest.mark.parametrize(
    ("spent", "payload", "answer", "units"),
    [
        (Spent(), 0, 0, 0),
        (Spent(reads=100, writes=5), 0, 0, 2),
        (Spent(kept_bytes=4_096), 4_096, 8_192, 3),
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


def test_a_full_bucket_is_removed(monkeypatch):
    now = [0.0]
    monkeypatch.setattr("server.rates.time.monotonic", lambda: now[0])
    buckets = Buckets(RateLimit(burst=2, per_s=1))
    for number in range(1_000):
        now[0] += 0.1
        buckets.take(f"connection {number}")
    assert len(buckets) < 30


def test_charges_become_a_debt_of_up_to_ten_bursts(monkeypatch):
    monkeypatch.setattr("server.rates.time.monotonic", lambda: 0.0)
    buckets = Buckets(RateLimit(burst=10, per_s=1))
    buckets.charge("ana", 15)
    assert 5.9 < buckets.wait_of("ana") < 6.1
    buckets.charge("ana", 1_000)
    assert 100.9 < buckets.wait_of("ana") < 101.1
    assert buckets.wait_of("ben") == 0
