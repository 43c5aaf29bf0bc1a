"""A clock that always starts on the same Saturday morning, so that weeks and hours are fixed."""

from datetime import UTC, datetime

import pytest

from tests.world import MovableClock

MORNING = datetime(2026, 11, 21, 7, 30, tzinfo=UTC)


@pytest.fixture
def clock(request: pytest.FixtureRequest) -> MovableClock:
    """Runs from `MORNING` on; with the mark `stopped_clock` only the test moves it."""
    clock = MovableClock()
    if request.node.get_closest_marker("stopped_clock"):
        clock.stop()
    clock.move_to(MORNING)
    return clock
