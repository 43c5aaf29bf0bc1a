"""Checks places and bookings: no overbooked blocks, no overlaps, and one end for each booking."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from itertools import combinations

from storage.consulting.booking import LIVE, BookingRow
from tests.chaos.records import Asked, Violation
from tests.chaos.truth import Logged, Truth

EVENT_OF = {
    "request": "BOOKING_REQUESTED",
    "approve": "BOOKING_APPROVED",
    "reject": "BOOKING_REJECTED",
    "cancel": "BOOKING_CANCELLED",
}
ENDS = ("BOOKING_REJECTED", "BOOKING_CANCELLED", "BOOKING_EXPIRED", "BOOKING_COMPLETED")


def check_places(truth: Truth) -> Iterator[Violation]:
    """No block has more holds or active bookings than places, now or after any commit."""
    live = Counter(row.block_id for row in truth.bookings if row.status in LIVE)
    held = Counter(hold.pool_id for hold in truth.holds)
    for pool in truth.pools:
        if live[pool.id] > pool.capacity:
            what = f"block {pool.id}: {live[pool.id]} live bookings, {pool.capacity} places"
            yield Violation("double booking", what)
        if held[pool.id] != pool.taken:
            what = f"block {pool.id}: {held[pool.id]} holds, {pool.taken} counted as taken"
            yield Violation("places do not add up", what)
    yield from _check_each_commit(truth)
    yield from _check_holds(truth)


def _check_each_commit(truth: Truth) -> Iterator[Violation]:
    for (namespace, _), log in truth.logs.items():
        for logged in log if namespace == "/availability" else ():
            block = logged.read().get("block")
            if block is not None and block["taken"] > block["max_calls"]:
                yield Violation("double booking", f"block {block} at {logged.at}")


def _check_holds(truth: Truth) -> Iterator[Violation]:
    """Exactly the active bookings have a place."""
    live = {(row.block_id, row.id) for row in truth.bookings if row.status in LIVE}
    held = {(hold.pool_id, hold.for_id) for hold in truth.holds if hold.kind == "booking"}
    for block_id, booking_id in live ^ held:
        which = "has no place" if (block_id, booking_id) in live else "is over and keeps a place"
        yield Violation("places do not add up", f"booking {booking_id} in {block_id} {which}")


def check_students(truth: Truth) -> Iterator[Violation]:
    """No student has two active bookings for the same time."""
    of_student: dict[str, list[BookingRow]] = defaultdict(list)
    for row in truth.bookings:
        if row.status in LIVE:
            of_student[row.student_id].append(row)
    for student_id, rows in of_student.items():
        for one, other in combinations(rows, 2):
            if one.starts_at < other.ends_at and other.starts_at < one.ends_at:
                what = f"{student_id}: {one.id} and {other.id} at {one.starts_at}"
                yield Violation("double booking", what)


def check_courses(asked: Iterable[Asked], truth: Truth) -> Iterator[Violation]:
    """Each booking's events are a possible sequence, and include every acknowledged step."""
    events: dict[str, list[Logged]] = defaultdict(list)
    for row in truth.bookings:
        for logged in truth.logs.get(("/booking", f"user:{row.student_id}"), []):
            if logged.name.startswith("BOOKING_") and logged.read()["booking"]["id"] == row.id:
                events[row.id].append(logged)
    steps = Counter(
        (EVENT_OF[one.command], one.data["id"])
        for one in asked
        if one.namespace == "/booking" and one.command in EVENT_OF and one.ok
    )
    for row in truth.bookings:
        names = Counter(logged.name for logged in events[row.id])
        yield from _check_ends(row, names)
        for name in EVENT_OF.values():
            if names[name] != steps[name, row.id]:
                kind = "acknowledged and lost" if names[name] < steps[name, row.id] else None
                counts = f"acknowledged {steps[name, row.id]} times, stored {names[name]} times"
                yield Violation(kind or "done twice", f"booking {row.id} {name}: {counts}")
    known = {row.id for row in truth.bookings}
    for name, booking_id in steps:
        if booking_id not in known:
            yield Violation("acknowledged and lost", f"booking {booking_id} ({name}) is not there")


def _check_ends(row: BookingRow, names: Counter[str]) -> Iterator[Violation]:
    ends = [name for name in ENDS for _ in range(names[name])]
    expected = [] if row.status in LIVE else [f"BOOKING_{row.status.upper()}"]
    if ends != expected:
        yield Violation("ended otherwise", f"booking {row.id} is {row.status}, told were {ends}")
