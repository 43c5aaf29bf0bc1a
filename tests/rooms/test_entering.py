"""Entering rooms: replay, `synced`, then live events without a gap; and incomplete replays."""

import asyncio

import pytest

from handlers.kit.ids import id_at
from rooms.replay import PAGE, ReplayLimits, Wanted
from storage.engine.database import StorageUnavailable
from storage.events import log as events
from storage.events.log import Membership, forget_events, list_since
from tests.rooms.hall import CLUB, HALL, Member, spin
from tests.world import until

WITHIN_S = 1.0


async def test_entering_without_a_number_starts_at_the_head(hall):
    await hall.say(count=3)
    member = Member()
    entered = (await hall.enter(member))[HALL]
    assert (entered.head, entered.recovered, entered.missed) == (3, True, [])
    await hall.say()
    assert member.sent == ["greeted", ("hall", 4)]


async def test_a_returning_member_gets_missed_events_then_synced_then_live_ones(hall):
    await hall.say(count=4)
    member = Member()
    entered = (await hall.enter(member, Wanted(HALL, since=2)))[HALL]
    await hall.say()
    assert (entered.head, entered.recovered) == (4, True)
    assert member.sent == [("hall", 3), ("hall", 4), "greeted", ("hall", 5)]


async def test_a_returning_member_that_missed_nothing_is_recovered(hall):
    await hall.say(count=2)
    assert (await hall.enter(Member(), Wanted(HALL, since=2)))[HALL].recovered


@pytest.mark.parametrize(
    "wanted",
    [
        Wanted(HALL, since=7),
        Wanted(HALL, since=2**60),
        Wanted(HALL, from_seq=4, since=2),
    ],
    ids=["beyond the head", "far beyond", "from before it joined"],
)
async def test_an_unrecoverable_room_is_not_replayed_in_part(hall, wanted):
    await hall.say(count=6)
    member = Member()
    entered = (await hall.enter(member, wanted))[HALL]
    assert (entered.head, entered.recovered) == (6, False)
    assert member.sent == ["greeted"]
    await hall.say()
    assert member.numbers() == [7]


async def test_a_member_that_has_everything_before_its_membership_is_recovered(hall):
    await hall.say(count=6)
    member = Member()
    entered = (await hall.enter(member, Wanted(HALL, from_seq=4, since=3)))[HALL]
    assert entered.recovered
    assert member.numbers() == [4, 5, 6]


async def test_a_stream_with_deleted_events_is_not_replayed_in_part(hall):
    await hall.say(count=3)
    hall.clock.advance(100)
    before = id_at(hall.clock.now())
    hall.clock.advance(1)
    await hall.say(count=3)
    await hall.database.transact(lambda tx: forget_events(tx, before, 100))
    old, fresh = Member(), Member()
    assert not (await hall.enter(old, Wanted(HALL, since=1)))[HALL].recovered
    assert old.numbers() == []
    assert (await hall.enter(fresh, Wanted(HALL, since=3)))[HALL].recovered
    assert fresh.numbers() == [4, 5, 6]


async def test_a_stream_beyond_its_replay_limit_is_not_replayed_in_part(hall):
    hall.rooms._limits = ReplayLimits(stream=5, connection=100)
    await hall.say(count=6)
    too_much, just = Member(), Member()
    assert not (await hall.enter(too_much, Wanted(HALL, since=0)))[HALL].recovered
    assert too_much.numbers() == []
    assert (await hall.enter(just, Wanted(HALL, since=1)))[HALL].recovered
    assert just.numbers() == [2, 3, 4, 5, 6]


async def test_events_that_do_not_count_never_push_others_out_of_a_replay(hall):
    hall.rooms._limits = ReplayLimits(stream=3, connection=9, uncounted=("SEEN",))
    for _ in range(3):
        await hall.say()
        await hall.say(name="SEEN", count=2)
    member, late, other = Member(), Member(), Member()
    assert (await hall.enter(member, Wanted(HALL, since=0)))[HALL].recovered
    assert member.numbers() == list(range(1, 10)), "they are replayed themselves"
    await hall.say(name="SEEN")
    assert not (await hall.enter(late, Wanted(HALL, since=0)))[HALL].recovered, "10 in all"
    await hall.say(count=2)
    assert not (await hall.enter(other, Wanted(HALL, since=3)))[HALL].recovered, "4 that count"
    assert (await hall.enter(other, Wanted(HALL, since=4)))[HALL].recovered


async def test_the_replay_limit_of_a_connection_applies_stream_by_stream(hall):
    hall.rooms._limits = ReplayLimits(stream=5, connection=7)
    streams = [f"/hall|r{n}" for n in range(3)]
    for stream in streams:
        await hall.say(stream, count=4)
    member = Member()
    entered = await hall.enter(member, *(Wanted(stream, since=0) for stream in streams))
    assert [entered[stream].recovered for stream in streams] == [True, False, False]
    assert [len(member.numbers(f"r{n}")) for n in range(3)] == [4, 0, 0]


class SlowMember(Member):
    """A member that reads only when the test allows it."""

    def __init__(self) -> None:
        super().__init__()
        self.reads = asyncio.Event()

    async def caught_up(self) -> None:
        await self.reads.wait()


async def test_a_long_replay_is_read_a_page_at_a_time(hall, monkeypatch):
    pages = []

    def list_page(*args):
        pages.append(list_since(*args))
        return pages[-1]

    monkeypatch.setattr(events, "list_since", list_page)
    await hall.say(count=3 * PAGE)
    await hall.say(CLUB, count=PAGE)
    member = SlowMember()
    entering = asyncio.create_task(hall.enter(member, Wanted(HALL, since=0), Wanted(CLUB, since=0)))
    await until(lambda: pages)
    await spin()
    assert [len(page) for page in pages] == [PAGE]
    member.reads.set()
    entered = await entering
    assert entered[HALL].recovered
    assert entered[CLUB].recovered
    assert member.numbers() == list(range(1, 3 * PAGE + 1))
    assert member.numbers("club") == list(range(1, PAGE + 1))
    assert max(map(len, pages)) == PAGE


async def test_a_replay_stops_where_events_were_deleted_meanwhile(hall):
    await hall.say(count=2 * PAGE)
    member = SlowMember()
    entering = asyncio.create_task(hall.enter(member, Wanted(HALL, since=0)))
    await until(lambda: hall.rooms.counts()["members"])
    await spin()
    hall.clock.advance(100)
    await hall.database.transact(lambda tx: forget_events(tx, id_at(hall.clock.now()), 1_000))
    member.reads.set()
    with pytest.raises(StorageUnavailable):
        await entering
    assert member.numbers() == list(range(1, PAGE + 1))
    assert "greeted" not in member.sent


async def test_an_unknown_stream_is_entered_at_zero(hall):
    member = Member()
    assert (await hall.enter(member, Wanted("/hall|new")))["/hall|new"].head == 0
    await hall.say("/hall|new")
    assert member.numbers("new") == [1]


async def test_only_the_replay_arrives_before_synced(hall):
    await hall.say(count=2)
    member = Member()
    saying = asyncio.create_task(hall.say(count=40))
    await asyncio.sleep(0.005)
    await hall.enter(member, Wanted(HALL, since=0))
    await saying
    greeted = member.sent.index("greeted")
    await until(lambda: member.numbers()[-1:] == [42])
    assert member.numbers() == list(range(1, 43))
    assert len(member.sent[:greeted]) >= 2


async def test_many_members_entering_under_load_miss_and_repeat_nothing(hall):
    members = [Member(f"u{n}") for n in range(20)]
    heads: dict[Member, int] = {}
    stopped = asyncio.Event()

    async def speak():
        while not stopped.is_set():
            await asyncio.gather(*(hall.say() for _ in range(3)))

    async def enter(member: Member, after_s: float):
        await asyncio.sleep(after_s)
        heads[member] = (await hall.enter(member))[HALL].head

    speaking = asyncio.create_task(speak())
    await asyncio.gather(*(enter(one, 0.003 * n) for n, one in enumerate(members)))
    stopped.set()
    await speaking
    last = (await hall.say())[-1].seq
    for member in members:
        await until(lambda m=member: m.numbers()[-1:] == [last])
        assert member.numbers() == list(range(heads[member] + 1, last + 1))


async def test_a_member_whose_rooms_change_while_it_enters_gets_the_new_ones(hall):
    rounds = []

    def wants(queries):
        rounds.append(1)
        return [Wanted(HALL)] if len(rounds) == 1 else [Wanted(CLUB)]

    member = Member()
    await hall.rooms.enter(member, wants, lambda entered: None)
    await hall.say(HALL, CLUB)
    assert member.sent == [("club", 1)]
    assert hall.rooms.counts()["streams"] == 1


async def test_entering_rooms_that_keep_changing_is_refused_without_leftovers(hall):
    rounds = []

    def wants(queries):
        rounds.append(1)
        return [Wanted(f"/hall|r{len(rounds)}")]

    with pytest.raises(StorageUnavailable):
        await hall.rooms.enter(Member(), wants, lambda entered: None)
    assert hall.rooms.counts() == {"streams": 0, "members": 0, "listened": 0}


async def test_members_that_open_each_others_rooms_do_not_deadlock(hall, monkeypatch):
    """Two members each open a stream and wait for the other's, while a third delays one."""
    x, y, z = (f"/hall|{name}" for name in "xyz")
    held = asyncio.Event()

    async def subscribe(*names: str) -> None:
        await until(lambda: hall.rooms.counts()["streams"] == 3)  # each has started by then

    monkeypatch.setattr(hall.rooms._bus, "subscribe", subscribe)

    async def open_slowly() -> int:
        await held.wait()
        return 0

    third = asyncio.create_task(hall.rooms.follow(Member(), z, open_slowly))
    await spin()
    first, second = Member(), Member()
    entering = asyncio.gather(
        hall.enter(first, Wanted(x), Wanted(z), Wanted(y)),
        hall.enter(second, Wanted(y), Wanted(x)),
    )
    await until(lambda: hall.rooms.counts()["streams"] == 3)
    held.set()
    async with asyncio.timeout(WITHIN_S):
        await entering
    (await third)()
    await hall.say(x, y)
    assert first.numbers("x") == second.numbers("x") == [1]
    assert first.numbers("y") == second.numbers("y") == [1]


async def test_a_stream_that_is_never_opened_is_refused_in_time(hall, monkeypatch):
    monkeypatch.setattr("rooms.opening.OPEN_WITHIN_S", 0.05)
    never = asyncio.create_task(hall.rooms.follow(Member(), CLUB, asyncio.Event().wait))
    await spin()
    late = Member()
    with pytest.raises(StorageUnavailable):
        await hall.enter(late, Wanted(HALL), Wanted(CLUB))
    never.cancel()
    await asyncio.gather(never, return_exceptions=True)
    assert hall.rooms.counts() == {"streams": 0, "members": 0, "listened": 0}


async def test_a_replay_waits_for_its_reader(hall):
    await hall.say(count=5)

    class Slow(Member):
        ready = 2

        async def caught_up(self) -> None:
            await until(lambda: self.ready > 0)
            self.ready -= 1

    slow = Slow()
    entering = asyncio.create_task(hall.enter(slow, Wanted(HALL, since=0)))
    await until(lambda: len(slow.sent) == 2)
    await hall.say()
    assert slow.numbers() == [1, 2]
    slow.ready = 100
    await entering
    assert slow.numbers() == [1, 2, 3, 4, 5, 6]


# Following rooms.


async def test_a_follower_gets_nothing_before_its_release_and_everything_after(hall):
    await hall.say(count=2)
    member = Member()

    async def read() -> int:
        await hall.say()  # committed after the registration, before the snapshot
        return 3

    release = await hall.rooms.follow(member, HALL, read)
    await hall.say(count=2)
    assert member.sent == []
    release()
    await hall.say()
    assert member.numbers() == [4, 5, 6]


async def test_a_snapshot_ahead_of_arrived_events_repeats_nothing(hall):
    first = Member()
    await hall.enter(first)
    hall.lose = lambda event: True
    told = await hall.say(count=3)
    member = Member()

    async def read() -> int:
        return 2

    (await hall.rooms.follow(member, HALL, read))()
    for event in told:
        hall.rooms.arrived(event)
    assert first.numbers() == [1, 2, 3]
    assert member.numbers() == [3]


async def test_following_a_room_twice_changes_nothing(hall):
    member = Member()
    await hall.enter(member)

    async def read() -> int:
        return 0

    (await hall.rooms.follow(member, HALL, read))()
    await hall.say()
    assert member.numbers() == [1]


# Failures.


async def test_entering_during_a_database_outage_leaves_no_membership(hall):
    def wants(queries):
        raise StorageUnavailable("away")

    with pytest.raises(StorageUnavailable):
        await hall.rooms.enter(Member(), wants, lambda entered: None)
    assert hall.rooms.counts() == {"streams": 0, "members": 0, "listened": 0}


@pytest.mark.parametrize("error", [StorageUnavailable("away"), ValueError("odd")], ids=str)
async def test_a_first_follower_that_fails_does_not_block_the_others(hall, error):
    reading, fail = asyncio.Event(), asyncio.Event()

    async def read_and_fail() -> int:
        reading.set()
        await fail.wait()
        raise error

    async def read() -> int:
        return 0

    unlucky, lucky, later = Member("ana"), Member("ben"), Member("cleo")
    first = asyncio.create_task(hall.rooms.follow(unlucky, HALL, read_and_fail))
    await reading.wait()
    second = asyncio.create_task(hall.rooms.follow(lucky, HALL, read))
    await spin()
    fail.set()
    async with asyncio.timeout(WITHIN_S):
        with pytest.raises(type(error)):
            await first
        try:
            (await second)()
        except StorageUnavailable:  # a refusal is allowed, an endless wait is not
            (await hall.rooms.follow(lucky, HALL, read))()
        (await hall.rooms.follow(later, HALL, read))()
    await hall.say()
    assert lucky.numbers() == later.numbers() == [1]
    assert unlucky.sent == []
    for member in (lucky, later):
        hall.rooms.leave_all(member)
    assert hall.rooms.counts() == {"streams": 0, "members": 0, "listened": 0}


async def test_a_first_follower_that_leaves_does_not_block_the_others(hall):
    reading, go_on = asyncio.Event(), asyncio.Event()

    async def read_slowly() -> int:
        reading.set()
        await go_on.wait()
        return 0

    async def read() -> int:
        return 0

    gone, here = Member("ana"), Member("ben")
    first = asyncio.create_task(hall.rooms.follow(gone, HALL, read_slowly))
    await reading.wait()
    second = asyncio.create_task(hall.rooms.follow(here, HALL, read))
    await spin()
    hall.rooms.leave_all(gone)
    go_on.set()
    async with asyncio.timeout(WITHIN_S):
        (await first)()
        (await second)()
    await hall.say()
    assert here.numbers() == [1]
    assert gone.sent == []


async def test_a_member_that_leaves_while_following_is_in_no_room(hall):
    member = Member("ana")
    reading, go_on = asyncio.Event(), asyncio.Event()

    async def read() -> int:
        reading.set()
        await go_on.wait()
        return 0

    following = asyncio.create_task(hall.rooms.follow(member, HALL, read))
    await reading.wait()
    member.gone = True
    hall.rooms.leave_all(member)
    go_on.set()
    (await following)()
    assert hall.rooms.counts() == {"streams": 0, "members": 0, "listened": 0}


async def test_a_disconnected_member_cannot_follow_a_room(hall):
    member = Member("ana")
    member.gone = True

    async def read() -> int:
        return 0

    (await hall.rooms.follow(member, HALL, read))()
    assert hall.rooms.counts() == {"streams": 0, "members": 0, "listened": 0}


async def test_a_disconnected_member_is_not_added_by_an_event(hall):
    member = Member("ana")
    await hall.enter(member)
    told = Membership("ana", CLUB, True, 1)
    await hall.say(HALL, CLUB, membership=(told,))
    member.gone = True
    hall.rooms.leave_all(member)
    await asyncio.sleep(0.1)
    assert hall.rooms.counts() == {"streams": 0, "members": 0, "listened": 0}
