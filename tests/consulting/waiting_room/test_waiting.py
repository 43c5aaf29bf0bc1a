"""Waiting rooms: order of arrival, positions, expected waits and admission."""

from datetime import datetime, timedelta

import pytest

from handlers.kit.ids import new_id
from tests.consulting.waiting_room.scenes import ROOM, hour_of, refusal_of

PLACE = {
    "booking_id",
    "block_id",
    "student_id",
    "position",
    "ahead",
    "eta_s",
    "entered_at",
    "away",
}
DEFAULT_S = 600


@pytest.fixture
async def hour(world):
    return await hour_of(world)


async def place_of(student, booking_id):
    """The current place of a student; entering again does not change it."""
    return await student.call(ROOM, "enter", booking_id=booking_id)


def last_place(student, entered):
    """The place of the last `WAITING_ROOM_MOVED`, or else of the answer to `enter`."""
    return ([entered] + [event.data["place"] for event in student.events("WAITING_ROOM_MOVED")])[-1]


async def test_the_waiting_room_opens_15_minutes_before_its_block(hour):
    student, booking_id = await hour.booked("ana")
    hour.move_to(-15.1)
    assert await refusal_of(student, ROOM, "enter", booking_id=booking_id) == "TOO_EARLY"
    assert await hour.queue() == []
    hour.move_to(-15)
    place = await student.call(ROOM, "enter", booking_id=booking_id)
    assert set(place) == PLACE
    assert abs(datetime.fromisoformat(place["entered_at"]) - hour.starts_at) < timedelta(minutes=16)
    del place["entered_at"]
    assert place == {
        "booking_id": booking_id,
        "block_id": hour.block["id"],
        "student_id": student.id,
        "position": 1,
        "ahead": 0,
        "eta_s": 0,
        "away": False,
    }


async def test_only_the_student_of_an_approved_current_booking_can_enter(world, hour):
    student = await world.person("ana")
    booking = await student.call(
        "/booking", "request", block_id=hour.block["id"], topic_id=hour.topic["id"]
    )
    payload = {"booking_id": booking["id"]}
    assert await refusal_of(student, ROOM, "enter", **payload) == "WRONG_STATE"  # requested
    await hour.consultant.call("/booking", "approve", **payload)
    assert await refusal_of(hour.consultant, ROOM, "enter", **payload) == "NOT_FOUND"
    assert await refusal_of(hour.consultant, ROOM, "leave", **payload) == "NOT_FOUND"
    stranger = await world.person("eve")
    missing = {"booking_id": new_id(world.clock.now())}
    for one in (payload, missing):
        assert await refusal_of(stranger, ROOM, "enter", **one) == "NOT_FOUND"
        assert await refusal_of(stranger, ROOM, "leave", **one) == "NOT_FOUND"
    assert await student.call(ROOM, "leave", **payload) == {}  # leaving without a place succeeds
    hour.move_to(60)
    assert await refusal_of(student, ROOM, "enter", **payload) == "WRONG_STATE"  # the block is over
    assert await refusal_of(student, ROOM, "enter", booking_id="nonsense") == "INVALID"


async def test_places_follow_the_order_of_arrival_and_move_up(hour):
    await hour.consultant.enter(ROOM)
    late, late_booking = await hour.booked("late")  # books first and enters last
    ana, ana_booking = await hour.waiting("ana")
    ben, ben_booking = await hour.waiting("ben")
    entered = await late.call(ROOM, "enter", booking_id=late_booking)
    assert (entered["position"], entered["ahead"], entered["eta_s"]) == (3, 2, 2 * DEFAULT_S)
    places = await hour.queue()
    assert [place["booking_id"] for place in places] == [ana_booking, ben_booking, late_booking]
    assert [place["position"] for place in places] == [1, 2, 3]
    assert places[2] == entered

    assert await ana.call(ROOM, "leave", booking_id=ana_booking) == {}
    left = await hour.consultant.event("WAITING_ROOM_LEFT")
    assert left.data == {"place": places[0]}
    moved = await ben.event("WAITING_ROOM_MOVED")
    assert moved.data["place"] == {**places[1], "position": 1, "ahead": 0, "eta_s": 0}
    assert moved.meta["room"] == f"user:{ben.id}"
    await late.event("WAITING_ROOM_MOVED", lambda data: data["place"]["position"] == 2)
    reentered = await ana.call(ROOM, "enter", booking_id=ana_booking)
    assert reentered["position"] == 3  # leaving gave up the first place

    received = [one for one in hour.consultant.client.heard if one.namespace == ROOM]
    assert [(one.name, one.data["place"]["booking_id"]) for one in received] == [
        ("WAITING_ROOM_ENTERED", ana_booking),
        ("WAITING_ROOM_ENTERED", ben_booking),
        ("WAITING_ROOM_ENTERED", late_booking),
        ("WAITING_ROOM_LEFT", ana_booking),
        ("WAITING_ROOM_ENTERED", ana_booking),
    ]
    assert {one.meta["room"] for one in received} == {f"user:{hour.consultant.id}"}
    for student in (ana, ben, late):
        kinds = {one.name for one in student.client.heard if one.namespace == ROOM}
        told = {"WAITING_ROOM_MOVED", "WAITING_ROOM_CONSULTANT_CHANGED", "WAITING_ROOM_ENDED"}
        assert kinds <= told  # and only about their own place:
        moves = student.events("WAITING_ROOM_MOVED")
        assert {one.data["place"]["student_id"] for one in moves} <= {student.id}


async def test_a_queue_plus_later_events_equals_a_fresh_queue(hour):
    ana, ana_booking = await hour.waiting("ana")
    ben, ben_booking = await hour.waiting("ben")
    before = await hour.consultant.call(ROOM, "queue", block_id=hour.block["id"])
    cem, cem_booking = await hour.booked("cem")
    cem_entered = await cem.call(ROOM, "enter", booking_id=cem_booking)
    await ana.call(ROOM, "leave", booking_id=ana_booking)
    await ana.call(ROOM, "enter", booking_id=ana_booking)
    await ben.call("/booking", "cancel", booking_id=ben_booking)
    await hour.world.settle()
    now = await hour.consultant.call(ROOM, "queue", block_id=hour.block["id"])

    await hour.consultant.client.until(
        lambda: [one for one in hour.consultant.client.heard if one.meta.get("seq") == now["seq"]]
    )
    later = [
        one
        for one in hour.consultant.client.heard
        if one.namespace == ROOM and one.meta["seq"] > before["seq"]
    ]
    assert [one.meta["seq"] for one in later] == list(range(before["seq"] + 1, now["seq"] + 1))
    places = list(before["places"])
    for one in later:
        place = one.data["place"]
        places = [other for other in places if other["booking_id"] != place["booking_id"]]
        if one.name == "WAITING_ROOM_ENTERED":
            places.append(place)
    places = [
        {**place, "position": ahead + 1, "ahead": ahead, "eta_s": ahead * DEFAULT_S}
        for ahead, place in enumerate(places)
    ]
    assert places == now["places"]
    assert [place["booking_id"] for place in places] == [cem_booking, ana_booking]
    assert last_place(cem, cem_entered) == now["places"][0]


async def test_the_expected_wait_is_based_on_the_calls_of_the_block(world, hour):
    ana, ana_booking = await hour.waiting("ana")
    ben, ben_booking = await hour.waiting("ben")
    cem, cem_booking = await hour.waiting("cem")
    ben_entered = await place_of(ben, ben_booking)
    call = await hour.admit(ana_booking)
    # No call of this block has ended yet, so the default length is used.
    moved = await ben.event("WAITING_ROOM_MOVED")
    assert moved.data["place"]["position"] == 1
    assert abs(moved.data["place"]["eta_s"] - DEFAULT_S) <= 1
    for one in (ana, hour.consultant):
        await one.call("/call", "join", call_id=call["id"])
    await world.settle()
    world.clock.advance(200)
    assert abs((await place_of(cem, cem_booking))["eta_s"] - (DEFAULT_S - 200 + DEFAULT_S)) <= 1
    await ana.call("/call", "end", call_id=call["id"])
    await world.settle()
    moved = await cem.event("WAITING_ROOM_MOVED", lambda data: data["place"]["eta_s"] <= 201)
    assert abs(moved.data["place"]["eta_s"] - 200) <= 1  # one call ahead, as long as the ended one
    assert last_place(ben, ben_entered) == (await hour.queue())[0]

    await hour.hold_a_call(ben, ben_booking, 100)
    dan, dan_booking = await hour.waiting("dan")
    assert abs((await place_of(dan, dan_booking))["eta_s"] - 150) <= 1  # the average of both calls


async def test_an_ended_call_counts_even_if_it_is_processed_after_the_next_admit(
    world, hour, monkeypatch
):
    ana, ana_booking = await hour.waiting("ana")
    _, ben_booking = await hour.waiting("ben")
    call = await hour.admit(ana_booking)
    for one in (ana, hour.consultant):
        await one.call("/call", "join", call_id=call["id"])
    await world.settle()
    with monkeypatch.context() as patched:
        patched.setattr(world.app.relay, "wake", lambda wake: None)  # delays the consumers
        world.clock.advance(120)
        await ana.call("/call", "end", call_id=call["id"])
        await hour.admit(ben_booking)
    await world.settle()
    cem, cem_booking = await hour.waiting("cem")
    place = await place_of(cem, cem_booking)
    assert abs(place["eta_s"] - 120) <= 1  # Ben's call is expected to last as long as Ana's


async def test_only_the_consultant_can_admit_and_only_one_call_at_a_time(world, hour):
    ana, ana_booking = await hour.waiting("ana")
    ben, ben_booking = await hour.waiting("ben")
    other = await world.person("otto", consultant=True)
    for one in (ana, ben, other):
        assert await refusal_of(one, ROOM, "admit", booking_id=ana_booking) == "NOT_FOUND"
        assert await refusal_of(one, ROOM, "queue", block_id=hour.block["id"]) == "NOT_FOUND"
    missing = new_id(world.clock.now())
    assert await refusal_of(hour.consultant, ROOM, "admit", booking_id=missing) == "NOT_FOUND"
    assert await refusal_of(hour.consultant, ROOM, "queue", block_id=missing) == "NOT_FOUND"
    _, cem_booking = await hour.booked("cem")  # is not in the waiting room
    assert await refusal_of(hour.consultant, ROOM, "admit", booking_id=cem_booking) == "WRONG_STATE"

    call = await hour.admit(ben_booking)  # second in the queue; consultants may admit in any order
    assert (call["booking_id"], call["status"]) == (ben_booking, "initiated")
    assert (call["student_id"], call["consultant_id"]) == (ben.id, hour.consultant.id)
    await hour.consultant.event("WAITING_ROOM_LEFT")
    assert await hour.waiting_ids() == [ana_booking]
    assert await refusal_of(ben, ROOM, "enter", booking_id=ben_booking) == "WRONG_STATE"
    assert await refusal_of(hour.consultant, ROOM, "admit", booking_id=ana_booking) == "IN_CALL"
    assert await hour.waiting_ids() == [ana_booking]  # the refusal changes nothing
    await hour.consultant.call("/call", "end", call_id=call["id"])
    same = await hour.consultant.call(ROOM, "admit", booking_id=ana_booking, request_id="one")
    assert same == await hour.consultant.call(
        ROOM, "admit", booking_id=ana_booking, request_id="one"
    )
