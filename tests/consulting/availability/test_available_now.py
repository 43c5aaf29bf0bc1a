"""The status "available now": set by the consultant, off during a call, restored on request."""

import asyncio

import pytest

from tests.consulting.availability.practice import assert_refused, follow, open_practice
from tests.consulting.waiting_room.scenes import ask_before_commit
from tests.world import both_databases, one_database, until, with_server

NAMESPACE = "/availability"
CHANGED = "AVAILABLE_NOW_STATUS_CHANGED"


async def set_available_now(practice, available, **more):
    return await practice.consultant.call(
        NAMESPACE, "set_available_now", available=available, **more
    )


async def start_call(practice, student):
    """Start a call of the practice's consultant with `student`; returns its id."""
    payload = {"consultant_id": practice.consultant.id, "topic_id": practice.topic["id"]}
    booking = await student.call("/booking", "request_now", **payload)
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


def received_statuses(follower):
    """The statuses that a watcher received."""
    return [event.data["available"] for event in follower.client.events(CHANGED)]


async def available_in_profile(practice):
    target = {"consultant_id": practice.consultant.id}
    return (await practice.consultant.call("/consultants", "get", **target))["available_now"]


async def test_an_event_is_published_only_when_the_status_changes(world):
    practice = await open_practice(world)
    follower = await follow(practice)
    assert follower.now["available_now"] is False
    for available in (True, True, False, False):
        assert (await set_available_now(practice, available))["available"] is available
        assert await available_in_profile(practice) is available
    await follower.assert_in_sync()
    assert received_statuses(follower) == [True, False]
    data = follower.client.events(CHANGED)[0].data
    assert data == {"consultant_id": practice.consultant.id, "available": True}


async def test_the_status_is_off_during_a_call_and_restored_with_back_after_call(world):
    practice = await open_practice(world)
    sam = await world.person("sam")
    follower = await follow(practice)
    await set_available_now(practice, True, back_after_call=True)
    call_id = await start_call(practice, sam)
    await follower.assert_in_sync()
    assert received_statuses(follower) == [True, False]
    assert await available_in_profile(practice) is False
    payload = {"consultant_id": practice.consultant.id, "topic_id": practice.topic["id"]}
    tom = await world.person("tom")
    await assert_refused(tom.call("/booking", "request_now", **payload), "NOT_AVAILABLE")
    await end_call(practice, call_id)
    await follower.assert_in_sync()
    assert received_statuses(follower) == [True, False, True]
    await set_available_now(practice, True, back_after_call=False)
    call_id = await start_call(practice, sam)
    await end_call(practice, call_id)
    await follower.assert_in_sync()
    assert received_statuses(follower) == [True, False, True, False]
    assert await available_in_profile(practice) is False


async def test_a_status_set_during_a_call_takes_effect_after_it(world):
    practice = await open_practice(world)
    sam = await world.person("sam")
    await set_available_now(practice, True, back_after_call=True)
    call_id = await start_call(practice, sam)
    assert (await set_available_now(practice, False))["available"] is False
    await end_call(practice, call_id)
    assert await available_in_profile(practice) is False
    await set_available_now(practice, True, back_after_call=False)
    call_id = await start_call(practice, sam)
    assert (await set_available_now(practice, True))["available"] is False
    await end_call(practice, call_id)
    assert await available_in_profile(practice) is True


@pytest.mark.parametrize("database_kind", ["postgresql"], indirect=True)
async def test_setting_the_status_waits_for_a_concurrent_stop_and_is_refused(world, database_url):
    practice = await open_practice(world)
    setting = assert_refused(set_available_now(practice, True), "FORBIDDEN")
    stopping = "UPDATE consultants SET status = 'stopped' WHERE id = $1"
    await ask_before_commit(database_url, stopping, practice.consultant.id, setting)
    assert await available_in_profile(practice) is False


async def test_a_consultant_who_stops_during_a_call_is_unavailable_after_it(world):
    practice = await open_practice(world)
    sam = await world.person("sam")
    await set_available_now(practice, True, back_after_call=True)
    call_id = await start_call(practice, sam)
    await practice.consultant.call("/consultants", "stop")
    await end_call(practice, call_id)
    assert await available_in_profile(practice) is False


async def test_stopping_makes_a_consultant_unavailable(world):
    practice = await open_practice(world)
    follower = await follow(practice)
    await set_available_now(practice, True)
    await practice.consultant.call("/consultants", "stop")
    await world.settle()
    await follower.assert_in_sync()
    assert received_statuses(follower) == [True, False]


async def test_a_call_whose_events_are_processed_late_restores_the_status(world, monkeypatch):
    """The start and the end of a call are processed in order, however late."""
    practice = await open_practice(world)
    sam = await world.person("sam")
    await set_available_now(practice, True, back_after_call=True)
    payload = {"consultant_id": practice.consultant.id, "topic_id": practice.topic["id"]}
    booking = await sam.call("/booking", "request_now", **payload)
    await sam.enter("/call")
    await practice.consultant.call("/booking", "approve", booking_id=booking["id"])
    call_id = (await sam.event("CALL_INITIATED")).data["call"]["id"]
    with monkeypatch.context() as patched:
        patched.setattr(world.app.relay, "wake", lambda wake: None)
        for person in (sam, practice.consultant):
            await person.call("/call", "join", call_id=call_id)
        await practice.consultant.call("/call", "end", call_id=call_id)
    await world.settle()
    assert await available_in_profile(practice) is True
    await set_available_now(practice, False)
    assert await available_in_profile(practice) is False


async def test_only_watchers_get_events_and_only_until_they_unwatch(world):
    practice = await open_practice(world)
    sam = await world.person("sam")
    await sam.enter(NAMESPACE)
    follower = await follow(practice)
    visitor = follower.client
    await set_available_now(practice, True)
    await practice.booked(await world.person("tom"))
    await follower.assert_in_sync()
    received = len(visitor.heard)
    assert received >= 3
    assert await visitor.call(NAMESPACE, "unwatch", consultant_id=practice.consultant.id) == {}
    await set_available_now(practice, False)
    await practice.list_blocks(visitor)
    assert len(visitor.heard) == received
    await practice.list_blocks(sam)
    assert [event for event in sam.client.heard if event.namespace == NAMESPACE] == []
    await assert_refused(visitor.call(NAMESPACE, "watch", consultant_id=sam.id), "NOT_FOUND")


async def test_a_watcher_that_reconnects_gets_the_missed_events(world):
    practice = await open_practice(world)
    room = practice.room
    follower = await follow(practice)
    seq = follower.now["seq"]
    await follower.client.close()
    await set_available_now(practice, True)
    await practice.booked(await world.person("tom"))
    back = await world.connect()
    await back.enter(NAMESPACE, since={room: seq})
    state = back.synced[NAMESPACE]["rooms"][room]
    assert state["recovered"] is True
    names = [event.name for event in back.heard]
    assert names[0] == CHANGED
    assert [event.meta["seq"] for event in back.heard] == list(range(seq + 1, state["seq"] + 1))


async def test_events_of_a_stopped_consultant_are_not_replayed(world):
    practice = await open_practice(world)
    await set_available_now(practice, True)
    await practice.consultant.call("/consultants", "stop")
    await world.settle()
    late = await world.connect()
    await late.enter(NAMESPACE, since={practice.room: 0})
    assert late.synced[NAMESPACE]["rooms"][practice.room]["recovered"] is False
    assert late.heard == []


@one_database
async def test_check_returns_the_status_at_a_given_time(world):
    practice = await open_practice(world)
    visitor, sam = await world.visitor(NAMESPACE), await world.person("sam")
    target = {"consultant_id": practice.consultant.id}

    async def check(at):
        return await visitor.call(NAMESPACE, "check", **target, at=at)

    starts_at, ends_at = (practice.blocks[0][name] for name in ("starts_at", "ends_at"))
    assert await check(starts_at) == {"status": "available"}
    assert await check(ends_at) == {"status": "unavailable"}
    await practice.ask(sam)
    assert await check(starts_at) == {"status": "full"}
    await practice.consultant.call(NAMESPACE, "set_default_schedule", time_zone="UTC", blocks=[])
    assert await check(practice.blocks[1]["starts_at"]) == {"status": "unavailable"}
    not_a_consultant = {"consultant_id": sam.id, "at": starts_at}
    await assert_refused(visitor.call(NAMESPACE, "check", **not_a_consultant), "NOT_FOUND")
    span = {"from": starts_at, "to": ends_at, "consultant_id": sam.id}
    await assert_refused(visitor.call(NAMESPACE, "list_blocks", **span), "NOT_FOUND")
    await assert_refused(check("2027-01-01T10:00:00"), "INVALID")


@both_databases
@pytest.mark.parametrize("rounds", [3])
async def test_a_snapshot_taken_during_requests_stays_in_sync(world, rounds):
    practice = await open_practice(world, max_calls=6)
    students = [await world.person(f"student{number}") for number in range(6)]
    for student in students:
        await student.enter("/booking")
    for _ in range(rounds):
        bookings, follower = await asyncio.gather(
            asyncio.gather(*(practice.ask(student) for student in students)), follow(practice)
        )
        await follower.assert_in_sync()
        for student, booking in zip(students, bookings, strict=True):
            await student.call("/booking", "cancel", booking_id=booking["id"])
        await follower.assert_in_sync()


@pytest.mark.parametrize("set_again", [True, False])
async def test_a_returning_consultant_is_available_only_if_set_since_the_return(
    world, monkeypatch, set_again
):
    """The event of the stop is processed after the return."""
    practice = await open_practice(world)
    follower = await follow(practice)
    await set_available_now(practice, True)
    about = {"about_me": "Again.", "languages": ["en"], "country": "DE", "time_zone": "UTC"}
    with monkeypatch.context() as patched:
        patched.setattr(world.app.relay, "wake", lambda wake: None)
        await practice.consultant.call("/consultants", "stop")
        await practice.consultant.call("/consultants", "become", **about)
        if set_again:
            await set_available_now(practice, True)
    await world.settle()
    await follower.assert_in_sync()
    assert received_statuses(follower) == ([True] if set_again else [True, False])
    assert await available_in_profile(practice) is set_again


@pytest.mark.parametrize("moment", ["0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-12:00"])
@one_database
async def test_timestamps_outside_the_range_of_utc_are_invalid(world, moment):
    practice = await open_practice(world)
    target = {"consultant_id": practice.consultant.id}
    visitor = await world.visitor(NAMESPACE)
    refusal = await assert_refused(visitor.call(NAMESPACE, "check", **target, at=moment), "INVALID")
    assert (refusal.details or {})["path"] == "$.at"
    span = {"from": moment, "to": moment}
    refusal = await assert_refused(
        visitor.call(NAMESPACE, "list_blocks", **target, **span), "INVALID"
    )
    assert (refusal.details or {})["path"] == "$.from"


async def wait_for_status(practice, asker, available):
    target = {"consultant_id": practice.consultant.id}

    async def shown():
        await practice.world.settle()
        return (await asker.call("/consultants", "get", **target))["available_now"] is available

    await until(shown)


@with_server
@pytest.mark.settings(PARLEY_PRESENCE_GRACE_S="0.1")
@pytest.mark.parametrize("back_when_online", [False, True])
async def test_the_status_is_off_while_no_device_is_connected(world, back_when_online):
    practice = await open_practice(world)
    clara, sam = practice.consultant, await world.person("sam")
    await sam.enter("/consultants")
    await set_available_now(practice, True, back_when_online=back_when_online)
    second = await clara.device()
    await clara.client.close()
    await wait_for_status(practice, sam, True)  # another device is connected
    await second.close()
    await wait_for_status(practice, sam, False)
    payload = {"consultant_id": clara.id, "topic_id": practice.topic["id"]}
    await assert_refused(sam.call("/booking", "request_now", **payload), "NOT_AVAILABLE")
    await (await clara.device()).enter(NAMESPACE)
    await sam.enter("/presence")

    async def is_online():
        answer = await sam.call("/presence", "watch", user_ids=[clara.id])
        return answer["states"][clara.id]["online"]

    await until(is_online)
    await wait_for_status(practice, sam, back_when_online)


@pytest.mark.parametrize("back_when_online", [False, True])
async def test_an_invisible_consultant_is_not_available_now(world, back_when_online):
    practice = await open_practice(world)
    clara, sam = practice.consultant, await world.person("sam")
    await clara.enter("/presence")
    await set_available_now(practice, True, back_when_online=back_when_online)
    await until(lambda: not world.app.gate.presence._reporting)
    await clara.call("/presence", "set_invisible")
    await world.settle()
    assert not await available_in_profile(practice)
    payload = {"consultant_id": clara.id, "topic_id": practice.topic["id"]}
    await assert_refused(sam.call("/booking", "request_now", **payload), "NOT_AVAILABLE")
    await clara.call("/presence", "set_invisible", on=False)
    await world.settle()
    assert await available_in_profile(practice) is back_when_online


async def test_an_invisible_consultant_can_choose_the_status_for_afterwards(world):
    practice = await open_practice(world)
    clara = practice.consultant
    await clara.enter("/presence")
    await until(lambda: not world.app.gate.presence._reporting)
    await clara.call("/presence", "set_invisible")
    assert await set_available_now(practice, True) == {"available": False}
    await world.settle()
    assert not await available_in_profile(practice)
    await clara.call("/presence", "set_invisible", on=False)
    await world.settle()
    assert await available_in_profile(practice)


async def test_an_unanswered_request_turns_the_status_off_and_says_so(world):
    practice = await open_practice(world)
    clara, sam = practice.consultant, await world.person("sam")
    await set_available_now(practice, True, back_after_call=True, back_when_online=True)
    payload = {"consultant_id": clara.id, "topic_id": practice.topic["id"]}
    booking = await sam.call("/booking", "request_now", **payload)
    await clara.call("/booking", "reject", booking_id=booking["id"])
    await world.settle()
    assert await available_in_profile(practice), "a rejection is an answer"
    await sam.call("/booking", "request_now", **payload)
    world.clock.advance(121)
    await world.settle()
    state = await clara.call(NAMESPACE, "get_available_now")
    assert state == {"available": False, "back_after_call": True, "back_when_online": True}
    await clara.enter("/notifications")
    page = await clara.call("/notifications", "list")
    assert "available_now_lapsed" in [one["kind"] for one in page["notifications"]]


async def test_a_consultant_is_not_available_during_a_call_as_a_student(world):
    practice, other = await open_practice(world), await open_practice(world, "dana")
    await set_available_now(practice, True, back_after_call=True)
    await set_available_now(other, True)
    call_id = await start_call(other, practice.consultant)
    assert not await available_in_profile(practice)
    assert not await available_in_profile(other)
    await end_call(other, call_id)
    assert await available_in_profile(practice)


async def test_a_call_that_nobody_joins_pauses_the_status_too(world):
    practice = await open_practice(world)
    sam = await world.person("sam")
    await set_available_now(practice, True)
    payload = {"consultant_id": practice.consultant.id, "topic_id": practice.topic["id"]}
    booking = await sam.call("/booking", "request_now", **payload)
    await practice.consultant.call("/booking", "approve", booking_id=booking["id"])
    await world.settle()
    assert not await available_in_profile(practice)
    world.clock.advance(61)
    await world.settle()
    assert await available_in_profile(practice)
