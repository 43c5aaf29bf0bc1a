"""Answering requests and changing bookings: permissions, effects and refusals."""

from datetime import timedelta

from tests.consulting.availability.practice import (
    assert_refused,
    follow,
    moment_of,
    open_practice,
)

NAMESPACE = "/booking"
ENDED = ("rejected", "cancelled", "expired", "completed")


async def answer(person, command, booking, **more):
    return await person.call(NAMESPACE, command, booking_id=booking["id"], **more)


async def test_an_approval_notifies_both_parties_and_keeps_the_place(world):
    practice = await open_practice(world)
    sam, clara = await world.person("sam"), practice.consultant
    booking = await practice.ask(sam)
    approved = await answer(clara, "approve", booking, reason="See you.")
    assert approved == {
        **booking,
        "status": "approved",
        "reason": "See you.",
        "hold_expires_at": None,
        "version": 2,
    }
    for person in (sam, clara):
        events = [await person.event(name) for name in ("BOOKING_APPROVED", "BOOKING_CREATED")]
        assert [event.data for event in events] == [{"booking": approved}] * 2
        assert events[1].meta["seq"] == events[0].meta["seq"] + 1
    world.clock.advance(86_401)
    await world.settle()
    assert await sam.call(NAMESPACE, "get", booking_id=booking["id"]) == approved
    await assert_refused(practice.ask(await world.person("tom")), "BLOCK_FULL")
    assert (await practice.block())["taken"] == 1
    assert await world.stored("BOOKING_EXPIRED") == []


async def test_a_rejection_or_cancellation_frees_the_place_and_gives_the_reason(world):
    practice = await open_practice(world)
    sam, clara = await world.person("sam"), practice.consultant
    follower = await follow(practice)
    for person, command, name, approves in (
        (clara, "reject", "BOOKING_REJECTED", False),
        (sam, "cancel", "BOOKING_CANCELLED", False),
        (clara, "cancel", "BOOKING_CANCELLED", True),
    ):
        booking = await practice.ask(sam)
        if approves:
            booking = await answer(clara, "approve", booking)
        ended = await answer(person, command, booking, reason="So it is.")
        assert ended == {
            **booking,
            "status": name.removeprefix("BOOKING_").lower(),
            "reason": "So it is.",
            "hold_expires_at": None,
            "version": booking["version"] + 1,
        }
        for recipient in (sam, clara):
            event = await recipient.event(name, lambda d, b=booking: d["booking"]["id"] == b["id"])
            assert event.data == {"booking": ended}
        block = await practice.block()
        assert (block["taken"], block["status"]) == (0, "available")
        await follower.assert_in_sync()
    names = [event.name for event in follower.client.heard]
    assert names.count("AVAILABILITY_BLOCK_FULL") == 3
    assert names.count("AVAILABILITY_BLOCK_AVAILABLE") == 3
    assert names.count("AVAILABILITY_UPDATED") == 6


async def test_only_the_entitled_party_can_answer_or_change_a_booking(world):
    practice, other = await open_practice(world), await open_practice(world, "otto")
    sam, tom = await world.person("sam"), await world.person("tom")
    booking = await practice.ask(sam)
    for command in ("approve", "reject"):
        await assert_refused(answer(sam, command, booking), "FORBIDDEN")
        await assert_refused(answer(other.consultant, command, booking), "NOT_FOUND")
        await assert_refused(answer(other.consultant, command, {"id": sam.id}), "NOT_FOUND")
    target = {"block_id": practice.blocks[1]["id"]}
    for stranger in (tom, other.consultant):
        await assert_refused(answer(stranger, "cancel", booking), "NOT_FOUND")
        await assert_refused(answer(stranger, "reschedule", booking, **target), "NOT_FOUND")
    own_request = await other.ask(practice.consultant, 3)
    await assert_refused(answer(practice.consultant, "approve", own_request), "NOT_FOUND")
    assert (await sam.call(NAMESPACE, "get", booking_id=booking["id"])) == booking


async def test_an_ended_booking_refuses_answers_and_changes(world):
    practice = await open_practice(world)
    sam, clara = await world.person("sam"), practice.consultant
    rejected = await answer(clara, "reject", await practice.ask(sam))
    cancelled = await answer(sam, "cancel", await practice.ask(sam))
    expired = await practice.ask(sam)
    world.clock.advance(86_401)
    await world.settle()
    for booking in (rejected, cancelled, expired):
        for command in ("approve", "reject"):
            await assert_refused(answer(clara, command, booking), "WRONG_STATE")
        await assert_refused(answer(sam, "cancel", booking), "WRONG_STATE")
        moved = answer(sam, "reschedule", booking, block_id=practice.blocks[1]["id"])
        await assert_refused(moved, "WRONG_STATE")
    approved = await practice.booked(sam)
    for command in ("approve", "reject"):
        await assert_refused(answer(clara, command, approved), "WRONG_STATE")
    kinds = [await world.stored(f"BOOKING_{name.upper()}") for name in ENDED]
    assert [len(events) for events in kinds] == [1, 1, 1, 0]


async def test_a_stale_version_is_a_conflict_and_changes_nothing(world):
    practice = await open_practice(world)
    sam, clara = await world.person("sam"), practice.consultant
    booking = await practice.ask(sam)
    block_id = practice.blocks[1]["id"]
    moved = await answer(sam, "reschedule", booking, block_id=block_id, version=1)
    assert moved["version"] == 2
    for person, command, more in (
        (clara, "approve", {}),
        (clara, "reject", {}),
        (sam, "cancel", {}),
        (sam, "reschedule", {"block_id": practice.blocks[0]["id"]}),
    ):
        await assert_refused(answer(person, command, booking, version=1, **more), "CONFLICT")
    assert await sam.call(NAMESPACE, "get", booking_id=booking["id"]) == moved
    assert (await answer(clara, "approve", booking, version=2))["version"] == 3


async def test_a_reschedule_keeps_the_status_and_publishes_both_blocks(world):
    practice = await open_practice(world)
    sam, clara = await world.person("sam"), practice.consultant
    await clara.enter(NAMESPACE)
    follower = await follow(practice)
    requested = await practice.ask(sam)
    moves = [(sam, requested, practice.blocks[1]), (clara, None, practice.blocks[2])]
    for person, booking, block in moves:
        booking = booking or await answer(clara, "approve", requested)
        moved = await answer(person, "reschedule", booking, block_id=block["id"])
        assert moved == {
            **booking,
            "block_id": block["id"],
            "starts_at": block["starts_at"],
            "ends_at": block["ends_at"],
            "version": booking["version"] + 1,
        }
        for recipient in (sam, clara):
            event = await recipient.event(
                "BOOKING_RESCHEDULED", lambda d, b=block: d["booking"]["block_id"] == b["id"]
            )
            assert event.data == {"booking": moved}
        await follower.assert_in_sync()
    updated = [e.data["block"]["id"] for e in follower.client.events("AVAILABILITY_UPDATED")]
    ids = [block["id"] for block in practice.blocks[:3]]
    assert sorted(updated) == sorted([ids[0], ids[0], ids[1], ids[1], ids[2]])
    assert [(await practice.block(number))["taken"] for number in range(3)] == [0, 0, 1]
    tom = await world.person("tom")
    assert (await practice.ask(tom))["status"] == "requested"
    assert (await practice.ask(sam, 1))["status"] == "requested", "the old time is free again"


async def test_a_refused_reschedule_leaves_the_booking_unchanged(world):
    practice, other = await open_practice(world), await open_practice(world, "otto")
    sam, tom = await world.person("sam"), await world.person("tom")
    world.clock.move_to(moment_of(practice.blocks[0]["ends_at"]))
    booking = await practice.booked(sam, 4)
    await practice.ask(tom, 5)
    await other.ask(sam, 6)
    for block, code in (
        (practice.blocks[5], "BLOCK_FULL"),
        (practice.blocks[0], "BLOCK_PAST"),
        (practice.blocks[6], "OVERLAPS"),
        (other.blocks[7], "NOT_FOUND"),
        ({"id": sam.id}, "NOT_FOUND"),
    ):
        await assert_refused(answer(sam, "reschedule", booking, block_id=block["id"]), code)
    assert await sam.call(NAMESPACE, "get", booking_id=booking["id"]) == booking
    taken = [(await practice.block(number))["taken"] for number in (4, 5, 6)]
    assert taken == [1, 1, 0]


async def test_a_moved_request_expires_a_day_after_its_creation_or_with_its_block(world):
    practice = await open_practice(world)
    sam = await world.person("sam")
    starts_at = moment_of(practice.blocks[0]["starts_at"])
    world.clock.move_to(starts_at)
    booking = await practice.ask(sam)
    assert booking["hold_expires_at"] == booking["ends_at"]
    later = practice.blocks[6]["id"]
    moved = await answer(sam, "reschedule", booking, block_id=later)
    age = moment_of(moved["hold_expires_at"]) - starts_at
    assert timedelta(0) <= age - timedelta(days=1) < timedelta(minutes=1)
    world.clock.advance(3_700)
    await world.settle()
    assert (await sam.call(NAMESPACE, "get", booking_id=booking["id"]))["status"] == "requested"
    back = await answer(sam, "reschedule", booking, block_id=practice.blocks[1]["id"])
    assert back["hold_expires_at"] == back["ends_at"]
    world.clock.move_to(moment_of(back["ends_at"]))
    await world.settle()
    assert (await sam.event("BOOKING_EXPIRED")).data["booking"]["id"] == booking["id"]


async def test_a_reschedule_accepts_an_offer_for_the_other_block(world):
    practice = await open_practice(world)
    sam, tom = await world.person("sam"), await world.person("tom")
    booking, other = await practice.booked(sam), await practice.booked(tom, 1)
    await practice.join_list(sam, 1)
    await answer(tom, "cancel", other)
    await sam.event("WAITING_LIST_OFFERED")
    moved = await answer(sam, "reschedule", booking, block_id=practice.blocks[1]["id"])
    assert moved["block_id"] == practice.blocks[1]["id"]
    assert [(await practice.block(number))["taken"] for number in (0, 1)] == [0, 1]


async def test_a_call_past_the_end_of_its_block_completes_the_booking_when_it_ends(world):
    practice = await open_practice(world)
    sam, clara = await world.person("sam"), practice.consultant
    booking = await practice.booked(sam)
    world.clock.move_to(moment_of(booking["starts_at"]))
    await sam.call("/waiting-room", "enter", booking_id=booking["id"])
    call = await clara.call("/waiting-room", "admit", booking_id=booking["id"])
    for person in (sam, clara):
        await person.call("/call", "join", call_id=call["id"])
    await world.settle()
    moved = answer(sam, "reschedule", booking, block_id=practice.blocks[1]["id"])
    await assert_refused(moved, "WRONG_STATE")
    world.clock.move_to(moment_of(booking["ends_at"]) + timedelta(minutes=5))
    await world.settle()
    assert await world.stored("BOOKING_COMPLETED") == [], "they still talk"
    await assert_refused(answer(sam, "cancel", booking), "WRONG_STATE")
    await clara.call("/call", "end", call_id=call["id"])
    await world.settle()
    for person in (sam, clara):
        event = await person.event("BOOKING_COMPLETED")
        came = {"attended": ["student", "consultant"]}
        done = {**booking, **came, "status": "completed", "version": 3}
        assert event.data["booking"] == done
    await assert_refused(answer(sam, "cancel", booking), "WRONG_STATE")


async def test_cancelling_an_immediate_booking_ends_its_call(world):
    practice = await open_practice(world)
    sam, clara = await world.person("sam"), practice.consultant
    await sam.enter("/call")
    await clara.call("/availability", "set_available_now", available=True)
    payload = {"consultant_id": clara.id, "topic_id": practice.topic["id"]}
    booking = await sam.call(NAMESPACE, "request_now", **payload)
    await answer(clara, "approve", booking)
    await sam.event("CALL_INITIATED")
    await answer(sam, "cancel", booking)
    assert (await sam.event("CALL_ENDED")).data["call"]["booking_id"] == booking["id"]
