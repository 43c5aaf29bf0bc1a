"""Talked time counts only the seconds in which both participants are connected."""

from datetime import UTC, datetime, timedelta
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from handlers.consulting.call import service
from handlers.consulting.call.talk import talked_seconds
from server.heartbeat import SILENT_AFTER
from storage.consulting.call.calls import Stay, insert_stay, list_stays
from tests.consulting.call.scenes import CALL, Talk, talk_of
from tests.consulting.waiting_room.scenes import lose_instance

START = datetime(2030, 1, 1, tzinfo=UTC)
HORIZON_S = 120
spans_s = st.lists(st.tuples(st.integers(0, HORIZON_S), st.integers(0, HORIZON_S)), max_size=8)


def as_spans(seconds):
    return [(START + timedelta(seconds=a), START + timedelta(seconds=b)) for a, b in seconds]


def seconds_of(seconds):
    """The set of seconds that these spans cover."""
    return {second for start, end in seconds for second in range(start, end)}


@given(student=spans_s, consultant=spans_s)
def test_talked_time_is_the_time_in_which_both_sides_are_connected(student, consultant):
    both = seconds_of(student) & seconds_of(consultant)
    assert talked_seconds(as_spans(student), as_spans(consultant)) == len(both)


@given(student=spans_s, consultant=spans_s, data=st.data())
def test_duplicate_reordered_or_swapped_spans_do_not_change_talked_time(student, consultant, data):
    once = talked_seconds(as_spans(student), as_spans(consultant))
    doubled = data.draw(st.permutations([*student, *student[: len(student) // 2]]))
    reordered = data.draw(st.permutations(consultant))
    assert talked_seconds(as_spans(doubled), as_spans(reordered)) == once
    assert talked_seconds(as_spans(reordered), as_spans(doubled)) == once


@given(student=spans_s, consultant=spans_s, cut_s=st.integers(0, HORIZON_S))
def test_shortening_spans_never_increases_talked_time(student, consultant, cut_s):
    cut = [(start, min(end, cut_s)) for start, end in student]
    before = talked_seconds(as_spans(student), as_spans(consultant))
    assert talked_seconds(as_spans(cut), as_spans(consultant)) <= before


async def join_and_disconnect(talk, rng):
    """Join and disconnect devices at random; returns the seconds with both sides connected."""
    connected: list = [None, None]  # the device that each side's call is on
    both_s = 0
    for _ in range(12):
        side = rng.randrange(2)
        if connected[side] and rng.random() < 0.4:
            await talk.disconnect(connected[side])
            connected[side] = None
        else:
            connected[side] = await talk.join_device(talk.participants[side])
        wait_s = rng.randint(1, 25)
        await talk.advance(wait_s)
        both_s += wait_s if connected[0] and connected[1] else 0
    return both_s


@pytest.mark.settings(PARLEY_CALL_UNHELD_S="10000", PARLEY_CALL_LOST_S="10000")
async def test_a_call_counts_the_seconds_with_devices_of_both_participants(world):
    first = await talk_of(world)
    for seed in range(3):
        student, booking_id = await first.hour.waiting(f"student{seed}")
        if seed == 0:
            await first.consultant.call(CALL, "end", call_id=first.id)
        talk = Talk(first.hour, student, booking_id, await first.hour.admit(booking_id))
        both_s = await join_and_disconnect(talk, Random(seed))  # noqa: S311 - not for security
        ended = await talk.consultant.call(CALL, "end", call_id=talk.id)
        assert ended["talked_s"] == both_s > 0
        await world.settle()


async def test_repeated_or_late_departures_do_not_change_talked_time(world):
    talk = await talk_of(world)
    await talk.join()
    await talk.advance(40)
    stays = await world.read(list_stays, talk.id)
    await talk.disconnect(talk.student.client)
    for stay in stays:
        if stay.user_id == talk.student.id:
            for late_s in (30, 0):
                at = world.clock.now() + timedelta(seconds=late_s)
                await world.transact(service.lose, talk.id, stay.device_id, at)
    await talk.advance(20)
    ended = await talk.consultant.call(CALL, "end", call_id=talk.id)
    assert ended["talked_s"] == 40


async def test_repeated_joins_make_one_stay_that_ends_with_its_device(world, monkeypatch):
    monkeypatch.setattr("server.session.LEASES_MAX", 3)
    talk = await talk_of(world)
    await talk.join()
    for _ in range(5):
        await talk.join(talk.student)
    assert await talk.open_stays() == 2
    await talk.advance(30)
    await talk.disconnect(talk.student.client)
    await talk.advance(20)
    ended = await talk.consultant.call(CALL, "end", call_id=talk.id)
    assert ended["talked_s"] == 30


@pytest.mark.parametrize("departure", ["unrecorded", "recorded too late"])
async def test_stays_of_a_dead_instance_are_ended_in_batches(world, monkeypatch, departure):
    monkeypatch.setattr("handlers.consulting.call.consumers.STAYS_BATCH", 2)
    talk = await talk_of(world)
    at = world.clock.now()
    world.clock.advance(10)
    left_at = None if departure == "unrecorded" else world.clock.now()
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


async def kill_instance(world):
    """Stop an instance as SIGKILL does, without cleanup or notice to other instances."""
    await world.app.heartbeat._tasks.end()
    await world.app.gate.stop()


async def declare_dead(world):
    """Let a living instance detect dead ones, as its heartbeat does every few seconds."""
    await world.app.heartbeat.declare_dead(world.clock.now() - SILENT_AFTER)
    await world.settle()


@pytest.mark.parametrize("database_kind", ["postgresql"], indirect=True)
@pytest.mark.parametrize("ended", ["before detection", "by timeout"])
async def test_talked_time_counts_up_to_the_last_heartbeat_of_a_dead_instance(make_world, ended):
    one, two = [await make_world() for _ in range(2)]
    talk = await talk_of(one)
    await talk.join(talk.student)
    other = await two.connect(talk.consultant.token)
    await other.enter(CALL)
    await other.call(CALL, "join", call_id=talk.id)
    one.clock.advance(30)
    for world in (one, two):
        await world.app.database.transact(world.app.heartbeat._confirm)
    await kill_instance(one)
    one.clock.advance(12)
    await two.app.database.transact(two.app.heartbeat._confirm)
    if ended == "before detection":
        assert (await other.call(CALL, "end", call_id=talk.id))["talked_s"] == 42
    one.clock.advance(5)
    await two.app.database.transact(two.app.heartbeat._confirm)
    await declare_dead(two)
    if ended == "by timeout":
        assert (await other.event("CALL_INTERRUPTED")).data["call"]["talked_s"] == 30
        one.clock.advance(60)
        await two.settle()
        await other.event("CALL_ENDED")
    recorded = await two.stored("CALL_DURATION_RECORDED")
    assert recorded[-1]["call"]["talked_s"] == 30
    assert (await other.call(CALL, "end", call_id=talk.id))["talked_s"] == 30
    await other.event("CALL_DURATION_RECORDED", lambda data: data["call"]["talked_s"] == 30)
