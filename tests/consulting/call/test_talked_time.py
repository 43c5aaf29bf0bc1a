"""Invariant 4: what counts is the time in which both were connected, and never more."""

from datetime import UTC, datetime, timedelta
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from handlers.consulting.call import service
from handlers.consulting.call.talk import talked_seconds
from server.heartbeat import SILENT_AFTER
from storage.consulting.call import Stay, insert_stay, list_stays
from tests.consulting.call.scenes import CALL, Talk, talk_of
from tests.consulting.waiting_room.scenes import lose_instance

START = datetime(2030, 1, 1, tzinfo=UTC)
HORIZON_S = 120
spans_s = st.lists(st.tuples(st.integers(0, HORIZON_S), st.integers(0, HORIZON_S)), max_size=8)


def as_spans(seconds):
    return [(START + timedelta(seconds=a), START + timedelta(seconds=b)) for a, b in seconds]


def connected_in(seconds):
    """The seconds in which somebody with these spans was connected, counted one by one."""
    return {second for start, end in seconds for second in range(start, end)}


@given(student=spans_s, consultant=spans_s)
def test_talked_time_is_the_time_that_both_were_connected(student, consultant):
    both = connected_in(student) & connected_in(consultant)
    assert talked_seconds(as_spans(student), as_spans(consultant)) == len(both)


@given(student=spans_s, consultant=spans_s, data=st.data())
def test_doubled_reordered_and_swapped_news_change_nothing(student, consultant, data):
    once = talked_seconds(as_spans(student), as_spans(consultant))
    doubled = data.draw(st.permutations([*student, *student[: len(student) // 2]]))
    reordered = data.draw(st.permutations(consultant))
    assert talked_seconds(as_spans(doubled), as_spans(reordered)) == once
    assert talked_seconds(as_spans(reordered), as_spans(doubled)) == once


@given(student=spans_s, consultant=spans_s, cut_s=st.integers(0, HORIZON_S))
def test_less_presence_is_never_more_time(student, consultant, cut_s):
    cut = [(start, min(end, cut_s)) for start, end in student]
    before = talked_seconds(as_spans(student), as_spans(consultant))
    assert talked_seconds(as_spans(cut), as_spans(consultant)) <= before


# A story: devices of both join and are lost; whole seconds go by in between.


async def tell(talk, chance):
    """Act a story out on real sockets; gives the seconds in which both were there."""
    there: tuple[list, list] = ([], [])
    both_s = 0
    for _ in range(12):
        who = chance.randrange(2)
        if there[who] and chance.random() < 0.4:
            await talk.lose(there[who].pop(chance.randrange(len(there[who]))))
        else:
            there[who].append(await talk.joined_device(talk.parties[who]))
        wait_s = chance.randint(1, 25)
        await talk.later(wait_s)
        both_s += wait_s if there[0] and there[1] else 0
    return both_s


@pytest.mark.settings(PARLEY_CALL_UNHELD_S="10000", PARLEY_CALL_LOST_S="10000")
async def test_a_call_counts_the_seconds_in_which_devices_of_both_were_in_it(world):
    first = await talk_of(world)
    for seed in range(3):
        student, booking_id = await first.hour.waiting(f"student{seed}")
        if seed == 0:
            await first.consultant.call(CALL, "end", call_id=first.id)
        talk = Talk(first.hour, student, booking_id, await first.hour.admit(booking_id))
        both_s = await tell(talk, Random(seed))  # noqa: S311 - a story, no secret
        over = await talk.consultant.call(CALL, "end", call_id=talk.id)
        assert over["talked_s"] == both_s > 0
        await world.settle()


async def test_news_of_a_departure_twice_or_late_changes_nothing(world):
    talk = await talk_of(world)
    await talk.join()
    await talk.later(40)
    stays = await world.read(list_stays, talk.id)
    await talk.lose(talk.student.client)
    for stay in stays:
        if stay.user_id == talk.student.id:
            for late_s in (30, 0):
                at = world.clock.now() + timedelta(seconds=late_s)
                await world.transact(service.lose, talk.id, stay.device_id, at)
    await talk.later(20)
    over = await talk.consultant.call(CALL, "end", call_id=talk.id)
    assert over["talked_s"] == 40


async def test_joining_again_and_again_is_one_stay_that_ends_with_its_device(world, monkeypatch):
    monkeypatch.setattr("server.session.LEASES_MAX", 3)
    talk = await talk_of(world)
    await talk.join()
    for _ in range(5):
        await talk.join(talk.student)
    assert await talk.open_stays() == 2
    await talk.later(30)
    await talk.lose(talk.student.client)
    await talk.later(20)
    over = await talk.consultant.call(CALL, "end", call_id=talk.id)
    assert over["talked_s"] == 30


@pytest.mark.parametrize("noted", ["by nobody", "as if they had lasted"])
async def test_what_a_dead_instance_left_is_ended_a_few_stays_at_a_time(world, monkeypatch, noted):
    monkeypatch.setattr("handlers.consulting.call.consumers.STAYS_BATCH", 2)
    talk = await talk_of(world)
    at = world.clock.now()
    world.clock.advance(10)
    left_at = None if noted == "by nobody" else world.clock.now()
    for number in range(5):
        stay = Stay(
            *(f"stay{number}", talk.id, f"device{number}", talk.student.id, "dead"),
            joined_at=at - timedelta(seconds=1),
            left_at=left_at,
            noted_by=left_at and world.app.kernel.instance_id,
        )
        await world.transact(insert_stay, stay)
    await lose_instance(world, "dead", at)
    stays = await world.read(list_stays, talk.id)
    assert {stay.left_at for stay in stays} == {at}
    assert len(await world.stored("CALL_MORE_STAYS_LEFT")) == 2


async def die(world):
    """Let an instance end as by SIGKILL: nothing is put in order, nobody is told."""
    await world.app.heartbeat._tasks.end()
    await world.app.gate.stop()


async def declare_dead(world):
    """What the heartbeat of a living instance does every few seconds."""
    await world.app.heartbeat.declare_dead(world.clock.now() - SILENT_AFTER)
    await world.settle()


@pytest.mark.parametrize("database_kind", ["postgresql"], indirect=True)
@pytest.mark.parametrize("ended", ["before it is noticed", "by nobody"])
async def test_what_a_dead_instance_held_counts_up_to_its_last_sign_of_life(make_world, ended):
    one, two = [await make_world() for _ in range(2)]
    talk = await talk_of(one)
    await talk.join(talk.student)
    other = await two.connect(talk.consultant.token)
    await other.enter(CALL)
    await other.call(CALL, "join", call_id=talk.id)
    one.clock.advance(30)
    for world in (one, two):
        await world.app.database.transact(world.app.heartbeat._confirm)
    await die(one)
    one.clock.advance(12)
    await two.app.database.transact(two.app.heartbeat._confirm)
    if ended == "before it is noticed":
        assert (await other.call(CALL, "end", call_id=talk.id))["talked_s"] == 42
    one.clock.advance(5)
    await two.app.database.transact(two.app.heartbeat._confirm)
    await declare_dead(two)
    if ended == "by nobody":
        assert (await other.event("CALL_INTERRUPTED")).data["call"]["talked_s"] == 30
        one.clock.advance(60)
        await two.settle()
        await other.event("CALL_ENDED")
    recorded = await two.stored("CALL_DURATION_RECORDED")
    assert recorded[-1]["call"]["talked_s"] == 30
    assert (await other.call(CALL, "end", call_id=talk.id))["talked_s"] == 30
    await other.event("CALL_DURATION_RECORDED", lambda data: data["call"]["talked_s"] == 30)
