"""It is always the same Saturday morning: weeks and hours are worked out from there."""

from datetime import UTC, datetime

import pytest

from tests.world import MovableClock

MORNING = datetime(2026, 11, 21, 7, 30, tzinfo=UTC)


@pytest.fixture
def clock() -> MovableClock:
    clock = MovableClock()
    clock.move_to(MORNING)
    return clock
