"""Immediate calls: a request waits two minutes for an answer, and its approval starts the call."""

import asyncio

import pytest

from tests.consulting.availability.practice import TOPIC, assert_refused, moment_of, open_practice
from tests.world import both_databases

NAMESPACE = "/booking"


@pytest.fixture
async def practice(world):
    """The practice of a consultant who is available now."""
    practice = await open_practice(world)
    await practice.consultant.call("/availability", "set_available_now", available=True)
    await practice.consultant.enter(NAMESPACE, "/call")
    return practice


async def request_now(practice, student, **more):
    payload = {"consultant_id": practice.consultant.id, "topic_id": practice.topic["id"], **more}
    return await student.call(NAMESPACE, "request_now", **payload)


async def approve(practice, booking):
    return await practice.consultant.call(NAMESPACE, "approve", booking_id=booking["id"])


@pytest.mark.stopped_clock
async def test_an_immediate_request_expires_after_two_minutes(world, practice):
    sam = await world.person("sam")
    booking = await request_now(practice, sam, note="It is urgent.")
    assert (booking["status"], booking["block_id"]) == ("requested", None)
    assert booking["hourly_rate"] == TOPIC["hourly_rate"]
    event = await practice.consultant.event("BOOKING_REQUESTED")
    assert event.data == {"booking": booking}
    held_for = moment_of(booking["hold_expires_at"]) - moment_of(event.meta["at"])
    assert held_for.total_seconds() == 120
    await assert_refused(request_now(practice, sam), "OVERLAPS")
    world.clock.advance(119)
    await world.settle()
    assert await world.stored("BOOKING_EXPIRED") == []
    world.clock.advance(2)
    await world.settle()
    for person in (sam, practice.consultant):
        ended = (await person.event("BOOKING_EXPIRED")).data["booking"]
        assert (ended["id"], ended["status"]) == (booking["id"], "expired")
    await assert_refused(approve(practice, booking), "WRONG_STATE")
    await assert_refused(request_now(practice, sam), "NOT_AVAILABLE")  # it was not answered
    await practice.consultant.call("/availability", "set_available_now", available=True)
    assert (await request_now(practice, sam))["status"] == "requested"


async def test_approving_an_immediate_request_initiates_its_call(world, practice):
    sam, tom = await world.person("sam"), await world.person("tom")
    await sam.enter("/call")
    booking = await request_now(practice, sam)
    approved = await approve(practice, booking)
    assert (approved["status"], approved["hold_expires_at"]) == ("approved", None)
    for person in (sam, practice.consultant):
        call = (await person.event("CALL_INITIATED")).data["call"]
        assert (call["booking_id"], call["status"]) == (booking["id"], "initiated")
    other = await request_now(practice, tom)
    await assert_refused(approve(practice, other), "IN_CALL")
    unchanged = await tom.call(NAMESPACE, "get", booking_id=other["id"])
    assert unchanged == other, "it waits on"
    for person in (sam, practice.consultant):
        await person.call("/call", "join", call_id=call["id"])
    await sam.call("/call", "end", call_id=call["id"])
    await world.settle()
    for person in (sam, practice.consultant):
        completed = (await person.event("BOOKING_COMPLETED")).data["booking"]
        assert (completed["id"], completed["status"]) == (booking["id"], "completed")
    assert (await approve(practice, other))["status"] == "approved"


async def test_a_call_that_nobody_joins_cancels_its_booking(world, practice):
    sam = await world.person("sam")
    booking = await request_now(practice, sam)
    await approve(practice, booking)
    await assert_refused(request_now(practice, sam), "OVERLAPS")
    world.clock.advance(61)
    await world.settle()
    assert await world.stored("BOOKING_COMPLETED") == []
    for person in (sam, practice.consultant):
        ended = (await person.event("BOOKING_CANCELLED")).data["booking"]
        assert (ended["id"], ended["status"]) == (booking["id"], "cancelled")
        assert ended["reason"]
    assert (await request_now(practice, sam))["status"] == "requested"


async def test_cancelling_a_booking_during_its_call_cancels_it_once(world, practice):
    sam = await world.person("sam")
    booking = await request_now(practice, sam)
    await approve(practice, booking)
    await sam.call(NAMESPACE, "cancel", booking_id=booking["id"], reason="Too late.")
    await world.settle()
    assert [b["booking"]["reason"] for b in await world.stored("BOOKING_CANCELLED")] == [
        "Too late."
    ]


async def test_refusals_of_immediate_requests(world, practice):
    sam, clara = await world.person("sam"), practice.consultant
    other = await open_practice(world, "otto")
    await assert_refused(request_now(other, sam), "NOT_AVAILABLE")
    await assert_refused(
        request_now(practice, sam, topic_id=other.topic["id"]), "TOPIC_NOT_OFFERED"
    )
    await assert_refused(request_now(practice, sam, consultant_id=sam.id), "OWN_BLOCK")
    await assert_refused(request_now(practice, clara), "OWN_BLOCK")
    booking = await request_now(practice, sam)
    moved = {"booking_id": booking["id"], "block_id": practice.blocks[0]["id"]}
    await assert_refused(sam.call(NAMESPACE, "reschedule", **moved), "WRONG_STATE")
    await clara.call("/availability", "set_available_now", available=False)
    await assert_refused(request_now(practice, await world.person("tom")), "NOT_AVAILABLE")
    rejected = await clara.call(NAMESPACE, "reject", booking_id=booking["id"], reason="Not now.")
    assert rejected["status"] == "rejected"


@both_databases
async def test_concurrent_immediate_requests_of_a_student_make_one_booking(world, practice):
    sam = await world.person("sam")
    await sam.enter(NAMESPACE)
    answers = await asyncio.gather(
        *(request_now(practice, sam) for _ in range(5)), return_exceptions=True
    )
    codes = sorted(getattr(answer, "code", "OK") for answer in answers)
    assert codes == ["OK", *["OVERLAPS"] * 4]


@both_databases
async def test_concurrent_approvals_initiate_only_one_call(world, practice):
    students = [await world.person(f"student{number}") for number in range(4)]
    bookings = [await request_now(practice, student) for student in students]
    answers = await asyncio.gather(
        *(approve(practice, booking) for booking in bookings), return_exceptions=True
    )
    codes = sorted(getattr(answer, "code", "OK") for answer in answers)
    assert codes == ["IN_CALL"] * 3 + ["OK"]
    assert len(await world.stored("CALL_INITIATED")) == 1
    assert len(await world.stored("BOOKING_APPROVED")) == 1
