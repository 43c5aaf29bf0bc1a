"""Booking requests: holds, events and refusals."""

import asyncio
from datetime import timedelta

from tests.consulting.availability.practice import (
    TOPIC,
    assert_refused,
    daily,
    events_in,
    events_up_to,
    follow,
    moment_of,
    open_practice,
)
from tests.world import both_databases, one_database

NAMESPACE = "/booking"
DAY = timedelta(days=1)


async def request(person, block_id, topic_id, **more):
    return await person.call(NAMESPACE, "request", block_id=block_id, topic_id=topic_id, **more)


async def test_a_request_holds_a_place_and_notifies_both_parties(world):
    practice = await open_practice(world, max_calls=2)
    clara, sam, tom = practice.consultant, await world.person("sam"), await world.person("tom")
    for person in (clara, sam, tom):
        await person.enter(NAMESPACE)
    follower = await follow(practice)
    block = practice.blocks[0]
    booking = await practice.ask(sam, note="About my house.")
    assert booking == {
        "id": booking["id"],
        "student_id": sam.id,
        "consultant_id": clara.id,
        "topic_id": practice.topic["id"],
        "topic_name": practice.topic["name"],
        "block_id": block["id"],
        "starts_at": block["starts_at"],
        "ends_at": block["ends_at"],
        "status": "requested",
        "note": "About my house.",
        "reason": None,
        "hourly_rate": TOPIC["hourly_rate"],
        "minimal_duration_minutes": TOPIC["minimal_duration_minutes"],
        "terms": {
            "change_until_minutes": 0,
            "late_cancellation_percent": 0,
            "no_show_percent": 0,
        },
        "fee_percent": 0,
        "hold_expires_at": booking["hold_expires_at"],
        "version": 1,
        "attended": [],
    }
    for person in (clara, sam):
        event = await person.event("BOOKING_REQUESTED")
        assert event.data == {"booking": booking}
        assert (event.namespace, event.meta["room"]) == (NAMESPACE, f"user:{person.id}")
        assert moment_of(booking["hold_expires_at"]) - moment_of(event.meta["at"]) == DAY
    updated = await follower.client.event("AVAILABILITY_UPDATED")
    assert updated.data == {"block": {**block, "taken": 1}}
    assert follower.client.events("AVAILABILITY_BLOCK_FULL") == []
    await practice.ask(tom)
    full = await follower.client.event("AVAILABILITY_BLOCK_FULL")
    assert full.data == {"block": {**block, "taken": 2, "status": "full"}}
    await follower.assert_in_sync()
    await tom.call(NAMESPACE, "list")
    ids = [event.data["booking"]["student_id"] for event in tom.events("BOOKING_REQUESTED")]
    assert ids == [tom.id], "nobody hears of the bookings of others"
    assert follower.client.events("BOOKING_REQUESTED") == []


async def test_a_booking_keeps_its_terms_when_the_topic_changes(world):
    practice = await open_practice(world)
    sam = await world.person("sam")
    booking = await practice.ask(sam)
    new_terms = {
        "hourly_rate": {"amount": 99_000, "currency": "USD"},
        "minimal_duration_minutes": 60,
    }
    topic_id = practice.topic["id"]
    await practice.consultant.call("/consultants", "update_topic", topic_id=topic_id, **new_terms)
    approved = await practice.consultant.call(NAMESPACE, "approve", booking_id=booking["id"])
    for view in (approved, await sam.call(NAMESPACE, "get", booking_id=booking["id"])):
        assert view["hourly_rate"] == TOPIC["hourly_rate"]
        assert view["minimal_duration_minutes"] == TOPIC["minimal_duration_minutes"]
    other = await practice.ask(sam, 1)
    assert other["hourly_rate"] == new_terms["hourly_rate"]


async def test_a_request_for_a_full_past_own_or_missing_block_is_refused(world):
    practice = await open_practice(world)
    clara, sam, tom = practice.consultant, await world.person("sam"), await world.person("tom")
    topic_id = practice.topic["id"]
    await practice.ask(sam)
    await assert_refused(practice.ask(tom), "BLOCK_FULL")
    await assert_refused(practice.ask(clara, 1), "OWN_BLOCK")
    await assert_refused(request(tom, topic_id, topic_id), "NOT_FOUND")
    before = await practice.block(1)
    last = practice.blocks[1]
    latest = moment_of(last["ends_at"]) - timedelta(minutes=TOPIC["minimal_duration_minutes"])
    world.clock.move_to(latest - timedelta(seconds=30))
    booking = await practice.ask(tom, 1)
    assert booking["hold_expires_at"] == before["ends_at"]
    await tom.call(NAMESPACE, "cancel", booking_id=booking["id"])
    world.clock.move_to(latest + timedelta(seconds=1))
    refusal = await assert_refused(practice.ask(tom, 1), "DEADLINE_PASSED")
    assert moment_of(refusal.details["until"]) == latest, "less than the minimum duration is left"
    world.clock.move_to(moment_of(last["ends_at"]))
    await assert_refused(practice.ask(tom, 1), "BLOCK_PAST")


async def test_only_an_active_topic_of_the_consultant_can_be_requested(world):
    practice = await open_practice(world)
    other = await open_practice(world, "otto")
    sam, clara = await world.person("sam"), practice.consultant
    block_id = practice.blocks[0]["id"]
    await assert_refused(request(sam, block_id, other.topic["id"]), "TOPIC_NOT_OFFERED")
    await assert_refused(request(sam, block_id, sam.id), "TOPIC_NOT_OFFERED")
    await clara.call("/consultants", "remove_topic", topic_id=practice.topic["id"])
    await assert_refused(practice.ask(sam), "TOPIC_NOT_OFFERED")
    await other.consultant.call("/consultants", "stop")
    await assert_refused(other.ask(sam), "TOPIC_NOT_OFFERED")
    assert (await practice.block())["taken"] == 0, "a refusal holds nothing"


async def test_a_student_cannot_have_overlapping_bookings(world):
    clara, otto = await open_practice(world), await open_practice(world, "otto")
    nima = await world.person("nima", consultant=True)
    topic = await nima.call("/consultants", "add_topic", **TOPIC)
    blocks = await nima.call(
        "/availability",
        "set_default_schedule",
        time_zone="Asia/Kathmandu",  # UTC+5:45
        blocks=daily(15, 16),
    )
    sam = await world.person("sam")
    booking = await clara.booked(sam)
    await assert_refused(otto.ask(sam), "OVERLAPS")
    day = booking["starts_at"][:10]
    overlapping = [b for b in blocks["blocks"] if b["starts_at"].startswith(day)]
    assert [block["starts_at"][11:16] for block in overlapping] == ["09:15", "10:15"]
    for block in overlapping:
        await assert_refused(request(sam, block["id"], topic["id"]), "OVERLAPS")
    assert (await otto.block())["taken"] == 0
    await sam.call(NAMESPACE, "cancel", booking_id=booking["id"])
    assert (await otto.ask(sam))["status"] == "requested"
    tom = await world.person("tom")
    assert (await clara.ask(tom))["status"] == "requested", "only one's own time counts"


async def test_consecutive_blocks_do_not_overlap(world):
    practice = await open_practice(world, hours=(10, 11), max_calls=2)
    sam = await world.person("sam")
    first = await practice.ask(sam)
    second = await practice.ask(sam, 1)
    assert first["ends_at"] == second["starts_at"]
    await assert_refused(practice.ask(sam), "OVERLAPS")


@one_database
async def test_unknown_or_malformed_request_fields_are_invalid(world):
    practice = await open_practice(world)
    sam = await world.person("sam")
    for fields in (
        {"status": "approved"},
        {"hourly_rate": {"amount": 1, "currency": "EUR"}},
        {"student_id": sam.id},
        {"note": "x" * 2_001},
        {"block_id": "no id"},
        {"topic_id": None},
        {"request_id": "x" * 65},
    ):
        await assert_refused(practice.ask(sam, **fields), "INVALID")
    assert (await practice.block())["taken"] == 0


@both_databases
async def test_repeating_a_request_id_makes_one_booking(world):
    practice = await open_practice(world, max_calls=10)
    sam = await world.person("sam")
    devices = [sam.client, await sam.device()]
    for device in devices:
        await device.enter(NAMESPACE)
    payload = {
        "block_id": practice.blocks[0]["id"],
        "topic_id": practice.topic["id"],
        "request_id": "once",
    }
    answers = await asyncio.gather(
        *(devices[n % 2].ask(NAMESPACE, "request", payload) for n in range(10))
    )
    assert all(answer == answers[0] for answer in answers)
    assert answers[0]["ok"]
    assert (await practice.block())["taken"] == 1
    assert len(await world.stored("BOOKING_REQUESTED")) == 1
    await assert_refused(practice.ask(sam, 1, request_id="once"), "CONFLICT")


async def test_a_booking_is_visible_only_to_its_two_parties(world):
    practice = await open_practice(world, max_calls=2)
    sam, tom, clara = await world.person("sam"), await world.person("tom"), practice.consultant
    booking = await practice.ask(sam)
    for person in (sam, clara):
        assert await person.call(NAMESPACE, "get", booking_id=booking["id"]) == booking
        assert (await person.call(NAMESPACE, "list"))["bookings"] == [booking]
    missing = await assert_refused(tom.call(NAMESPACE, "get", booking_id=tom.id), "NOT_FOUND")
    foreign = await assert_refused(
        tom.call(NAMESPACE, "get", booking_id=booking["id"]), "NOT_FOUND"
    )
    assert foreign.error == missing.error
    assert (await tom.call(NAMESPACE, "list"))["bookings"] == []


async def test_list_pages_from_the_newest_in_both_roles_and_filters_by_status(world):
    practice, other = await open_practice(world), await open_practice(world, "otto")
    clara, sam = practice.consultant, await world.person("sam")
    mine = [await practice.ask(sam, number) for number in range(4)]
    as_student = await other.ask(clara, 5)
    cancelled = await sam.call(NAMESPACE, "cancel", booking_id=mine[0]["id"])
    complete = await clara.call(NAMESPACE, "list")
    assert complete["bookings"] == [as_student, *reversed(mine[1:]), cancelled]
    assert complete["next"] is None
    paged = []
    before: dict[str, str] = {}
    for _ in range(3):
        page = await clara.call(NAMESPACE, "list", limit=2, **before)
        paged += page["bookings"]
        before = {"before": page["next"]}
    assert (paged, page["next"]) == (complete["bookings"], None)
    first = await sam.call(NAMESPACE, "list", status="requested", limit=2)
    assert first["bookings"] == [mine[3], mine[2]]
    rest = await sam.call(NAMESPACE, "list", status="requested", before=first["next"])
    assert rest["bookings"] == [mine[1]]
    assert (await sam.call(NAMESPACE, "list", status="completed"))["bookings"] == []
    await assert_refused(sam.call(NAMESPACE, "list", status="lost"), "INVALID")
    await assert_refused(sam.call(NAMESPACE, "list", limit=0), "INVALID")


async def test_a_list_plus_later_events_equals_a_fresh_list(world):
    """Covers every booking event, for both parties."""
    practice = await open_practice(world, max_calls=4)
    sam, clara = await world.person("sam"), practice.consultant
    sides = [(person, (await person.call(NAMESPACE, "list"))["seq"]) for person in (sam, clara)]
    await clara.call("/availability", "set_terms", open_requests_max=10)
    ids = [(await practice.ask(sam, number))["id"] for number in range(0, 12, 2)]
    for booking_id in ids[:3]:
        await clara.call(NAMESPACE, "approve", booking_id=booking_id, reason="Gladly.")
    await clara.call(NAMESPACE, "reject", booking_id=ids[3], reason="Not my field.")
    await sam.call(NAMESPACE, "cancel", booking_id=ids[0], reason="I am ill.")
    other = practice.blocks[20]["id"]
    await sam.call(NAMESPACE, "reschedule", booking_id=ids[1], block_id=other)
    await hold_a_call(practice, sam, ids[2])
    for person, seq in sides:
        fresh = await person.call(NAMESPACE, "list")
        room = f"user:{person.id}"
        state = {}
        for event in await events_up_to(person.client, NAMESPACE, room, fresh["seq"]):
            assert event.meta["seq"] > seq
            state[event.data["booking"]["id"]] = event.data["booking"]
        assert sorted(state.values(), key=lambda b: b["id"], reverse=True) == fresh["bookings"]
        assert {event.name for event in events_in(person.client, NAMESPACE, room)} == {
            "BOOKING_REQUESTED",
            "BOOKING_APPROVED",
            "BOOKING_CREATED",
            "BOOKING_REJECTED",
            "BOOKING_CANCELLED",
            "BOOKING_RESCHEDULED",
            "BOOKING_EXPIRED",
            "BOOKING_COMPLETED",
        }
    statuses = {booking["id"]: booking["status"] for booking in fresh["bookings"]}
    assert [statuses[one] for one in ids] == [
        "cancelled",
        "approved",
        "completed",
        "rejected",
        "expired",
        "expired",
    ]


async def hold_a_call(practice, student, booking_id):
    """Admit the student shortly before the block starts, and hold the call until it ends."""
    booking = await student.call(NAMESPACE, "get", booking_id=booking_id)
    practice.world.clock.move_to(moment_of(booking["starts_at"]) - timedelta(minutes=5))
    await student.call("/waiting-room", "enter", booking_id=booking_id)
    call = await practice.consultant.call("/waiting-room", "admit", booking_id=booking_id)
    for person in (student, practice.consultant):
        await person.call("/call", "join", call_id=call["id"])
    await student.call("/call", "end", call_id=call["id"])
    await practice.world.settle()


async def test_an_account_about_to_be_deleted_makes_no_requests(world):
    practice = await open_practice(world)
    sam, tom, clara = await world.sign_up("sam"), await world.person("tom"), practice.consultant
    await clara.call("/availability", "set_available_now", available=True)
    await practice.booked(tom)
    await sam.call("/account", "delete")
    now = {"consultant_id": clara.id, "topic_id": practice.topic["id"]}
    await assert_refused(practice.ask(sam, 1), "DELETION_PLANNED")
    await assert_refused(sam.call(NAMESPACE, "request_now", **now), "DELETION_PLANNED")
    await assert_refused(practice.join_list(sam), "DELETION_PLANNED")
    await sam.call("/account", "restore")
    assert (await practice.ask(sam, 1))["status"] == "requested"
