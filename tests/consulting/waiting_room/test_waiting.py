"""Students wait in the order in which they came, and know how long it may take."""

from datetime import datetime, timedelta

import pytest

from handlers.kit.ids import new_id
from tests.consulting.waiting_room.scenes import ROOM, hour_of, refusal_of

PLACE = {"booking_id", "block_id", "student_id", "position", "ahead", "eta_s", "entered_at"}
USUAL_S = 600


@pytest.fixture
async def hour(world):
    return await hour_of(world)


async def place_of(student, booking_id):
    """The student's place as it is now; entering again keeps it."""
    return await student.call(ROOM, "enter", booking_id=booking_id)


def latest_place(student, entered):
    """What a page shows that applies every WAITING_ROOM_MOVED to the answer of `enter`."""
    return ([entered] + [heard.data["place"] for heard in student.events("WAITING_ROOM_MOVED")])[-1]


async def test_the_room_opens_15_minutes_before_its_block(hour):
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
    }


async def test_only_an_approved_booking_in_its_own_time_is_waited_for(world, hour):
    student = await world.person("ana")
    asked = await student.call(
        "/booking", "request", block_id=hour.block["id"], topic_id=hour.topic["id"]
    )
    asking = {"booking_id": asked["id"]}
    assert await refusal_of(student, ROOM, "enter", **asking) == "WRONG_STATE"  # requested
    await hour.consultant.call("/booking", "approve", **asking)
    assert await refusal_of(hour.consultant, ROOM, "enter", **asking) == "NOT_FOUND"
    assert await refusal_of(hour.consultant, ROOM, "leave", **asking) == "NOT_FOUND"
    stranger = await world.person("eve")
    missing = {"booking_id": new_id(world.clock.now())}
    for one in (asking, missing):
        assert await refusal_of(stranger, ROOM, "enter", **one) == "NOT_FOUND"
        assert await refusal_of(stranger, ROOM, "leave", **one) == "NOT_FOUND"
    assert await student.call(ROOM, "leave", **asking) == {}  # nothing to leave is no harm
    hour.move_to(60)
    assert await refusal_of(student, ROOM, "enter", **asking) == "WRONG_STATE"  # over
    assert await refusal_of(student, ROOM, "enter", booking_id="nonsense") == "INVALID"


async def test_places_go_by_arrival_and_those_behind_move_up(hour):
    await hour.consultant.enter(ROOM)
    late, late_booking = await hour.booked("late")  # booked first, comes last
    ana, ana_booking = await hour.waiting("ana")
    ben, ben_booking = await hour.waiting("ben")
    entered = await late.call(ROOM, "enter", booking_id=late_booking)
    assert (entered["position"], entered["ahead"], entered["eta_s"]) == (3, 2, 2 * USUAL_S)
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
    again = await ana.call(ROOM, "enter", booking_id=ana_booking)
    assert again["position"] == 3  # leaving gave the place up

    heard = [one for one in hour.consultant.client.heard if one.namespace == ROOM]
    assert [(one.name, one.data["place"]["booking_id"]) for one in heard] == [
        ("WAITING_ROOM_ENTERED", ana_booking),
        ("WAITING_ROOM_ENTERED", ben_booking),
        ("WAITING_ROOM_ENTERED", late_booking),
        ("WAITING_ROOM_LEFT", ana_booking),
        ("WAITING_ROOM_ENTERED", ana_booking),
    ]
    assert {one.meta["room"] for one in heard} == {f"user:{hour.consultant.id}"}
    for student in (ana, ben, late):
        kinds = {one.name for one in student.client.heard if one.namespace == ROOM}
        assert kinds <= {"WAITING_ROOM_MOVED"}  # and only about themselves:
        moves = student.events("WAITING_ROOM_MOVED")
        assert {one.data["place"]["student_id"] for one in moves} <= {student.id}


async def test_the_queue_and_what_was_heard_since_make_the_queue_of_now(hour):
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
        {**place, "position": ahead + 1, "ahead": ahead, "eta_s": ahead * USUAL_S}
        for ahead, place in enumerate(places)
    ]
    assert places == now["places"]
    assert [place["booking_id"] for place in places] == [cem_booking, ana_booking]
    assert latest_place(cem, cem_entered) == now["places"][0]


async def test_the_wait_follows_the_blocks_calls(world, hour):
    ana, ana_booking = await hour.waiting("ana")
    ben, ben_booking = await hour.waiting("ben")
    cem, cem_booking = await hour.waiting("cem")
    ben_entered = await place_of(ben, ben_booking)
    call = await hour.admit(ana_booking)
    # Nothing is known of this block's calls yet: one takes as long as is usual.
    moved = await ben.event("WAITING_ROOM_MOVED")
    assert moved.data["place"]["position"] == 1
    assert abs(moved.data["place"]["eta_s"] - USUAL_S) <= 1
    for one in (ana, hour.consultant):
        await one.call("/call", "join", call_id=call["id"])
    await world.settle()
    world.clock.advance(200)
    assert abs((await place_of(cem, cem_booking))["eta_s"] - (USUAL_S - 200 + USUAL_S)) <= 1
    await ana.call("/call", "end", call_id=call["id"])
    await world.settle()
    moved = await cem.event("WAITING_ROOM_MOVED", lambda data: data["place"]["eta_s"] <= 201)
    assert abs(moved.data["place"]["eta_s"] - 200) <= 1  # one ahead, by the finished call
    assert latest_place(ben, ben_entered) == (await hour.queue())[0]

    await hour.hold_a_call(ben, ben_booking, 100)
    dan, dan_booking = await hour.waiting("dan")
    assert abs((await place_of(dan, dan_booking))["eta_s"] - 150) <= 1  # the average of the two


async def test_a_call_that_ended_counts_even_if_the_next_was_admitted_first(
    world, hour, monkeypatch
):
    ana, ana_booking = await hour.waiting("ana")
    _, ben_booking = await hour.waiting("ben")
    call = await hour.admit(ana_booking)
    for one in (ana, hour.consultant):
        await one.call("/call", "join", call_id=call["id"])
    await world.settle()
    with monkeypatch.context() as late:
        late.setattr(world.app.relay, "wake", lambda wake: None)  # the news travels slowly
        world.clock.advance(120)
        await ana.call("/call", "end", call_id=call["id"])
        await hour.admit(ben_booking)
    await world.settle()
    cem, cem_booking = await hour.waiting("cem")
    place = await place_of(cem, cem_booking)
    assert abs(place["eta_s"] - 120) <= 1  # ben's call goes on, for as long as ana's


async def test_admit_is_for_the_blocks_consultant_and_one_call_at_a_time(world, hour):
    ana, ana_booking = await hour.waiting("ana")
    ben, ben_booking = await hour.waiting("ben")
    other = await world.person("otto", consultant=True)
    for one in (ana, ben, other):
        assert await refusal_of(one, ROOM, "admit", booking_id=ana_booking) == "NOT_FOUND"
        assert await refusal_of(one, ROOM, "queue", block_id=hour.block["id"]) == "NOT_FOUND"
    missing = new_id(world.clock.now())
    assert await refusal_of(hour.consultant, ROOM, "admit", booking_id=missing) == "NOT_FOUND"
    assert await refusal_of(hour.consultant, ROOM, "queue", block_id=missing) == "NOT_FOUND"
    _, cem_booking = await hour.booked("cem")  # does not wait
    assert await refusal_of(hour.consultant, ROOM, "admit", booking_id=cem_booking) == "WRONG_STATE"

    call = await hour.admit(ben_booking)  # the second in the queue: it is the consultant's choice
    assert (call["booking_id"], call["status"]) == (ben_booking, "initiated")
    assert (call["student_id"], call["consultant_id"]) == (ben.id, hour.consultant.id)
    await hour.consultant.event("WAITING_ROOM_LEFT")
    assert await hour.waiting_ids() == [ana_booking]
    assert await refusal_of(ben, ROOM, "enter", booking_id=ben_booking) == "WRONG_STATE"
    assert await refusal_of(hour.consultant, ROOM, "admit", booking_id=ana_booking) == "IN_CALL"
    assert await hour.waiting_ids() == [ana_booking]  # refused, nothing has changed
    await hour.consultant.call("/call", "end", call_id=call["id"])
    same = await hour.consultant.call(ROOM, "admit", booking_id=ana_booking, request_id="one")
    assert same == await hour.consultant.call(
        ROOM, "admit", booking_id=ana_booking, request_id="one"
    )
