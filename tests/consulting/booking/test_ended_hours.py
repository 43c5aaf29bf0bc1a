"""The end of a booking's hour, returning to a lost call, the history, and lists by the hour."""

from datetime import timedelta

import pytest

from handlers.consulting.booking.service.answers import cancel_all
from tests.consulting.availability.practice import assert_refused, moment_of, open_practice
from tests.consulting.call.scenes import CALL, talk_of
from tests.consulting.waiting_room.scenes import ROOM, hour_of
from tests.world import both_databases

NAMESPACE = "/booking"


async def get(person, booking_id):
    return await person.call(NAMESPACE, "get", booking_id=booking_id)


async def list_part(person, part, **more):
    page = await person.call(NAMESPACE, "list", part=part, **more)
    return [booking["id"] for booking in page["bookings"]], page["next"]


@pytest.mark.parametrize(
    "came", [[], ["student"], ["consultant"], ["student", "consultant"]], ids="-".join
)
async def test_an_hour_without_a_call_is_missed_and_says_who_came(world, came):
    hour = await hour_of(world)
    sam, booking_id = await hour.booked("sam")
    hour.move_to(5)
    if "student" in came:
        await sam.call(ROOM, "enter", booking_id=booking_id)
    if "consultant" in came:
        await hour.queue()
    hour.move_to(60)
    await world.settle()
    booking = await get(sam, booking_id)
    assert (booking["status"], booking["attended"]) == ("missed", came)
    for person in (sam, hour.consultant):
        await person.enter("/notifications")
        page = await person.call("/notifications", "list")
        assert "booking_missed" in {one["kind"] for one in page["notifications"]}
    (event,) = await world.stored("BOOKING_MISSED")
    assert event["booking"] == booking
    block = (await world.stored("AVAILABILITY_UPDATED"))[-1]["block"]
    assert block["taken"] == 1, "the place of a missed hour stays taken"


@both_databases
async def test_nothing_of_an_hour_that_is_over_can_be_changed(world, monkeypatch):
    async def fire_nothing() -> bool:
        return False

    practice = await open_practice(world)
    sam, clara = await world.person("sam"), practice.consultant
    monkeypatch.setattr(world.app.timers, "fire", fire_nothing)
    for person, command, more in (
        (sam, "reschedule", {"block_id": practice.blocks[3]["id"]}),
        (sam, "cancel", {}),
        (clara, "cancel", {}),
    ):
        booking = await practice.booked(sam)
        world.clock.move_to(moment_of(booking["ends_at"]))
        changing = person.call(NAMESPACE, command, booking_id=booking["id"], **more)
        assert (await assert_refused(changing, "WRONG_STATE")).details == {"status": "missed"}
        assert (await get(sam, booking["id"]))["status"] == "missed"
        practice.blocks.pop(0)


async def test_both_can_return_to_a_lost_call_until_the_hour_ends(world):
    talk = await talk_of(world)
    await talk.join()
    await talk.advance(30)
    await talk.disconnect(talk.student.client)
    await talk.advance(61)
    assert (await talk.state())["end_reason"] == "lost"
    student = await talk.student.device()
    await student.enter(CALL, NAMESPACE)
    again = await student.call(NAMESPACE, "reopen_call", booking_id=talk.booking_id)
    assert again["id"] != talk.id
    for client in (student, talk.consultant.client):
        await client.call(CALL, "join", call_id=again["id"])
    await talk.advance(40)
    await student.call(CALL, "end", call_id=again["id"])
    await world.settle()
    assert (await get(talk.consultant, talk.booking_id))["status"] == "completed"
    durations = [one["call"]["talked_s"] for one in await world.stored("CALL_DURATION_RECORDED")]
    assert durations == [30, 40]


async def test_a_call_that_both_left_completes_its_booking_when_the_hour_ends(world):
    talk = await talk_of(world)
    await talk.join()
    for person in talk.participants:
        await person.call(CALL, "leave", call_id=talk.id)
    await world.settle()
    assert (await get(talk.consultant, talk.booking_id))["status"] == "approved"
    world.clock.move_to(talk.hour.ends_at)
    await world.settle()
    assert (await get(talk.consultant, talk.booking_id))["status"] == "completed"


async def test_a_call_is_reopened_only_after_one_that_took_place(world):
    hour = await hour_of(world)
    sam, booking_id = await hour.waiting("sam")

    def reopen(person):
        return person.call(NAMESPACE, "reopen_call", booking_id=booking_id)

    await assert_refused(reopen(sam), "WRONG_STATE")
    await hour.hold_a_call(sam, booking_id, 60)
    await assert_refused(reopen(sam), "WRONG_STATE")  # somebody ended it
    await assert_refused(reopen(await world.person("eve")), "NOT_FOUND")


async def test_each_change_has_its_own_reason_author_and_time(world):
    practice = await open_practice(world)
    sam, clara = await world.person("sam"), practice.consultant
    booking = await practice.ask(sam)

    async def change(person, command, **more):
        world.clock.advance(60)
        return await person.call(NAMESPACE, command, booking_id=booking["id"], **more)

    await change(clara, "approve", reason="I look forward to it.")
    moved = await change(sam, "reschedule", block_id=practice.blocks[1]["id"])
    cancelled = await change(clara, "cancel")
    assert cancelled["reason"] is None
    for person in (sam, clara):
        history = await person.call(NAMESPACE, "history", booking_id=booking["id"])
        steps = history["steps"]
        assert [(one["status"], one["actor_id"], one["reason"]) for one in steps] == [
            ("requested", sam.id, None),
            ("approved", clara.id, "I look forward to it."),
            ("rescheduled", sam.id, None),
            ("cancelled", clara.id, None),
        ]
        assert [one["version"] for one in steps] == [1, 2, 3, 4]
        assert steps[2]["starts_at"] == moved["starts_at"] != steps[1]["starts_at"]
        assert [one["at"] for one in steps] == sorted({one["at"] for one in steps})


async def test_changes_by_the_server_have_no_author(world):
    practice = await open_practice(world)
    sam = await world.person("sam")
    booking = await practice.ask(sam)
    world.clock.advance(86_401)
    await world.settle()
    history = await sam.call(NAMESPACE, "history", booking_id=booking["id"])
    assert [(one["status"], one["actor_id"]) for one in history["steps"]] == [
        ("requested", sam.id),
        ("expired", None),
    ]


async def test_a_booking_keeps_its_terms_when_the_topic_is_changed_or_removed(world):
    practice = await open_practice(world)
    sam, clara = await world.person("sam"), practice.consultant
    booking = await practice.booked(sam)
    topic = practice.topic["id"]
    await clara.call("/consultants", "update_topic", topic_id=topic, name="Other things")
    await clara.call("/consultants", "remove_topic", topic_id=topic)
    for person in (sam, clara):
        kept = await get(person, booking["id"])
        assert kept["topic_name"] == practice.topic["name"]
        assert kept["hourly_rate"] == practice.topic["hourly_rate"]


@both_databases
async def test_bookings_are_listed_by_the_hour_in_three_parts(world):
    practice = await open_practice(world)
    sam, clara = await world.person("sam"), practice.consultant
    late, early, asked, gone = [await practice.ask(sam, number) for number in (3, 0, 2, 4)]
    for one in (late, early):
        await clara.call(NAMESPACE, "approve", booking_id=one["id"])
    await sam.call(NAMESPACE, "cancel", booking_id=gone["id"])
    for person in (sam, clara):
        assert await list_part(person, "asked") == ([asked["id"]], None)
        assert await list_part(person, "coming") == ([early["id"], late["id"]], None)
        assert await list_part(person, "past") == ([gone["id"]], None)
        first, after = await list_part(person, "coming", limit=1)
        assert first == [early["id"]]
        assert await list_part(person, "coming", limit=1, before=after) == ([late["id"]], None)
    world.clock.move_to(moment_of(early["ends_at"]) + timedelta(seconds=1))
    assert await list_part(sam, "coming") == ([late["id"]], None)
    assert await list_part(sam, "past") == ([gone["id"], early["id"]], None), "by the hour"
    await world.settle()
    assert await list_part(sam, "asked") == ([], None), "it expired"
    assert await list_part(sam, "past") == ([gone["id"], asked["id"], early["id"]], None)


async def test_a_page_after_no_booking_of_ones_own_is_refused(world):
    practice = await open_practice(world)
    booking = await practice.ask(await world.person("sam"))
    eve = await world.person("eve")
    for before in (booking["id"], eve.id):
        await assert_refused(eve.call(NAMESPACE, "list", part="past", before=before), "INVALID")
    await assert_refused(eve.call(NAMESPACE, "list", part="past", status="expired"), "INVALID")


async def test_deleting_an_account_does_not_cancel_hours_that_are_over(world, monkeypatch):
    async def fire_nothing() -> bool:
        return False

    practice = await open_practice(world)
    sam = await world.person("sam")
    booking = await practice.booked(sam)
    monkeypatch.setattr(world.app.timers, "fire", fire_nothing)
    world.clock.move_to(moment_of(booking["ends_at"]))
    await world.transact(cancel_all, sam.id, "gone", 10)
    assert (await get(sam, booking["id"]))["status"] == "missed"
