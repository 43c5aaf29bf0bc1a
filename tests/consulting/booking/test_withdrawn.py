"""Withdrawn places whose bookings move before the withdrawal is processed."""

import pytest

from tests.consulting.availability.practice import moment_of, open_practice, week_of

NAMESPACE = "/booking"


async def shrink(practice, number):
    """Withdraw all but one place of block `number`, and cancel its newest bookings."""
    start = moment_of(practice.blocks[number]["starts_at"])
    hours = [{"weekday": start.weekday(), "hour": hour, "max_calls": 1} for hour in (10, 14)]
    await practice.consultant.call(
        "/availability",
        "override_week",
        week=week_of(practice.blocks[number]),
        blocks=hours,
        cancel_bookings=True,
    )


async def move(practice, student, booking, number):
    block_id = practice.blocks[number]["id"]
    await student.call(NAMESPACE, "reschedule", booking_id=booking["id"], block_id=block_id)


@pytest.fixture
async def scene(world):
    """Two places per block; Sam and Tom are booked in block 0, and block 1 is on the same day."""
    practice = await open_practice(world, max_calls=2)
    first = next(n for n in range(2) if moment_of(practice.blocks[n]["starts_at"]).hour == 10)
    practice.blocks = practice.blocks[first:]
    sam, tom = await world.person("sam"), await world.person("tom")
    return practice, sam, await practice.booked(sam), tom, await practice.booked(tom)


async def test_a_booking_moved_before_its_withdrawal_is_processed_is_kept(
    world, scene, monkeypatch
):
    practice, _, _, tom, booking = scene
    with monkeypatch.context() as patched:
        patched.setattr(world.app.relay, "wake", lambda wake: None)
        await shrink(practice, 0)
        await move(practice, tom, booking, 1)
    await world.settle()
    now = await tom.call(NAMESPACE, "get", booking_id=booking["id"])
    assert (now["status"], now["block_id"]) == ("approved", practice.blocks[1]["id"])
    assert [(await practice.block(number))["taken"] for number in (0, 1)] == [1, 1]
    assert await world.stored("BOOKING_CANCELLED") == []


async def test_a_booking_moved_back_before_its_withdrawal_is_processed_is_kept(
    world, scene, monkeypatch
):
    practice, sam, sams_booking, tom, booking = scene
    with monkeypatch.context() as patched:
        patched.setattr(world.app.relay, "wake", lambda wake: None)
        await shrink(practice, 0)
        await move(practice, tom, booking, 1)
        await sam.call(NAMESPACE, "cancel", booking_id=sams_booking["id"])
        await move(practice, tom, booking, 0)
    await world.settle()
    now = await tom.call(NAMESPACE, "get", booking_id=booking["id"])
    assert (now["status"], now["block_id"]) == ("approved", practice.blocks[0]["id"])
    assert [(await practice.block(number))["taken"] for number in (0, 1)] == [1, 0]
