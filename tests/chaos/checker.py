"""Compares the record of a run with the database, and reports violations."""

from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime, timedelta

from tests.chaos import changes, displays, places
from tests.chaos.displays import Screen
from tests.chaos.records import Asked, Violation
from tests.chaos.truth import Truth

MISSED_BY = timedelta(seconds=2)
"""Tolerance: a client and its server do not notice a lost connection at the same time."""


def check(asked: Sequence[Asked], screens: Sequence[Screen], truth: Truth) -> Iterator[Violation]:
    """All checks that are possible once everything is settled."""
    yield from displays.check_logs(truth)
    yield from displays.check_histories(screens, truth)
    yield from displays.check_screens(screens, truth)
    yield from changes.check_answers(asked)
    yield from changes.check_messages(asked, truth)
    yield from changes.check_changes(asked, truth)
    yield from changes.check_told(truth)
    yield from changes.check_undone(truth)
    yield from places.check_places(truth)
    yield from places.check_students(truth)
    yield from places.check_courses(asked, truth)


def check_presence(
    there: dict[str, bool], stored: dict[str, bool], screens: Iterable[Screen]
) -> Iterator[Violation]:
    """Exactly the connected users are online, in the database and for every watcher."""
    for user_id, is_there in there.items():
        if stored.get(user_id, False) != is_there:
            what = f"{user_id} is {word(is_there)}, stored is {word(not is_there)}"
            yield Violation("wrong presence", what)
    for screen in screens:
        for user_id, online in screen.shown.online.items() if screen.there else ():
            if online != there.get(user_id, False):
                what = f"{screen.history.device} shows {user_id} {word(online)}"
                yield Violation("wrong presence", f"{what}; stored is {stored.get(user_id)}")


def word(online: bool) -> str:
    return "online" if online else "offline"


Away = Sequence[tuple[datetime, datetime]]


def check_flaps(
    away: dict[str, Away], offline: Iterable[tuple[str, datetime]], grace_s: float
) -> Iterator[Violation]:
    """A user was reported offline only after an absence as long as the grace period."""
    grace = timedelta(seconds=grace_s) - MISSED_BY
    for user_id, at in offline:
        long = [one for one in away.get(user_id, ()) if one[1] - one[0] >= grace]
        if not any(since - grace * 2 <= at <= until + grace for since, until in long):
            yield Violation("presence flapped", f"{user_id} was said to be offline since {at}")


def check_held(before: dict[str, float], after: dict[str, float]) -> Iterator[Violation]:
    """Resources held for clients are back to their values before the first client."""
    for name in sorted(before.keys() | after.keys()):
        if before.get(name) != after.get(name):
            yield Violation("not given back", f"{name}: {before.get(name)}, now {after.get(name)}")
