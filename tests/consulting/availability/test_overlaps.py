"""The hours of a person never overlap: blocks of a consultant, and calls in either role."""

import asyncio
from datetime import UTC, datetime, timedelta
from itertools import pairwise

import pytest
from sqlalchemy import func, select

from storage.consulting.availability import schedules
from storage.consulting.availability.busy import busy_quarters
from storage.consulting.availability.open_hours import HoursOverlap, open_hours
from storage.consulting.availability.schedules import BlockRow, insert_blocks
from storage.events.holds import pools
from tests.consulting.availability.practice import (
    TOPIC,
    Practice,
    assert_refused,
    daily,
    moment_of,
    open_practice,
)
from tests.world import both_databases

RANGE = timedelta(days=90)
NAMESPACE = "/booking"


async def open_blocks(world, consultant):
    """All blocks of the coming weeks that are not cancelled; asserts that none overlap."""
    now = world.clock.now()
    answer = await consultant.call(
        "/availability",
        "list_blocks",
        consultant_id=consultant.id,
        **{"from": now.isoformat(), "to": (now + RANGE).isoformat()},
    )
    blocks = [one for one in answer["blocks"] if one["status"] != "cancelled"]
    for before, after in pairwise(blocks):
        assert moment_of(before["ends_at"]) <= moment_of(after["starts_at"])
    return blocks


async def set_hours(consultant, zone, hours):
    answer = await consultant.call(
        "/availability", "set_default_schedule", time_zone=zone, blocks=hours
    )
    return answer["blocks"]


async def test_an_hour_moved_by_half_an_hour_does_not_overlap_the_next(world):
    world.clock.move_to(datetime(2027, 9, 20, tzinfo=UTC))
    clara = await world.person("clara", consultant=True)
    sunday = [{"weekday": 6, "hour": hour, "max_calls": 1} for hour in range(6)]
    await set_hours(clara, "Australia/Lord_Howe", sunday)
    blocks = await open_blocks(world, clara)
    changed = [one["starts_at"] for one in blocks if one["starts_at"].startswith("2027-10-02T1")]
    assert changed == [
        f"2027-10-02T{at}:00Z" for at in ("13:30", "14:30", "16:00", "17:00", "18:00")
    ]


@both_databases
async def test_a_changed_time_zone_leaves_no_overlapping_blocks(world):
    clara = await world.person("clara", consultant=True)
    topic = await clara.call("/consultants", "add_topic", **TOPIC)
    hours = daily(*range(8, 17))
    practice = Practice(world, clara, topic, await set_hours(clara, "Europe/Berlin", hours))
    sam = await world.person("sam")
    booking = await practice.booked(sam, 2)
    for zone in ("Asia/Kolkata", "Asia/Kathmandu", "Europe/London"):
        await set_hours(clara, zone, hours)
        open_ids = {one["id"] for one in await open_blocks(world, clara)}
        assert booking["block_id"] in open_ids, "the booked hour stays"
    await set_hours(clara, "Asia/Kolkata", hours)
    with_booking = len(await open_blocks(world, clara))
    await sam.call(NAMESPACE, "cancel", booking_id=booking["id"])
    await set_hours(clara, "Asia/Kolkata", hours)
    assert len(await open_blocks(world, clara)) > with_booking, "its time is free for the new hours"


async def test_an_override_does_not_overlap_bookings_that_stay(world):
    clara = await world.person("clara", consultant=True)
    topic = await clara.call("/consultants", "add_topic", **TOPIC)
    blocks = await set_hours(clara, "UTC", daily(8, 9, 10))
    practice = Practice(world, clara, topic, blocks)
    booking = await practice.booked(await world.person("sam"), 4)
    await set_hours(clara, "Asia/Kolkata", daily(8, 9, 10))
    week = "{:04d}-W{:02d}".format(*moment_of(booking["starts_at"]).isocalendar())
    change = {"week": week, "blocks": daily(13, 14, 15, 16)}
    await assert_refused(clara.call("/availability", "override_week", **change), "CONFLICT")
    await open_blocks(world, clara)
    await clara.call("/availability", "override_week", **change, cancel_bookings=True)
    await world.settle()
    assert booking["block_id"] not in {one["id"] for one in await open_blocks(world, clara)}


@both_databases
async def test_the_database_refuses_overlapping_blocks(world):
    practice = await open_practice(world)
    clara, first = practice.consultant, moment_of(practice.blocks[0]["starts_at"])

    def insert(tx):
        start = first + timedelta(minutes=30)
        end = start + timedelta(hours=1)
        insert_blocks(tx, [BlockRow(tx.new_id(), clara.id, start, end, 1, False, 1, 0)])

    with pytest.raises(HoursOverlap):
        await world.transact(insert)
    await open_blocks(world, clara)


async def test_a_consultant_with_a_call_as_a_student_cannot_be_booked_then(world):
    practice, other = await open_practice(world), await open_practice(world, "dana")
    clara, sam = practice.consultant, await world.person("sam")
    booking = await other.booked(clara)
    await assert_refused(practice.ask(sam), "BLOCK_FULL")
    assert (await practice.ask(sam, 1))["status"] == "requested"
    await clara.call(NAMESPACE, "cancel", booking_id=booking["id"])
    assert (await practice.ask(sam))["status"] == "requested"


async def test_a_consultant_with_a_booked_block_cannot_book_a_call_then(world):
    practice, other = await open_practice(world), await open_practice(world, "dana")
    clara, sam = practice.consultant, await world.person("sam")
    booking = await practice.ask(sam)
    await assert_refused(other.ask(clara), "OVERLAPS")
    await clara.call(NAMESPACE, "reject", booking_id=booking["id"])
    assert (await other.ask(clara))["status"] == "requested"


async def test_a_place_is_not_offered_while_the_consultant_has_another_call(world):
    practice, other = await open_practice(world), await open_practice(world, "dana")
    clara, sam, tom = practice.consultant, await world.person("sam"), await world.person("tom")
    booking = await practice.booked(sam)
    await tom.enter("/availability")
    await practice.join_list(tom)
    await assert_refused(other.ask(clara), "OVERLAPS")
    await sam.call(NAMESPACE, "cancel", booking_id=booking["id"])
    await tom.event("WAITING_LIST_OFFERED")
    await assert_refused(other.ask(clara), "OVERLAPS")  # the offer holds the place


@both_databases
async def test_concurrent_calls_of_a_person_in_both_roles_never_overlap(world):
    practice, other = await open_practice(world), await open_practice(world, "dana")
    clara, sam = practice.consultant, await world.person("sam")
    for person in (clara, sam):
        await person.enter(NAMESPACE)
    for number in range(4):
        asked = [(sam, practice), (clara, other)]
        payloads = [
            {"block_id": where.blocks[number]["id"], "topic_id": where.topic["id"]}
            for _, where in asked
        ]
        answers = await asyncio.gather(
            *(
                person.client.ask(NAMESPACE, "request", payload)
                for (person, _), payload in zip(asked, payloads, strict=True)
            )
        )
        assert sorted(answer["ok"] for answer in answers) == [False, True]
        (refusal,) = [answer["error"]["code"] for answer in answers if not answer["ok"]]
        assert refusal in ("OVERLAPS", "BLOCK_FULL")


async def test_time_that_is_past_is_forgotten(world):
    practice = await open_practice(world)
    await practice.booked(await world.person("sam"))

    before = moment_of(practice.blocks[1]["starts_at"])
    past_quarters = select(func.count()).where(busy_quarters.c.quarter < before)
    past_half_days = select(func.count()).where(open_hours.c.half_day < before)

    async def count(statement):
        return await world.read(lambda tx: tx.scalar(statement))

    assert await count(past_quarters) == 8, "of the student and of the consultant"
    assert await count(past_half_days) >= 1
    world.clock.move_to(moment_of(practice.blocks[1]["starts_at"]) + timedelta(days=3))
    await world.app.housekeeping.tidy()
    assert await count(past_quarters) == await count(past_half_days) == 0


async def test_all_hours_of_a_week_cost_two_rows_a_block(world):
    """More rows would make a consultant wait who opens all hours, with the default limits."""
    clara = await world.person("clara", consultant=True)
    blocks = await set_hours(clara, "Europe/Berlin", daily(*range(24)))

    async def count(table):
        statement = select(func.count()).select_from(table)
        return await world.read(lambda tx: tx.scalar(statement))

    assert len(blocks) > 600
    assert await count(schedules.blocks) == await count(pools) == len(blocks)
    assert await count(open_hours) + await count(busy_quarters) < len(blocks) / 10
