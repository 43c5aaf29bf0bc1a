"""A stream sends each number once and in order to its members, also while they join."""

import asyncio
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rooms import stream as streams
from rooms.packets import ephemeral_packet
from rooms.stream import Stream
from storage.events.log import Membership, Numbered
from tests.rooms.hall import HALL, Member

NOW = datetime(2026, 11, 21, tzinfo=UTC)


@pytest.fixture
def loop():
    made = asyncio.new_event_loop()
    yield made
    made.close()


def event(seq: int, membership: tuple[Membership, ...] = ()) -> Numbered:
    return Numbered(HALL, seq, f"id-{seq}", "SAID", NOW, "{}", membership)


def open_stream(loop, head: int = 0) -> Stream:
    stream = Stream(HALL, loop.create_future())
    stream.open_at(head)
    return stream


def enter_member(stream: Stream, user_id: str | None = None, floor: int | None = None) -> Member:
    """A released member, which gets the events above `floor` (default: the cursor)."""
    member = Member(user_id)
    stream.join(member)
    stream.release(member, (stream.cursor or 0) if floor is None else floor)
    return member


def test_numbers_are_sent_in_order_for_any_order_of_arrival(loop):
    stream = open_stream(loop)
    member = enter_member(stream)
    for seq in (3, 2, 5, 1, 4):
        stream.arrived(event(seq))
    assert member.numbers() == [1, 2, 3, 4, 5]
    assert not stream.gap


def test_a_number_that_was_already_sent_is_dropped(loop):
    stream = open_stream(loop, head=2)
    member = enter_member(stream)
    for seq in (1, 2, 3, 3, 2, 4, 3):
        stream.arrived(event(seq))
    assert member.numbers() == [3, 4]
    assert not stream.gap, "nothing of it may wait for its turn"


def test_a_gap_holds_back_later_events(loop):
    stream = open_stream(loop)
    member = enter_member(stream)
    stream.arrived(event(1))
    stream.arrived(event(3))
    assert stream.gap
    assert member.numbers() == [1]


def test_too_many_events_ahead_of_a_gap_are_read_from_the_database(loop, monkeypatch):
    monkeypatch.setattr(streams, "AHEAD_MAX", 3)
    stream = open_stream(loop)
    member = enter_member(stream)
    for seq in range(2, 10):
        stream.arrived(event(seq))
    assert len(stream.ahead) == 3
    stream.arrived(event(1))
    assert member.numbers() in ([], [1, 2, 3, 4])


def test_nothing_arrives_before_the_release_and_nothing_is_missed(loop):
    stream = open_stream(loop, head=5)
    member = Member()
    stream.join(member)
    stream.arrived(event(6))
    stream.arrived(event(7))
    assert member.sent == []
    stream.release(member, 6)
    stream.arrived(event(8))
    assert member.numbers() == [7, 8]


def test_a_member_waits_for_a_floor_ahead_of_the_cursor(loop):
    """The snapshot can include events that arrive later, which must not be sent twice."""
    stream = open_stream(loop, head=5)
    member = enter_member(stream, floor=7)
    for seq in (6, 7, 8, 9):
        stream.arrived(event(seq))
    assert member.numbers() == [8, 9]
    assert member in stream.members


def test_events_before_a_stream_opens_are_sent_when_it_opens(loop):
    stream = Stream(HALL, loop.create_future())
    member = Member()
    stream.join(member)
    for seq in (6, 4, 5):
        stream.arrived(event(seq))
    assert member.sent == []
    stream.open_at(4)
    stream.release(member, 4)
    assert member.numbers() == [5, 6]


def test_a_joining_member_with_too_many_held_events_is_disconnected(loop, monkeypatch):
    monkeypatch.setattr(streams, "HELD_MAX", 3)
    stream = open_stream(loop)
    member = Member()
    stream.join(member)
    for seq in range(1, 6):
        stream.arrived(event(seq))
    assert member.cuts
    assert len(stream.joining[member].held) == 3


LEAVE = Membership("ana", HALL, False, 0)


def test_a_member_removed_at_a_number_gets_that_event_and_no_later_one(loop):
    stream = open_stream(loop)
    phone, laptop, other = (enter_member(stream, user) for user in ("ana", "ana", "ben"))
    stream.arrived(event(1))
    stream.arrived(event(2, (LEAVE,)))
    stream.arrived(event(3))
    assert phone.numbers() == laptop.numbers() == [1, 2]
    assert other.numbers() == [1, 2, 3]
    assert set(stream.left) == {(phone, 2), (laptop, 2)}


def test_a_member_removed_while_joining_gets_the_removal_too(loop):
    stream = open_stream(loop)
    member = Member("ana")
    stream.join(member)
    stream.arrived(event(1))
    stream.arrived(event(2, (LEAVE,)))
    stream.arrived(event(3))
    stream.release(member, 0)
    assert member.numbers() == [1, 2]
    assert stream.left == [(member, 2)]


@pytest.mark.parametrize("released_first", [False, True])
def test_an_earlier_removal_does_not_remove_a_member_added_again(loop, released_first):
    stream = open_stream(loop)
    member = Member("ana")
    stream.join(member)
    if released_first:
        stream.release(member, 3)
    stream.arrived(event(1))
    stream.arrived(event(2, (LEAVE,)))
    stream.arrived(event(3))
    stream.arrived(event(4))
    if not released_first:
        stream.release(member, 3)
    assert member.numbers() == [4]
    assert member in stream.members
    assert not stream.left


def test_a_removal_within_the_snapshot_does_not_remove_the_member(loop):
    """The member was in the room in the snapshot at 2, so no event up to 2 may remove it."""
    stream = open_stream(loop)
    member = enter_member(stream, "ana", floor=2)
    stream.arrived(event(1))
    stream.arrived(event(2, (LEAVE,)))
    stream.arrived(event(3))
    assert member.numbers() == [3]


def test_leaving_another_stream_keeps_this_membership(loop):
    stream = open_stream(loop)
    member = enter_member(stream, "ana")
    stream.arrived(event(1, (Membership("ana", "/hall|elsewhere", False, 1),)))
    stream.arrived(event(2))
    assert member.numbers() == [1, 2]


def test_an_ephemeral_event_reaches_all_members_except_its_sender(loop):
    stream = open_stream(loop)
    speaker, hearer = enter_member(stream), enter_member(stream)
    joining = Member()
    stream.join(joining)
    packet = ephemeral_packet("/hall", "hall", "typing", {})
    stream.say(packet, speaker)
    assert packet.shed
    assert (speaker.sent, hearer.sent, joining.sent) == ([], ["typing"], [])


@st.composite
def histories(draw):
    """The arrival of numbers 1..n (any order, some twice), and when members join and release."""
    last = draw(st.integers(1, 12))
    arrivals = draw(st.permutations(range(1, last + 1)))
    again = draw(st.lists(st.integers(1, last), max_size=6))
    steps: list[tuple[str, int]] = [("arrive", seq) for seq in arrivals]
    for seq in again:
        steps.insert(draw(st.integers(0, len(steps))), ("arrive", seq))
    for member in range(draw(st.integers(1, 4))):
        at = draw(st.integers(0, len(steps)))
        steps.insert(at, ("join", member))
        steps.insert(draw(st.integers(at + 1, len(steps))), ("release", member))
    return last, steps, draw(st.lists(st.integers(0, 12), min_size=4, max_size=4))


@given(histories())
def test_every_member_gets_exactly_the_events_above_its_floor_in_order(history):
    last, steps, ahead = history
    loop = asyncio.new_event_loop()
    stream = open_stream(loop)
    loop.close()
    members = [Member() for _ in range(4)]
    floors: dict[int, int] = {}
    for step, which in steps:
        if step == "arrive":
            stream.arrived(event(which))
        elif step == "join":
            # The snapshot is read after joining, so it is at the cursor or ahead of it.
            floors[which] = min((stream.cursor or 0) + ahead[which], last)
            stream.join(members[which])
        else:
            stream.release(members[which], floors[which])
    for which, floor in floors.items():
        assert members[which].numbers() == list(range(floor + 1, last + 1))
        assert members[which] in stream.members
