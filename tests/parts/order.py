"""The order of the tests: quick ones first, on every worker.

pytest-xdist gives each worker one run of consecutive tests. A worker that has finished takes over
the end of another's run, which may split a module. So the modules are dealt out to the workers like
cards, from the quickest to the slowest: each worker begins with quick tests. The chaos tests come
directly after those, because the longest test must not be the last one to begin, and because they
share one long run that no other worker should repeat.
"""

import os
from itertools import groupby

import pytest

FOLDERS = {"chaos": 1, "faults": 2, "browser": 4, "deploy": 4, "backup": 4}
"""The ranks of slow folders. Other tests with none of the fixtures below have rank 0.

Tests of faults measure how long others wait, so they do not run beside browsers.
"""
FIXTURES = {"database_url": 2, "postgres": 2, "redis_server": 2, "process_of": 3}


def in_order(items: list[pytest.Item]) -> list[pytest.Item]:
    """The same tests, each module together, in an order that is the same on all workers."""
    modules = [list(tests) for _, tests in groupby(items, key=lambda item: item.path)]
    modules.sort(key=lambda tests: max(map(rank_of, tests)))
    workers = int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", "1"))
    hands = [modules[first::workers] for first in range(workers)]
    return [item for hand in hands for tests in hand for item in tests]


def rank_of(item: pytest.Item) -> int:
    """How late the module of a test comes."""
    for folder, rank in FOLDERS.items():
        if folder in item.path.parts:
            return rank
    return max((FIXTURES.get(name, 0) for name in getattr(item, "fixturenames", ())), default=0)
