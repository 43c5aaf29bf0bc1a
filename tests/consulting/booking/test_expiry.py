"""The expiry of unanswered requests, with and without a timer."""

from datetime import timedelta

import pytest

from handlers.consulting.booking.contracts import HoldDue
from tests.consulting.availability.practice import (
    TOPIC,
    assert_refused,
    daily,
    follow,
    moment_of,
    open_practice,
)
from tests.world import one_database, until, with_server

NAMESPACE = "/booking"
DAY_S = 86_400


@pytest.fixture
def without_timers(world, monkeypatch):
    """Keep all timers from firing."""

    async def fire_nothing():
        return 0

    monkeypatch.setattr(world.app.timers, "fire", fire_nothing)


async def status_of(person, booking):
    return (await person.call(NAMESPACE, "get", booking_id=booking["id"]))["status"]


async def test_a_request_expires_after_a_day_and_notifies_both_parties_once(world):
    practice = await open_practice(world)
    sam, clara = await world.person("sam"), practice.consultant
    await clara.enter(NAMESPACE)
    follower = await follow(practice)
    booking = await practice.ask(sam)
    world.clock.advance(DAY_S - 60)
    await world.settle()
    assert await status_of(sam, booking) == "requested"
    world.clock.advance(61)
    await world.settle()
    expected = {**booking, "status": "expired", "hold_expires_at": None, "version": 2}
    for person in (sam, clara):
        assert (await person.event("BOOKING_EXPIRED")).data == {"booking": expected}
    assert (await practice.block())["status"] == "available"
    await follower.assert_in_sync()
    world.clock.advance(DAY_S)
    await world.settle()
    assert len(sam.events("BOOKING_EXPIRED")) == 1
    assert (await practice.ask(sam))["status"] == "requested"


async def test_a_request_expires_when_its_block_ends(world):
    practice = await open_practice(world)
    sam = await world.person("sam")
    ends_at = moment_of(practice.blocks[0]["ends_at"])
    world.clock.move_to(ends_at - timedelta(hours=2))
    booking = await practice.ask(sam)
    assert moment_of(booking["hold_expires_at"]) == ends_at
    world.clock.move_to(ends_at)
    await world.settle()
    assert (await sam.event("BOOKING_EXPIRED")).data["booking"]["id"] == booking["id"]


async def test_the_place_of_an_expired_hold_is_available_without_a_timer(world, without_timers):
    practice = await open_practice(world)
    sam, tom = await world.person("sam"), await world.person("tom")
    follower = await follow(practice)
    booking = await practice.ask(sam)
    world.clock.advance(DAY_S + 1)
    requested = await practice.ask(tom)
    assert requested["status"] == "requested"
    assert (await sam.event("BOOKING_EXPIRED")).data["booking"]["id"] == booking["id"]
    assert await status_of(sam, booking) == "expired"
    await follower.assert_in_sync()
    assert (await practice.block())["taken"] == 1


async def test_an_expired_hold_frees_the_time_of_its_student_without_a_timer(world, without_timers):
    practice, other = await open_practice(world), await open_practice(world, "otto")
    sam = await world.person("sam")
    first, current = await practice.ask(sam), None
    world.clock.advance(DAY_S + 1)
    current = await other.ask(sam)
    assert await status_of(sam, first) == "expired"
    assert await status_of(sam, current) == "requested"
    second = await practice.ask(sam, 1)
    world.clock.advance(DAY_S + 1)
    later = other.blocks[9]["id"]
    booking = await other.ask(sam, 8)
    moved = await sam.call(NAMESPACE, "reschedule", booking_id=booking["id"], block_id=later)
    assert moved["block_id"] == later
    assert await status_of(sam, second) == "requested", "nobody met it"
    assert len(await world.stored("BOOKING_EXPIRED")) == 1


async def test_an_expired_request_refuses_answers_without_a_timer(world, without_timers):
    practice = await open_practice(world, max_calls=4)
    clara = practice.consultant
    students = [await world.person(f"student{number}") for number in range(4)]
    bookings = [await practice.ask(student) for student in students]
    world.clock.advance(DAY_S + 1)
    for student, booking, (person, command, more) in zip(
        students,
        bookings,
        (
            (clara, "approve", {}),
            (clara, "reject", {}),
            (students[2], "cancel", {}),
            (students[3], "reschedule", {"block_id": practice.blocks[5]["id"]}),
        ),
        strict=True,
    ):
        answer = person.call(NAMESPACE, command, booking_id=booking["id"], **more)
        await assert_refused(answer, "WRONG_STATE")
        assert await status_of(student, booking) == "expired", "what was found is kept"
        await student.event("BOOKING_EXPIRED")
    assert (await practice.block())["taken"] == 0


@with_server
async def test_a_timer_that_became_due_during_downtime_fires_after_the_restart(world):
    practice = await open_practice(world)
    sam = await world.person("sam")
    booking = await practice.ask(sam)
    seq = (await sam.call(NAMESPACE, "list"))["seq"]
    await world.stop()
    world.clock.advance(DAY_S + 1)
    await world.start(world.port)
    await until(lambda: world.stored("BOOKING_EXPIRED"))
    back = await world.connect(sam.token)
    await back.enter(NAMESPACE, since={f"user:{sam.id}": seq})
    event = await back.event("BOOKING_EXPIRED")
    assert event.data["booking"]["id"] == booking["id"]
    assert event.meta["seq"] == seq + 1


@pytest.mark.settings(PARLEY_REQUEST_HOLD_S="2")
@one_database
async def test_a_hold_expires_after_its_server_is_killed(process):
    clara, sam = await process.sign_up("clara"), await process.sign_up("sam")
    about = {"about_me": "I listen.", "languages": ["en"], "country": "DE", "time_zone": "UTC"}
    await clara.call("/consultants", "become", **about)
    topic = await clara.call("/consultants", "add_topic", **TOPIC)
    week = await clara.call(
        "/availability", "set_default_schedule", time_zone="UTC", blocks=daily(10)
    )
    block_id = week["blocks"][-1]["id"]
    booking = await sam.call(NAMESPACE, "request", block_id=block_id, topic_id=topic["id"])
    seq = (await sam.call(NAMESPACE, "list"))["seq"]
    process.kill()
    await process.start()
    back = await process.connect(sam.token)
    await back.enter(NAMESPACE, since={f"user:{sam.id}": seq})
    event = await back.event("BOOKING_EXPIRED")
    assert event.data["booking"]["id"] == booking["id"]


async def test_approving_a_request_that_another_user_found_expired_is_refused(
    world, without_timers
):
    """The approval's time is before that of the command that found the hold expired."""
    practice = await open_practice(world)
    sam, ada = await world.person("sam"), await world.person("ada")
    follower = await follow(practice)
    booking = await practice.ask(sam)
    await practice.join_list(ada)
    world.clock.advance(DAY_S + 1)
    assert await practice.join_list(ada) == 1
    await ada.event("WAITING_LIST_OFFERED")
    world.clock.advance(-60)
    approve = practice.consultant.call(NAMESPACE, "approve", booking_id=booking["id"])
    await assert_refused(approve, "WRONG_STATE")
    assert await status_of(sam, booking) == "expired"
    assert (await sam.event("BOOKING_EXPIRED")).data["booking"]["id"] == booking["id"]
    assert await world.stored("BOOKING_APPROVED") == []
    assert (await practice.ask(ada))["status"] == "requested"
    assert (await practice.block())["taken"] == 1
    await follower.assert_in_sync()


async def test_a_timer_that_fires_too_early_is_set_again(world):
    """The clock of the instance that fired it was ahead, or was set back."""
    practice = await open_practice(world)
    sam = await world.person("sam")
    booking = await practice.ask(sam)
    await world.transact(fire_early, f"hold:{booking['id']}", HoldDue(booking_id=booking["id"]))
    await world.settle()
    assert await status_of(sam, booking) == "requested"
    world.clock.advance(DAY_S + 1)
    await world.settle()
    assert (await sam.event("BOOKING_EXPIRED")).data["booking"]["id"] == booking["id"]


def fire_early(tx, timer, due):
    tx.cancel_timer(timer)
    tx.publish(due)
