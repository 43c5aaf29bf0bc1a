"""Reminders before a booking, calendar files, and the private address of a calendar."""

from datetime import timedelta

import icalendar
import pytest
from aiohttp import ClientSession

from tests.consulting.availability.practice import assert_refused, moment_of, open_practice
from tests.world import with_server

NAMESPACE = "/calendar"
BEFORE = {
    "day": timedelta(days=1),
    "hour": timedelta(hours=1),
    "minutes": timedelta(minutes=10),
}


async def kinds_of(person):
    await person.enter("/notifications")
    page = await person.call("/notifications", "list")
    return [one["kind"] for one in page["notifications"] if one["kind"].startswith("booking_")]


def reminders_of(person):
    """The reminders that a user received, in order."""
    return [event.data["reminder"] for event in person.events("BOOKING_REMINDER")]


async def test_both_parties_are_reminded_three_times(world):
    practice = await open_practice(world)
    clara, sam = practice.consultant, await world.person("sam")
    for person in (clara, sam):
        await person.enter(NAMESPACE)
    booking = await practice.booked(sam, 1)
    start = moment_of(booking["starts_at"])
    for reminder, before in BEFORE.items():
        world.clock.move_to(start - before - timedelta(seconds=5))
        await world.settle()
        assert reminder not in reminders_of(sam)
        world.clock.move_to(start - before + timedelta(seconds=1))
        await world.settle()
    for person in (clara, sam):
        assert reminders_of(person) == list(BEFORE)
        kinds = await kinds_of(person)
        for kind in ("booking_tomorrow", "booking_in_an_hour", "booking_in_minutes"):
            assert kinds.count(kind) == 1


async def test_each_reminder_can_be_switched_off(world):
    practice = await open_practice(world)
    clara, sam = practice.consultant, await world.person("sam")
    for person in (clara, sam):
        await person.enter(NAMESPACE)
    off = await sam.call(NAMESPACE, "set_reminders", day=False, minutes=False)
    assert off == {"day": False, "hour": True, "minutes": False}
    assert (await sam.event("REMINDERS_SET")).data == {"reminders": off}
    booking = await practice.booked(sam, 1)
    await world.settle()
    start = moment_of(booking["starts_at"])
    for before in BEFORE.values():
        world.clock.move_to(start - before + timedelta(seconds=1))
        await world.settle()
    assert reminders_of(sam) == ["hour"]
    assert reminders_of(clara) == list(BEFORE)


async def test_nobody_is_reminded_of_a_moved_or_cancelled_booking(world):
    practice = await open_practice(world)
    sam, tom = await world.person("sam"), await world.person("tom")
    await sam.enter(NAMESPACE)
    moved, cancelled = await practice.booked(sam, 1), await practice.booked(tom, 2)
    to = {"booking_id": moved["id"], "block_id": practice.blocks[6]["id"]}
    await sam.call("/booking", "reschedule", **to)
    await tom.call("/booking", "cancel", booking_id=cancelled["id"])
    for booking in (moved, cancelled):
        world.clock.move_to(moment_of(booking["starts_at"]) - timedelta(minutes=5))
        await world.settle()
    assert await world.stored("BOOKING_REMINDER") == []
    world.clock.move_to(moment_of(practice.blocks[6]["starts_at"]) - timedelta(minutes=59))
    await world.settle()
    assert reminders_of(sam) == ["hour"]


async def test_a_reminder_that_is_late_is_not_sent(world):
    practice = await open_practice(world)
    sam = await world.person("sam")
    booking = await practice.booked(sam, 1)
    world.clock.move_to(moment_of(booking["starts_at"]) - timedelta(minutes=30))
    await world.settle()
    assert await world.stored("BOOKING_REMINDER") == []


async def test_a_booking_can_be_fetched_as_a_calendar_file(world):
    practice = await open_practice(world)
    sam = await world.person("sam")
    booking = await practice.booked(sam)
    answer = await sam.call(NAMESPACE, "file", booking_id=booking["id"])
    (event,) = icalendar.Calendar.from_ical(answer["text"]).walk("VEVENT")
    assert (event.start, event.end) == (
        moment_of(booking["starts_at"]),
        moment_of(booking["ends_at"]),
    )
    assert event["STATUS"] == "CONFIRMED"
    assert practice.topic["name"] in event["SUMMARY"]
    assert booking["id"] in event["URL"]
    stranger = await world.person("eve")
    await assert_refused(stranger.call(NAMESPACE, "file", booking_id=booking["id"]), "NOT_FOUND")


@with_server
async def test_the_feed_shows_the_bookings_until_its_address_is_renewed(world):
    practice = await open_practice(world)
    clara, sam = practice.consultant, await world.person("sam")
    booked, asked = await practice.booked(sam), await practice.ask(sam, 1)
    gone = await practice.booked(sam, 2)
    await sam.call("/booking", "cancel", booking_id=gone["id"])

    async def feed_of(person):
        url = (await person.call(NAMESPACE, "get"))["feed_url"]
        return url[url.index("/calendar/") :]

    async def fetch(path):
        async with ClientSession() as session, session.get(f"{world.url}{path}") as response:
            return response.status, response.content_type, await response.text()

    path = await feed_of(sam)
    status, content_type, text = await fetch(path)
    assert (status, content_type) == (200, "text/calendar")
    events = icalendar.Calendar.from_ical(text).walk("VEVENT")
    shown = {str(event["UID"]).partition("@")[0]: event["STATUS"] for event in events}
    assert shown == {booked["id"]: "CONFIRMED", asked["id"]: "TENTATIVE"}
    assert await feed_of(clara) != path
    await sam.call(NAMESPACE, "renew_feed")
    renewed = await feed_of(sam)
    wrong = renewed.replace(".ics", "0.ics")
    statuses = [(await fetch(one))[0] for one in (path, renewed, wrong)]
    assert statuses == [404, 200, 404]


@pytest.mark.parametrize("field", ["day", "hour", "minutes"])
async def test_reminders_take_only_true_and_false(world, field):
    sam = await world.person("sam")
    await assert_refused(sam.call(NAMESPACE, "set_reminders", **{field: "no"}), "INVALID")
