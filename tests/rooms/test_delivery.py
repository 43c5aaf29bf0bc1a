"""Members get each event once and in order, even if events arrive late, twice or not at all."""

import asyncio
import random
from collections import Counter
from datetime import timedelta

import pytest

from rooms import gaps
from rooms import rooms as rooms_module
from rooms.bus import InProcessBus
from rooms.gaps import MOVED_WITHIN, SWEEP_EVERY_S
from rooms.packets import event_packet
from rooms.replay import PAGE, ReplayLimits, Wanted
from rooms.rooms import Rooms
from storage.engine.postgres import TRANSACTION_MAX_S
from storage.events import log as events
from storage.events.log import Membership, Numbered
from tests.rooms.hall import CLUB, HALL, Member
from tests.world import until

without_sweep = pytest.mark.parametrize("sweep_every_s", [3_600])


@pytest.fixture
def reads(hall, monkeypatch) -> Counter:
    """Counts the ranges read from the database to fill gaps."""
    counted: Counter = Counter()
    list_since = events.list_since

    def count(tx, stream, after, upto, limit):
        counted[after, upto] += 1
        return list_since(tx, stream, after, upto, limit)

    monkeypatch.setattr(events, "list_since", count)
    return counted


@pytest.fixture
async def member(hall):
    member = Member("ana")
    await hall.enter(member)
    return member


async def receives(member: Member, *numbers: int, room: str = "hall", within_s: float = 2):
    """Wait until the member has received exactly these numbers."""
    try:
        await until(lambda: len(member.numbers(room)) >= len(numbers), within_s)
    finally:
        assert member.numbers(room) == list(numbers)


def test_the_sweep_runs_twice_a_second_and_covers_the_longest_transaction():
    assert SWEEP_EVERY_S == 0.5
    assert timedelta(seconds=TRANSACTION_MAX_S + 4 * SWEEP_EVERY_S) <= MOVED_WITHIN


async def test_an_event_is_sent_before_its_caller_is_answered(hall, member):
    await hall.say()
    assert member.numbers() == [1]


async def test_concurrent_events_arrive_in_the_order_of_their_numbers(hall, member):
    other = Member("ben")
    await hall.enter(other)
    await asyncio.gather(*(hall.say() for _ in range(60)))
    await receives(member, *range(1, 61))
    assert other.numbers() == member.numbers()


async def test_an_event_of_several_streams_arrives_in_each(hall, member):
    club = Member("ben")
    await hall.enter(club, Wanted(CLUB))
    await hall.say(HALL, CLUB)
    await hall.say(CLUB)
    assert (member.numbers(), club.numbers("club")) == ([1], [1, 2])


async def test_an_event_that_arrives_twice_is_sent_once(hall, member):
    (event,) = await hall.say()
    for _ in range(3):
        hall.rooms.arrived(event)
    assert member.numbers() == [1]


@without_sweep
async def test_a_late_event_needs_no_read_of_the_database(hall, member, reads):
    hall.lose = lambda event: True
    first, second, third = await hall.say(count=3)
    for event in (third, second):
        hall.rooms.arrived(event)
    assert member.numbers() == []
    hall.rooms.arrived(first)
    assert member.numbers() == [1, 2, 3]
    await asyncio.sleep(gaps.GAP_WAIT_S * 2)
    assert not reads


@without_sweep
async def test_a_lost_event_is_read_from_the_database_after_a_moment(
    hall, member, reads, monkeypatch
):
    monkeypatch.setattr(rooms_module, "GAP_WAIT_S", 0.5)  # longer than four commits take
    hall.lose = lambda event: event.seq == 2
    await hall.say(count=4)
    assert member.numbers() == [1]
    await receives(member, 1, 2, 3, 4)
    assert reads == {(1, 4): 1}


async def test_a_lost_last_event_is_found_by_the_sweep(hall, member):
    lost: list[int] = []

    def lose(event: Numbered) -> bool:
        if event.seq >= 2:
            lost.append(event.seq)
        return event.seq >= 2

    hall.lose = lose
    await hall.say(count=3)
    assert lost == [2, 3]
    await receives(member, 1, 2, 3)


async def test_a_delayed_sweep_still_finds_a_lost_last_event(hall, member):
    """After an outage longer than the sweep's window, the sweep still finds everything."""
    hall.lose = lambda event: event.seq == 2
    await hall.say(count=2)
    hall.clock.advance(MOVED_WITHIN.total_seconds() + 5)
    await receives(member, 1, 2)


async def test_a_gap_larger_than_a_page_is_filled_completely(hall, member, monkeypatch):
    monkeypatch.setattr(gaps, "FILL_LIMIT", 4)
    hall.lose = lambda event: event.seq < 20
    await hall.say(count=20)
    await receives(member, *range(1, 21))


async def test_the_sweep_continues_after_a_failure(hall, member, monkeypatch):
    list_moved, failures = events.list_moved_heads, []

    def fail_once(tx, since, after, limit):
        if not failures:
            failures.append(1)
            raise RuntimeError("what nobody foresaw")
        return list_moved(tx, since, after, limit)

    monkeypatch.setattr(events, "list_moved_heads", fail_once)
    await until(lambda: failures)
    hall.lose = lambda event: True
    await hall.say()
    await receives(member, 1)


async def test_a_database_outage_delays_events_but_loses_none(hall, member, monkeypatch):
    read, away = hall.database.read, [True]

    async def read_unless_away(work):
        if away:
            raise rooms_module.StorageUnavailable("away")
        return await read(work)

    monkeypatch.setattr(hall.database, "read", read_unless_away)
    hall.lose = lambda event: event.seq == 1
    await hall.say(count=2)
    await asyncio.sleep(0.2)
    assert member.numbers() == []
    away.clear()
    await receives(member, 1, 2)


@pytest.mark.parametrize("seed", range(3))
async def test_lost_late_repeated_and_unordered_events_are_repaired(hall, member, seed):
    chance = random.Random(seed)  # noqa: S311 - to be repeatable
    waiting: list[Numbered] = []

    def disturb(event: Numbered) -> bool:
        waiting.extend([event] * chance.choice((0, 1, 1, 2)))
        return chance.random() < 0.7

    hall.lose = disturb
    for _ in range(40):
        await hall.say(count=chance.randint(1, 3))
        chance.shuffle(waiting)
        for _ in range(chance.randint(0, len(waiting))):
            hall.rooms.arrived(waiting.pop())
    last = (await hall.say())[-1].seq
    await receives(member, *range(1, last + 1))


async def test_two_instances_on_one_database_get_the_same_events_in_order(hall):
    """The instances share no bus, so the sweep of the second one must find everything."""
    other = Rooms(hall.database, InProcessBus(), hall.clock)
    await other.start()
    here, there = Member("ana"), Member("ana")
    await hall.enter(here)
    await other.enter(there, lambda tx: [Wanted(HALL)], lambda entered: None)
    await asyncio.gather(*(hall.say() for _ in range(30)))
    await receives(there, *range(1, 31))
    assert here.numbers() == there.numbers()
    await other.stop()


# Membership.


def joins(user_id: str, stream: str, seq: int, *, joins: bool = True) -> Membership:
    return Membership(user_id, stream, joins, seq)


async def test_a_member_added_by_an_event_gets_it_and_later_ones(hall):
    phone, laptop, stranger = Member("ana"), Member("ana"), Member("ben")
    for one in (phone, laptop, stranger):
        await hall.enter(one)
    await hall.say(CLUB, count=3)
    await hall.say(HALL, CLUB, membership=(joins("ana", CLUB, 4),))
    await hall.say(CLUB)
    await receives(phone, 4, 5, room="club")
    await receives(laptop, 4, 5, room="club")
    assert stranger.numbers("club") == []


async def test_an_added_member_gets_all_pages_of_events_since_it_was_added(hall, member):
    await hall.say(CLUB, count=2 * PAGE + 5)
    await hall.say(HALL, membership=(joins("ana", CLUB, 1),))
    await receives(member, *range(1, 2 * PAGE + 6), room="club")


async def test_joining_under_load_misses_and_repeats_nothing(hall, member):
    saying = asyncio.create_task(hall.say(CLUB, count=60))
    await asyncio.sleep(0.01)
    await hall.say(HALL, CLUB, membership=(joins("ana", CLUB, 1),))
    await saying
    await receives(member, *range(1, 62), room="club")


async def test_a_removed_member_gets_its_removal_and_nothing_later(hall):
    ana, ben = Member("ana"), Member("ben")
    for one in (ana, ben):
        await hall.enter(one, Wanted(CLUB))
    await hall.say(CLUB)
    await hall.say(CLUB, membership=(joins("ana", CLUB, 2, joins=False),))
    await hall.say(CLUB)
    assert ana.numbers("club") == [1, 2]
    assert ben.numbers("club") == [1, 2, 3]


async def test_a_lost_removal_still_takes_effect_at_its_number(hall):
    ana = Member("ana")
    await hall.enter(ana, Wanted(CLUB))
    hall.lose = lambda event: event.seq == 2
    await hall.say(CLUB)
    await hall.say(CLUB, membership=(joins("ana", CLUB, 2, joins=False),))
    await hall.say(CLUB)
    await receives(ana, 1, 2, room="club")
    await asyncio.sleep(gaps.GAP_WAIT_S * 2)
    assert ana.numbers("club") == [1, 2]


async def test_a_member_added_again_gets_events_from_its_return(hall, member):
    for number in (1, 3, 5):
        membership = joins("ana", CLUB, number)
        await hall.say(HALL, CLUB, membership=(membership,))
        await until(lambda n=number: member.numbers("club")[-1:] == [n])
        await hall.say(CLUB, membership=(joins("ana", CLUB, number + 1, joins=False),))
    await hall.say(CLUB)
    assert member.numbers("club") == [1, 2, 3, 4, 5, 6]


async def test_a_member_added_and_removed_by_late_events_is_not_in_the_room(hall):
    """Late events of another instance arrive, first those of the room that adds the user."""
    ana = Member("ana")
    await hall.enter(ana)
    hall.lose = lambda event: True
    (_, added) = await hall.say(HALL, CLUB, membership=(joins("ana", CLUB, 1),))
    await hall.say(CLUB, membership=(joins("ana", CLUB, 2, joins=False),))
    await hall.say(CLUB)
    await receives(ana, 1, 2, room="club")
    hall.lose = lambda event: False
    await hall.say(CLUB, HALL)
    await receives(ana, 1, 2)
    assert ana.numbers("club") == [1, 2]
    assert added.seq == 1


async def test_a_member_added_again_before_its_late_removal_gets_everything(hall):
    ana, ben = Member("ana"), Member("ben")
    await hall.enter(ana, Wanted(HALL), Wanted(CLUB))
    await hall.enter(ben, Wanted(CLUB))
    hall.lose = lambda event: event.stream == CLUB
    await hall.say(CLUB, membership=(joins("ana", CLUB, 1, joins=False),))
    await hall.say(HALL, CLUB, membership=(joins("ana", CLUB, 2),))
    assert ana.numbers() == [1]
    await hall.say(CLUB)
    await receives(ana, 1, 2, 3, room="club")
    await receives(ben, 1, 2, 3, room="club")


@without_sweep
async def test_two_late_memberships_each_get_their_events(hall):
    """Events of the room that adds Ana arrive before those of the room that removes her."""
    ana = Member("ana")
    await hall.enter(ana, Wanted(HALL), Wanted(CLUB))
    hall.lose = lambda event: event.stream == CLUB
    for number in (1, 4):
        await hall.say(CLUB, membership=(joins("ana", CLUB, number, joins=False),))
        await hall.say(HALL, CLUB, membership=(joins("ana", CLUB, number + 1),))
        await hall.say(CLUB)
    assert ana.numbers("club") == []
    await hall.say(HALL)
    await hall.say(CLUB)
    hall.lose = lambda event: False
    await hall.say(CLUB)
    await receives(ana, *range(1, 9), room="club")


async def test_a_late_event_from_before_the_snapshot_adds_no_membership(hall):
    """The event arrives late: in the snapshot, Ana was already added and removed again."""
    ana, ben = Member("ana"), Member("ben")
    await hall.enter(ben)
    hall.lose = lambda event: True
    added, _ = await hall.say(HALL, CLUB, membership=(joins("ana", CLUB, 1),))
    await hall.say(CLUB, membership=(joins("ana", CLUB, 2, joins=False),))
    await hall.enter(ana)
    hall.rooms.arrived(added)
    await receives(ben, 1)
    await asyncio.sleep(gaps.GAP_WAIT_S * 2)
    assert ana.sent == ["greeted"]


async def test_a_member_added_to_another_room_while_entering_gets_its_events(hall):
    ana = Member("ana")

    async def head() -> int:
        return 0

    release = await hall.rooms.follow(ana, HALL, head)
    await hall.say(HALL, CLUB, membership=(joins("ana", CLUB, 1),))
    assert ana.sent == []
    release()
    await receives(ana, 1, room="club")
    assert ana.numbers() == [1]


async def test_a_member_with_too_many_held_events_is_disconnected(hall):
    ana = Member("ana")
    await hall.enter(ana)
    hall.rooms._limits = ReplayLimits(stream=3, connection=100)
    hall.lose = lambda event: True
    await hall.say(HALL, CLUB, membership=(joins("ana", CLUB, 1),))
    await hall.say(CLUB, count=5)
    await until(lambda: ana.cuts)
    assert ana.numbers("club") == []


async def test_no_state_is_left_when_members_are_gone(hall):
    members = [Member(f"u{n}") for n in range(10)]
    for one in members:
        await hall.enter(one, *(Wanted(f"/hall|r{n}") for n in range(5)))
        await hall.rooms.ephemeral.listen(one, ["/hall|whispers"])
    await hall.say("/hall|r1", count=3)
    assert hall.rooms.counts() == {"streams": 5, "members": 10, "listened": 1}
    for one in members:
        hall.rooms.leave_all(one)
    assert hall.rooms.counts() == {"streams": 0, "members": 0, "listened": 0}
    assert not hall.rooms._bus.__dict__


async def test_an_event_has_its_room_number_id_and_time(hall):
    (event,) = await hall.say()
    assert event_packet(event).text == (
        b'42/hall,["SAID",{},{"room":"hall","seq":1,"id":"%b","at":"%b"}]'
        % (event.id.encode(), at_of(event))
    )


def at_of(event: Numbered) -> bytes:
    assert event.at.utcoffset() == timedelta(0)
    return event.at.strftime("%Y-%m-%dT%H:%M:%S.%fZ").encode()
