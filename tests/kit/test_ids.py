"""Ids are unique, sorted by creation, and contain their time."""

import threading
import uuid
from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from handlers.kit.ids import id_at, new_id

TIMES = st.datetimes(
    datetime(2020, 1, 1),  # noqa: DTZ001 - hypothesis requires naive bounds
    datetime(2100, 1, 1),  # noqa: DTZ001
    timezones=st.just(UTC),
)
NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)


def test_ids_of_one_moment_are_unique_and_ordered():
    made = [new_id(NOW) for _ in range(5_000)]
    assert made == sorted(set(made))


def test_ids_keep_their_order_when_the_clock_steps_back_a_little():
    made = [new_id(NOW + timedelta(milliseconds=n)) for n in (5, 3, 4, 0, 6)]
    assert made == sorted(set(made))


def test_ids_follow_a_clock_that_was_set_back_far():
    new_id(NOW + timedelta(days=1))
    back = new_id(NOW)
    assert back < id_at(NOW + timedelta(seconds=1))


def test_ids_made_in_many_threads_are_unique():
    made: list[str] = []
    threads = [
        threading.Thread(target=lambda: made.extend([new_id(NOW) for _ in range(500)]))
        for _ in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(set(made)) == 4_000


@given(TIMES)
def test_an_id_is_a_uuid_of_version_seven_with_its_time(moment):
    made = uuid.UUID(new_id(moment))
    assert made.version == 7
    assert made.variant == uuid.RFC_4122
    milliseconds = made.int >> 80
    assert abs(milliseconds - int(moment.timestamp() * 1000)) <= 1000


@given(TIMES, st.integers(1_001, 10**9))
def test_ids_at_later_times_are_greater(moment, milliseconds):
    before = id_at(moment)
    after = id_at(moment + timedelta(milliseconds=milliseconds))
    assert before < after
    assert len(before) == len(after) == 36
