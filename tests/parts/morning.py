"""A clock that always starts on the same Saturday morning, so that weeks and hours are fixed."""

from datetime import UTC, datetime

import pytest

from tests.world import MovableClock

MORNING = datetime(2026, 11, 21, 7, 30, tzinfo=UTC)


@pytest.fixture
def clock() -> MovableClock:
    clock = MovableClock()
    clock.move_to(MORNING)
    return clock
