"""What students in a waiting room are told, and what the desk sees of those who are away."""

import pytest

from tests.consulting.waiting_room.scenes import ROOM, hour_of
from tests.world import add_topic, until, with_server

ENDED = "WAITING_ROOM_ENDED"


@pytest.fixture
async def hour(world):
    return await hour_of(world)


async def state_of(student, booking_id):
    return (await student.call(ROOM, "get", booking_id=booking_id))["consultant"]


async def wait_for_state(student, state):
    """Wait for the event that says that the consultant does this; returns the student's place."""
    name = "WAITING_ROOM_CONSULTANT_CHANGED"
    return (await student.event(name, lambda data: data["consultant"] == state)).data["place"]


async def end_reason(student):
    return (await student.event(ENDED)).data["reason"]


async def test_students_are_told_when_the_hour_ends_while_they_wait(world, hour):
    people = [(await hour.waiting(name))[0] for name in ("ana", "ben")]
    hour.move_to(60)
    await world.settle()
    for person in people:
        assert await end_reason(person) == "closed"


async def test_students_are_told_why_their_place_is_gone(world, hour):
    next_block = await hour.next_block()
    ana, ana_booking = await hour.waiting("ana")
    ben, ben_booking = await hour.waiting("ben")
    await hour.consultant.call("/booking", "cancel", booking_id=ana_booking)
    to = {"booking_id": ben_booking, "block_id": next_block["id"]}
    await hour.consultant.call("/booking", "reschedule", **to)
    await world.settle()
    assert [await end_reason(person) for person in (ana, ben)] == ["cancelled", "moved"]


async def test_students_are_told_that_somebody_behind_them_was_admitted(hour):
    ana, ana_booking = await hour.waiting("ana")
    ben, _ = await hour.waiting("ben")
    _, cem_booking = await hour.waiting("cem")
    await hour.admit(cem_booking)
    for person in (ana, ben):
        await person.event("WAITING_ROOM_PASSED_OVER")
    assert (await hour.queue())[0]["booking_id"] == ana_booking


async def test_the_state_of_the_consultant_follows_the_hour_the_desk_and_calls(world, hour):
    hour.move_to(-10)
    ana, ana_booking = await hour.waiting("ana")
    assert await state_of(ana, ana_booking) == "expected"
    hour.move_to(2.1)
    await world.settle()
    await wait_for_state(ana, "late")
    await hour.queue()
    await wait_for_state(ana, "here")
    ben, ben_booking = await hour.waiting("ben")
    call = await hour.admit(ben_booking)
    await wait_for_state(ana, "in_call")
    for person in (ben, hour.consultant):
        await person.call("/call", "join", call_id=call["id"])
    await world.settle()
    await hour.consultant.call("/call", "end", call_id=call["id"])
    await world.settle()
    assert await state_of(ana, ana_booking) == "here"


async def test_a_call_of_another_hour_counts_as_a_call_of_the_consultant(world, hour):
    """An immediate call begins while somebody waits; another one ends before somebody enters."""
    ana, ana_booking = await hour.waiting("ana")
    ben, consultant = await world.person("ben"), hour.consultant
    for person in (ben, consultant):
        await person.enter("/call")
    await consultant.call("/availability", "set_available_now", available=True)

    async def begin():
        target = {"consultant_id": consultant.id, "topic_id": hour.topic["id"]}
        booking = await ben.call("/booking", "request_now", **target)
        await consultant.call("/booking", "approve", booking_id=booking["id"])
        call = (await ben.call("/call", "current"))["call"]
        for person in (ben, consultant):
            await person.call("/call", "join", call_id=call["id"])
        await world.settle()
        return call

    call = await begin()
    place = await wait_for_state(ana, "in_call")
    assert (place["position"], place["ahead"]) == (1, 0)
    assert place["eta_s"] > 500, "she is next, but not at once"
    world.clock.advance(90)
    await consultant.call("/call", "end", call_id=call["id"])
    await world.settle()
    cem, cem_booking = await hour.waiting("cem")
    entered = await cem.call(ROOM, "enter", booking_id=cem_booking)
    assert abs(entered["eta_s"] - 90) <= 1, "the estimate counts the immediate call"
    assert (await ana.call(ROOM, "enter", booking_id=ana_booking))["eta_s"] == 0


async def test_a_room_that_opens_during_a_call_knows_it(world, hour):
    ben, consultant = await world.person("ben"), hour.consultant
    other = await world.person("otto", consultant=True)
    topic = await add_topic(other)
    await other.call("/availability", "set_available_now", available=True)
    target = {"consultant_id": other.id, "topic_id": topic["id"]}
    booking = await consultant.call("/booking", "request_now", **target)
    await other.call("/booking", "approve", booking_id=booking["id"])
    ben, ben_booking = await hour.waiting("benny")
    assert await state_of(ben, ben_booking) == "in_call", "as a student of another consultant"


async def test_a_call_that_does_not_start_gives_the_student_the_place_back(world, hour):
    ana, ana_booking = await hour.waiting("ana")
    _, ben_booking = await hour.waiting("ben")
    await hour.admit(ana_booking)
    assert await hour.waiting_ids() == [ben_booking]
    world.clock.advance(61)
    await world.settle()
    assert await hour.waiting_ids() == [ana_booking, ben_booking]
    await ana.call(ROOM, "enter", booking_id=ana_booking)
    call = await hour.admit(ana_booking)
    for person in (ana, hour.consultant):
        await person.call("/call", "join", call_id=call["id"])
    await world.settle()
    assert await hour.waiting_ids() == [ben_booking]


@with_server
@pytest.mark.settings(PARLEY_PRESENCE_GRACE_S="0.1")
async def test_the_desk_sees_who_is_away_and_students_see_that_the_desk_is_empty(world, hour):
    await hour.consultant.enter(ROOM)
    ana, ana_booking = await hour.waiting("ana")
    ben, ben_booking = await hour.waiting("ben")
    await hour.queue()
    await ana.client.close()
    changed = await hour.consultant.event("WAITING_ROOM_CHANGED")
    assert (changed.data["place"]["booking_id"], changed.data["place"]["away"]) == (
        ana_booking,
        True,
    )
    phone = await ana.device()
    await phone.enter(ROOM)
    back = await hour.consultant.event(
        "WAITING_ROOM_CHANGED", lambda data: not data["place"]["away"]
    )
    assert back.data["place"]["booking_id"] == ana_booking
    assert [place["away"] for place in await hour.queue()] == [False, False]
    hour.move_to(5)
    await hour.consultant.client.close()

    async def is_late():
        await world.settle()
        return await state_of(ben, ben_booking) == "late"

    await until(is_late)
