"""Available now: set by hand, off during a call, on again after it if that is wished."""

import asyncio

import pytest

from tests.consulting.availability.practice import follow, open_practice, refused
from tests.consulting.waiting_room.scenes import ask_before_commit
from tests.world import both_databases, one_database

NAMESPACE = "/availability"
CHANGED = "AVAILABLE_NOW_STATUS_CHANGED"


async def set_now(practice, available, **more):
    return await practice.consultant.call(
        NAMESPACE, "set_available_now", available=available, **more
    )


async def begin_call(practice, student):
    """A call of the practice's consultant with `student`, started."""
    asked = {"consultant_id": practice.consultant.id, "topic_id": practice.topic["id"]}
    booking = await student.call("/booking", "request_now", **asked)
    for person in (student, practice.consultant):
        if "/call" not in person.client.synced:
            await person.enter("/call")
    await practice.consultant.call("/booking", "approve", booking_id=booking["id"])
    initiated = await student.event(
        "CALL_INITIATED", lambda data: data["call"]["booking_id"] == booking["id"]
    )
    call_id = initiated.data["call"]["id"]
    for person in (student, practice.consultant):
        await person.call("/call", "join", call_id=call_id)
    await practice.world.settle()
    return call_id


async def end_call(practice, call_id):
    await practice.consultant.call("/call", "end", call_id=call_id)
    await practice.world.settle()


def told(follower):
    """What a watcher heard of being available."""
    return [event.data["available"] for event in follower.client.events(CHANGED)]


async def profile_says(practice):
    who = {"consultant_id": practice.consultant.id}
    return (await practice.consultant.call("/consultants", "get", **who))["available_now"]


async def test_it_is_told_when_it_changes_and_only_then(world):
    practice = await open_practice(world)
    follower = await follow(practice)
    assert follower.now["available_now"] is False
    for available in (True, True, False, False):
        assert await set_now(practice, available) == {"available": available}
        assert await profile_says(practice) is available
    await follower.agrees()
    assert told(follower) == [True, False]
    data = follower.client.events(CHANGED)[0].data
    assert data == {"consultant_id": practice.consultant.id, "available": True}


async def test_it_is_off_during_a_call_and_on_again_after_it_if_wished(world):
    practice = await open_practice(world)
    sam = await world.person("sam")
    follower = await follow(practice)
    await set_now(practice, True, back_after_call=True)
    call_id = await begin_call(practice, sam)
    await follower.agrees()
    assert told(follower) == [True, False]
    assert await profile_says(practice) is False
    asked = {"consultant_id": practice.consultant.id, "topic_id": practice.topic["id"]}
    other = await world.person("tom")
    await refused(other.call("/booking", "request_now", **asked), "NOT_AVAILABLE")
    await end_call(practice, call_id)
    await follower.agrees()
    assert told(follower) == [True, False, True]
    await set_now(practice, True, back_after_call=False)
    call_id = await begin_call(practice, sam)
    await end_call(practice, call_id)
    await follower.agrees()
    assert told(follower) == [True, False, True, False]
    assert await profile_says(practice) is False


async def test_what_is_said_during_a_call_holds_after_it(world):
    practice = await open_practice(world)
    sam = await world.person("sam")
    await set_now(practice, True, back_after_call=True)
    call_id = await begin_call(practice, sam)
    assert await set_now(practice, False) == {"available": False}
    await end_call(practice, call_id)
    assert await profile_says(practice) is False
    await set_now(practice, True, back_after_call=False)
    call_id = await begin_call(practice, sam)
    assert await set_now(practice, True) == {"available": False}
    await end_call(practice, call_id)
    assert await profile_says(practice) is True


@pytest.mark.parametrize("database_kind", ["postgresql"], indirect=True)
async def test_who_is_just_stopping_does_not_become_available(world, database_url):
    practice = await open_practice(world)
    asked = refused(set_now(practice, True), "FORBIDDEN")
    stopping = "UPDATE consultants SET status = 'stopped' WHERE id = $1"
    await ask_before_commit(database_url, stopping, practice.consultant.id, asked)
    assert await profile_says(practice) is False


async def test_who_stops_during_a_call_is_not_available_after_it(world):
    practice = await open_practice(world)
    sam = await world.person("sam")
    await set_now(practice, True, back_after_call=True)
    call_id = await begin_call(practice, sam)
    await practice.consultant.call("/consultants", "stop")
    await end_call(practice, call_id)
    assert await profile_says(practice) is False


async def test_who_stops_is_not_available(world):
    practice = await open_practice(world)
    follower = await follow(practice)
    await set_now(practice, True)
    await practice.consultant.call("/consultants", "stop")
    await world.settle()
    await follower.agrees()
    assert told(follower) == [True, False]


async def test_a_call_that_is_over_before_it_was_noticed_keeps_nobody_away(world, monkeypatch):
    """The start and the end of a call are heard in their order, however late."""
    practice = await open_practice(world)
    sam = await world.person("sam")
    await set_now(practice, True, back_after_call=True)
    asked = {"consultant_id": practice.consultant.id, "topic_id": practice.topic["id"]}
    booking = await sam.call("/booking", "request_now", **asked)
    await sam.enter("/call")
    await practice.consultant.call("/booking", "approve", booking_id=booking["id"])
    call_id = (await sam.event("CALL_INITIATED")).data["call"]["id"]
    with monkeypatch.context() as patched:
        patched.setattr(world.app.relay, "wake", lambda wake: None)
        for person in (sam, practice.consultant):
            await person.call("/call", "join", call_id=call_id)
        await practice.consultant.call("/call", "end", call_id=call_id)
    await world.settle()
    assert await profile_says(practice) is True
    await set_now(practice, False)
    assert await profile_says(practice) is False


async def test_visitors_watch_until_they_unwatch_and_others_hear_nothing(world):
    practice = await open_practice(world)
    sam = await world.person("sam")
    await sam.enter(NAMESPACE)
    follower = await follow(practice)
    visitor = follower.client
    await set_now(practice, True)
    await practice.booked(await world.person("tom"))
    await follower.agrees()
    heard = len(visitor.heard)
    assert heard >= 3
    assert await visitor.call(NAMESPACE, "unwatch", consultant_id=practice.consultant.id) == {}
    await set_now(practice, False)
    await practice.list_blocks(visitor)
    assert len(visitor.heard) == heard
    await practice.list_blocks(sam)
    assert [event for event in sam.client.heard if event.namespace == NAMESPACE] == []
    await refused(visitor.call(NAMESPACE, "watch", consultant_id=sam.id), "NOT_FOUND")


async def test_a_watcher_who_comes_back_hears_what_they_missed(world):
    practice = await open_practice(world)
    room = practice.room
    follower = await follow(practice)
    seq = follower.now["seq"]
    await follower.client.close()
    await set_now(practice, True)
    await practice.booked(await world.person("tom"))
    back = await world.connect()
    await back.enter(NAMESPACE, since={room: seq})
    state = back.synced[NAMESPACE]["rooms"][room]
    assert state["recovered"] is True
    names = [event.name for event in back.heard]
    assert names[0] == CHANGED
    assert [event.meta["seq"] for event in back.heard] == list(range(seq + 1, state["seq"] + 1))


async def test_of_who_stopped_nothing_is_told_again(world):
    practice = await open_practice(world)
    await set_now(practice, True)
    await practice.consultant.call("/consultants", "stop")
    await world.settle()
    late = await world.connect()
    await late.enter(NAMESPACE, since={practice.room: 0})
    assert late.synced[NAMESPACE]["rooms"][practice.room]["recovered"] is False
    assert late.heard == []


@one_database
async def test_check_says_what_is_so_at_a_moment(world):
    practice = await open_practice(world)
    visitor, sam = await world.visitor(NAMESPACE), await world.person("sam")
    who = {"consultant_id": practice.consultant.id}

    async def check(at):
        return await visitor.call(NAMESPACE, "check", **who, at=at)

    starts_at, ends_at = (practice.blocks[0][name] for name in ("starts_at", "ends_at"))
    assert await check(starts_at) == {"status": "available"}
    assert await check(ends_at) == {"status": "unavailable"}
    await practice.ask(sam)
    assert await check(starts_at) == {"status": "full"}
    await practice.consultant.call(NAMESPACE, "set_default_schedule", time_zone="UTC", blocks=[])
    assert await check(practice.blocks[1]["starts_at"]) == {"status": "unavailable"}
    nobody = {"consultant_id": sam.id, "at": starts_at}
    await refused(visitor.call(NAMESPACE, "check", **nobody), "NOT_FOUND")
    span = {"from": starts_at, "to": ends_at, "consultant_id": sam.id}
    await refused(visitor.call(NAMESPACE, "list_blocks", **span), "NOT_FOUND")
    await refused(check("2027-01-01T10:00:00"), "INVALID")


@both_databases
@pytest.mark.parametrize("rounds", [3])
async def test_a_watcher_who_arrives_in_the_middle_agrees(world, rounds):
    practice = await open_practice(world, max_calls=6)
    students = [await world.person(f"student{number}") for number in range(6)]
    for student in students:
        await student.enter("/booking")
    for _ in range(rounds):
        bookings, follower = await asyncio.gather(
            asyncio.gather(*(practice.ask(student) for student in students)), follow(practice)
        )
        await follower.agrees()
        for student, booking in zip(students, bookings, strict=True):
            await student.call("/booking", "cancel", booking_id=booking["id"])
        await follower.agrees()


@pytest.mark.parametrize("says_so", [True, False])
async def test_who_stopped_and_began_again_is_available_when_they_said_so_since(
    world, monkeypatch, says_so
):
    """Also when that they stopped is heard only then."""
    practice = await open_practice(world)
    follower = await follow(practice)
    await set_now(practice, True)
    about = {"about_me": "Again.", "languages": ["en"], "country": "DE", "time_zone": "UTC"}
    with monkeypatch.context() as patched:
        patched.setattr(world.app.relay, "wake", lambda wake: None)
        await practice.consultant.call("/consultants", "stop")
        await practice.consultant.call("/consultants", "become", **about)
        if says_so:
            await set_now(practice, True)
    await world.settle()
    await follower.agrees()
    assert told(follower) == ([True] if says_so else [True, False])
    assert await profile_says(practice) is says_so


@pytest.mark.parametrize("moment", ["0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-12:00"])
@one_database
async def test_moments_at_the_ends_of_the_calendar_are_invalid(world, moment):
    practice = await open_practice(world)
    who = {"consultant_id": practice.consultant.id}
    visitor = await world.visitor(NAMESPACE)
    refusal = await refused(visitor.call(NAMESPACE, "check", **who, at=moment), "INVALID")
    assert (refusal.details or {})["path"] == "$.at"
    span = {"from": moment, "to": moment}
    refusal = await refused(visitor.call(NAMESPACE, "list_blocks", **who, **span), "INVALID")
    assert (refusal.details or {})["path"] == "$.from"
