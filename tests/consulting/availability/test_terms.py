"""The terms that consultants set: notice, deadlines, buffer, approval, open requests and fees."""

import asyncio
from datetime import timedelta

import pytest

from tests.consulting.availability.practice import (
    assert_refused,
    follow,
    moment_of,
    open_practice,
)
from tests.consulting.waiting_room.scenes import ROOM, hour_of
from tests.world import both_databases

NAMESPACE = "/availability"
DEFAULTS = {
    "min_notice_minutes": 0,
    "max_days_ahead": 400,
    "buffer_minutes": 0,
    "approves_at_once": False,
    "open_requests_max": 5,
    "change_until_minutes": 0,
    "late_cancellation_percent": 0,
    "no_show_percent": 0,
}


async def set_terms(consultant, **terms):
    return await consultant.call(NAMESPACE, "set_terms", **terms)


async def test_terms_start_with_the_defaults_and_change_one_by_one(world):
    practice = await open_practice(world)
    clara, visitor = practice.consultant, await world.visitor(NAMESPACE)
    follower = await follow(practice)

    async def shown():
        return await visitor.call(NAMESPACE, "get_terms", consultant_id=clara.id)

    assert await shown() == {"consultant_id": clara.id, **DEFAULTS}
    changed = await set_terms(clara, min_notice_minutes=60, approves_at_once=True)
    assert changed == await shown()
    assert changed["min_notice_minutes"] == 60
    event = await follower.client.event("BOOKING_TERMS_SET")
    assert event.data == {"terms": changed}
    restored = await set_terms(clara, min_notice_minutes=None)
    assert restored == {**changed, "min_notice_minutes": 0}
    await set_terms(clara, min_notice_minutes=None)
    assert len(follower.client.events("BOOKING_TERMS_SET")) == 2, "nothing changed"


@pytest.mark.parametrize(
    "terms",
    [
        {"min_notice_minutes": -1},
        {"min_notice_minutes": 20_161},
        {"max_days_ahead": 0},
        {"buffer_minutes": 121},
        {"open_requests_max": 0},
        {"late_cancellation_percent": 101},
        {"no_show_percent": "10"},
    ],
)
async def test_terms_out_of_range_are_invalid(world, terms):
    practice = await open_practice(world)
    await assert_refused(set_terms(practice.consultant, **terms), "INVALID")
    await assert_refused(set_terms(await world.person("sam"), min_notice_minutes=1), "FORBIDDEN")


async def test_a_block_can_be_requested_only_between_its_two_limits(world):
    practice = await open_practice(world)
    clara, sam = practice.consultant, await world.person("sam")
    start = moment_of(practice.blocks[2]["starts_at"])
    await set_terms(clara, min_notice_minutes=90, max_days_ahead=2)
    world.clock.move_to(start - timedelta(days=2, seconds=1))
    refusal = await assert_refused(practice.ask(sam, 2), "TOO_FAR_AHEAD")
    assert moment_of(refusal.details["from"]) == start - timedelta(days=2)
    world.clock.move_to(start - timedelta(minutes=89))
    refusal = await assert_refused(practice.ask(sam, 2), "DEADLINE_PASSED")
    assert moment_of(refusal.details["until"]) == start - timedelta(minutes=90)
    world.clock.move_to(start - timedelta(minutes=91))
    assert (await practice.ask(sam, 2))["status"] == "requested"
    assert (await practice.block(2))["taken"] == 1


async def test_a_student_moves_a_booking_until_the_deadline_and_the_consultant_always(world):
    practice = await open_practice(world)
    clara, sam = practice.consultant, await world.person("sam")
    await set_terms(clara, change_until_minutes=120)
    booking = await practice.booked(sam, 2)
    await set_terms(clara, change_until_minutes=0)  # the booking keeps what was agreed
    start = moment_of(booking["starts_at"])
    world.clock.move_to(start - timedelta(minutes=119))
    to = {"booking_id": booking["id"], "block_id": practice.blocks[5]["id"]}
    refusal = await assert_refused(sam.call("/booking", "reschedule", **to), "DEADLINE_PASSED")
    assert moment_of(refusal.details["until"]) == start - timedelta(minutes=120)
    moved = await clara.call("/booking", "reschedule", **to)
    assert moved["block_id"] == practice.blocks[5]["id"]
    assert moved["terms"]["change_until_minutes"] == 120


@pytest.mark.parametrize(
    ("minutes_before", "canceller", "fee"),
    [(121, "student", 0), (119, "student", 40), (119, "consultant", 0), (-5, "student", 40)],
)
async def test_a_late_cancellation_by_the_student_has_the_agreed_fee(
    world, minutes_before, canceller, fee
):
    practice = await open_practice(world)
    clara, sam = practice.consultant, await world.person("sam")
    await set_terms(clara, change_until_minutes=120, late_cancellation_percent=40)
    booking = await practice.booked(sam)
    await set_terms(clara, late_cancellation_percent=90)
    start = moment_of(booking["starts_at"])
    world.clock.move_to(start - timedelta(minutes=minutes_before))
    person = sam if canceller == "student" else clara
    cancelled = await person.call("/booking", "cancel", booking_id=booking["id"])
    assert (cancelled["status"], cancelled["fee_percent"]) == ("cancelled", fee)
    asked = await practice.ask(sam, 1)
    world.clock.move_to(moment_of(asked["starts_at"]) - timedelta(minutes=5))
    withdrawn = await sam.call("/booking", "cancel", booking_id=asked["id"])
    assert withdrawn["fee_percent"] == 0, "an unanswered request costs nothing"


@pytest.mark.parametrize(
    ("came", "fee"), [([], 0), (["consultant"], 70), (["student", "consultant"], 0)], ids=str
)
async def test_a_student_who_misses_the_hour_owes_the_fee_if_the_consultant_came(world, came, fee):
    hour = await hour_of(world)
    await set_terms(hour.consultant, no_show_percent=70)
    sam, booking_id = await hour.booked("sam")
    hour.move_to(5)
    if "student" in came:
        await sam.call(ROOM, "enter", booking_id=booking_id)
    if "consultant" in came:
        await hour.queue()
    hour.move_to(60)
    await world.settle()
    booking = await sam.call("/booking", "get", booking_id=booking_id)
    assert (booking["status"], booking["fee_percent"]) == ("missed", fee)


async def test_terms_can_approve_requests_at_once(world):
    practice = await open_practice(world)
    clara, sam = practice.consultant, await world.person("sam")
    await set_terms(clara, approves_at_once=True)
    booking = await practice.ask(sam)
    assert (booking["status"], booking["hold_expires_at"]) == ("approved", None)
    await world.settle()
    steps = (await sam.call("/booking", "history", booking_id=booking["id"]))["steps"]
    assert [(step["status"], step["actor_id"]) for step in steps] == [
        ("requested", sam.id),
        ("approved", None),
    ]
    assert await world.stored("BOOKING_REQUESTED") == []
    assert len(await world.stored("BOOKING_CREATED")) == 1
    await clara.enter("/notifications")
    page = await clara.call("/notifications", "list")
    assert [one["kind"] for one in page["notifications"]][:1] == ["booking_made"]
    world.clock.move_to(moment_of(booking["starts_at"]) - timedelta(minutes=5))
    assert (await sam.call(ROOM, "enter", booking_id=booking["id"]))["position"] == 1


@both_databases
async def test_concurrent_requests_do_not_exceed_the_limit_of_open_ones(world):
    practice = await open_practice(world)
    clara, sam = practice.consultant, await world.person("sam")
    await set_terms(clara, open_requests_max=2)
    devices = [await (await sam.device()).enter("/booking") for _ in range(6)]
    payloads = [
        {"block_id": block["id"], "topic_id": practice.topic["id"]} for block in practice.blocks[:6]
    ]
    answers = await asyncio.gather(
        *(
            device.ask("/booking", "request", payload)
            for device, payload in zip(devices, payloads, strict=True)
        )
    )
    assert sorted(answer["ok"] for answer in answers) == [False] * 4 + [True] * 2
    refusals = [answer["error"] for answer in answers if not answer["ok"]]
    assert {(one["code"], one["details"]["most"]) for one in refusals} == {
        ("TOO_MANY_OPEN_REQUESTS", 2)
    }
    first = next(answer["data"] for answer in answers if answer["ok"])
    await clara.call("/booking", "approve", booking_id=first["id"])
    left = next(number for number, one in enumerate(answers) if not one["ok"])
    assert (await practice.ask(sam, left))["status"] == "requested"


async def test_the_buffer_makes_the_hours_beside_a_booking_unavailable(world):
    practice = await open_practice(world, hours=(10, 11, 12, 13))
    clara, sam, tom = practice.consultant, await world.person("sam"), await world.person("tom")
    follower = await follow(practice)
    await set_terms(clara, buffer_minutes=10)

    async def statuses():
        return [(await practice.block(number))["status"] for number in range(4)]

    first = next(number for number, one in enumerate(practice.blocks) if "T10:" in one["starts_at"])
    practice.blocks = practice.blocks[first : first + 4]
    booking = await practice.booked(sam, 1)
    assert await statuses() == ["unavailable", "full", "unavailable", "available"]
    await assert_refused(practice.ask(tom, 0), "BLOCK_FULL")
    await assert_refused(practice.ask(tom, 2), "BLOCK_FULL")
    await follower.assert_in_sync()
    await sam.call("/booking", "cancel", booking_id=booking["id"])
    assert await statuses() == ["available"] * 4
    await follower.assert_in_sync()
    assert (await practice.ask(tom, 2))["status"] == "requested"


async def test_a_call_of_the_consultant_as_a_student_makes_an_own_block_unavailable(world):
    practice, other = await open_practice(world), await open_practice(world, "dana")
    clara = practice.consultant
    follower = await follow(practice)
    booking = await other.booked(clara)
    assert (await practice.block())["status"] == "unavailable"
    check = await clara.call(
        NAMESPACE, "check", consultant_id=clara.id, at=practice.blocks[0]["starts_at"]
    )
    assert check == {"status": "unavailable"}
    await follower.assert_in_sync()
    await clara.call("/booking", "cancel", booking_id=booking["id"])
    assert (await practice.block())["status"] == "available"
    await follower.assert_in_sync()
