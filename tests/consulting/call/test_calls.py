"""Calls: starting, signaling, short disconnects, and ending exactly once."""

import asyncio

import pytest
from sqlalchemy import text

from handlers.kit.ids import new_id
from storage.consulting.call.calls import list_live_of_person
from tests.consulting.call.scenes import CALL, talk_of
from tests.consulting.waiting_room.scenes import ROOM, ask_before_commit, refusal_of
from tests.wire_client import Refused
from tests.world import add_topic, both_databases, one_database, until

VIEW = {"id", "booking_id", "consultant_id", "student_id", "status", "provider", "ice_servers"}
VIEW |= {"started_at", "ended_at", "end_reason", "talked_s"}


@pytest.fixture
async def talk(world):
    return await talk_of(world)


async def end_of(talk):
    """Wait until both participants get `CALL_ENDED`; returns the call."""
    for one in talk.participants:
        await one.event("CALL_ENDED")
    return (await talk.student.event("CALL_ENDED")).data["call"]


@pytest.mark.settings(
    PARLEY_ICE_SERVERS='[{"urls":["turn:turn.example.org"],"username":"u","credential":"c"}]'
)
async def test_the_lifecycle_of_a_call(world, talk):
    call = talk.call
    assert set(call) == VIEW
    assert (call["status"], call["started_at"], call["ended_at"]) == ("initiated", None, None)
    assert (call["provider"], call["talked_s"]) == ("browser", 0)
    assert call["ice_servers"] == [
        {"urls": ["turn:turn.example.org"], "username": "u", "credential": "c"}
    ]
    assert (await talk.join(talk.student))["status"] == "initiated"  # one is missing
    started = await talk.join(talk.consultant)
    del started["access"]  # only for the device that joined
    assert started["status"] == "active"
    assert started["started_at"]
    world.clock.advance(90)
    ended = await talk.student.call(CALL, "end", call_id=talk.id)
    assert (ended["status"], ended["started_at"]) == ("ended", started["started_at"])
    assert ended["end_reason"] == "ended"
    assert ended["talked_s"] == 90
    assert ended["ended_at"] > ended["started_at"]
    await world.settle()
    for one in talk.participants:
        assert (await one.event("CALL_INITIATED")).data == {"call": call}
        assert (await one.event("CALL_STARTED")).data == {"call": started}
        assert (await one.event("CALL_ENDED")).data == {"call": ended}
        assert (await one.event("CALL_DURATION_RECORDED")).data == {"call": ended}
        assert talk.call_events(one) == ["INITIATED", "STARTED", "ENDED", "DURATION_RECORDED"]
        metas = [event.meta for event in one.client.heard if event.namespace == CALL]
        assert {meta["room"] for meta in metas} == {f"user:{one.id}"}
        first = metas[0]["seq"]
        assert [meta["seq"] for meta in metas] == list(range(first, first + 4))
    assert (await talk.booking())["status"] == "completed"
    assert await talk.student.call(CALL, "end", call_id=talk.id) == ended  # unchanged
    assert await talk.student.call(CALL, "leave", call_id=talk.id) == ended
    assert await refusal_of(talk.student, CALL, "join", call_id=talk.id) == "CALL_OVER"
    assert talk.call_events(talk.student).count("ENDED") == 1


async def test_a_disconnect_interrupts_a_call_and_rejoining_resumes_it(world, talk):
    await talk.join()
    await talk.advance(30)
    await talk.disconnect(talk.student.client)
    interrupted = (await talk.consultant.event("CALL_INTERRUPTED")).data["call"]
    assert (interrupted["status"], interrupted["talked_s"]) == ("active", 30)
    await talk.advance(58)
    phone = await talk.student.device()
    await phone.enter(CALL)
    assert talk.call_events(talk.consultant)[-1] == "INTERRUPTED"  # connecting alone does not join
    resumed = await phone.call(CALL, "join", call_id=talk.id)
    del resumed["access"]
    assert (await talk.consultant.event("CALL_RESUMED")).data == {"call": resumed}
    assert (await phone.event("CALL_RESUMED")).data == {"call": resumed}
    await talk.advance(100)  # the timer of the interruption is cancelled
    assert talk.call_events(talk.consultant)[-1] == "RESUMED"
    ended = await phone.call(CALL, "end", call_id=talk.id)
    assert ended["talked_s"] == 130


async def test_a_participant_disconnected_for_60_s_ends_the_call(world, talk):
    await talk.join()
    await talk.advance(30)
    await talk.disconnect(talk.student.client)
    await talk.advance(61)
    ended = (await talk.consultant.event("CALL_ENDED")).data["call"]
    assert (ended["end_reason"], ended["talked_s"]) == ("lost", 30)
    recorded = await talk.consultant.event("CALL_DURATION_RECORDED")
    assert recorded.data["call"]["talked_s"] == 30


async def test_joining_after_the_60_s_is_refused_without_a_timer(world, talk, monkeypatch):
    async def fire_nothing() -> bool:
        return False

    await talk.join()
    await talk.disconnect(talk.student.client)
    monkeypatch.setattr(world.app.timers, "fire", fire_nothing)
    world.clock.advance(61)
    phone = await talk.student.device()
    await phone.enter(CALL)
    answer = await phone.ask(CALL, "join", {"call_id": talk.id})
    assert answer["error"]["code"] == "CALL_OVER"
    assert (await talk.consultant.event("CALL_ENDED")).data["call"]["status"] == "ended"


@pytest.mark.parametrize("joined", [0, 1])
async def test_a_call_not_joined_by_both_participants_ends_after_60_s(world, talk, joined):
    if joined:
        await talk.join(talk.student)
    await talk.advance(58)
    assert talk.call_events(talk.student) == ["INITIATED"]
    await talk.advance(3)
    ended = await end_of(talk)
    assert (ended["end_reason"], ended["started_at"], ended["talked_s"]) == ("unheld", None, 0)
    assert talk.call_events(talk.consultant) == ["INITIATED", "ENDED"]  # no duration
    assert (await talk.booking())["status"] == "approved"
    place = await talk.student.call(ROOM, "enter", booking_id=talk.booking_id)
    assert place["position"] == 1
    second = await talk.hour.admit(talk.booking_id)
    assert second["id"] != talk.id
    await until(lambda: talk.call_events(talk.student) == ["INITIATED", "ENDED", "INITIATED"])


async def test_joining_on_another_device_moves_the_call_to_it(world, talk):
    laptop = await talk.join_device(talk.student)
    await talk.join(talk.student)  # two devices of one user do not start a call
    assert (await talk.world.stored("CALL_STARTED")) == []
    assert await talk.open_stays() == 1
    assert (await laptop.event("moved")).data == {"call_id": talk.id}
    assert talk.student.events("moved") == []
    await talk.join(talk.consultant)
    await talk.advance(10)
    await laptop.close()
    await talk.advance(100)
    assert talk.call_events(talk.consultant) == ["INITIATED", "STARTED"]
    assert await talk.open_stays() == 2


async def test_leaving_applies_to_the_device_that_leaves(world, talk):
    laptop = await talk.join_device(talk.student)
    await talk.join()
    await talk.advance(20)
    left = await laptop.call(CALL, "leave", call_id=talk.id)  # the call moved to the phone before
    assert (left["status"], left["talked_s"]) == ("active", 0)
    assert talk.call_events(talk.consultant) == ["INITIATED", "STARTED"]
    left = await talk.student.call(CALL, "leave", call_id=talk.id)
    assert (left["status"], left["talked_s"]) == ("active", 20)
    assert (await talk.consultant.event("CALL_INTERRUPTED")).data == {"call": left}
    await talk.advance(15)
    await talk.join(talk.student)
    await talk.consultant.event("CALL_RESUMED")
    await talk.advance(5)
    await talk.consultant.call(CALL, "leave", call_id=talk.id)
    ended = await talk.student.call(CALL, "leave", call_id=talk.id)  # nobody is left
    assert (ended["end_reason"], ended["talked_s"]) == ("left", 25)
    await laptop.event("CALL_ENDED")


async def test_strangers_cannot_access_a_call(world, talk):
    await talk.join()
    eve = await world.person("eve", consultant=True)
    await eve.enter(CALL)
    missing = new_id(world.clock.now())
    for command in ("join", "leave", "end"):
        for call_id in (talk.id, missing):
            assert await refusal_of(eve, CALL, command, call_id=call_id) == "NOT_FOUND"
    for call_id, to in ((talk.id, talk.student.id), (missing, talk.student.id)):
        signal = {"call_id": call_id, "to": to, "data": {}}
        assert await refusal_of(eve, CALL, "signal", **signal) == "NOT_FOUND"
    await talk.student.call(CALL, "end", call_id=talk.id)
    await world.settle()
    assert [one for one in eve.client.heard if one.namespace == CALL] == []
    assert await talk.open_stays() == 0


async def test_a_refused_join_does_not_subscribe_to_signals(world, talk):
    stranger = await world.person("stranger")
    await stranger.enter(CALL)
    listened = world.app.rooms.counts()["listened"]
    assert await refusal_of(stranger, CALL, "join", call_id=talk.id) == "NOT_FOUND"
    assert world.app.rooms.counts()["listened"] == listened


async def test_a_signal_is_ephemeral_and_goes_to_the_joined_devices_of_its_recipient(world, talk):
    await talk.join()
    second = await talk.join_device(talk.consultant)
    idle = await talk.consultant.device()
    await idle.enter(CALL)  # connected, but not in the call
    offer = {"sdp": "v=0\r\n", "list": [1, None, "ü"]}
    payload = {"call_id": talk.id, "to": talk.consultant.id, "data": offer}
    assert await talk.student.call(CALL, "signal", **payload) == {}
    for device in (talk.consultant.client, second):
        ephemeral = await device.event("signal")
        assert ephemeral.data == {"call_id": talk.id, "from": talk.student.id, "data": offer}
        assert "seq" not in ephemeral.meta
    await second.call(CALL, "signal", call_id=talk.id, to=talk.student.id, data="answer")
    assert (await talk.student.event("signal")).data["data"] == "answer"
    assert len(talk.student.events("signal")) == 1

    await second.call(CALL, "leave", call_id=talk.id)
    await talk.student.call(CALL, "signal", **{**payload, "data": "to nobody"})
    await talk.join(talk.consultant)
    await talk.student.call(CALL, "signal", **{**payload, "data": "later"})
    await talk.consultant.event("signal", lambda data: data["data"] == "later")
    await talk.student.call(CALL, "end", call_id=talk.id)
    for device in (second, idle):
        await device.event("CALL_ENDED")
    assert len(talk.consultant.events("signal")) == 2
    assert len(second.events("signal")) == 1
    assert idle.events("signal") == []


async def test_refusals_of_signals(world, talk):
    await talk.join(talk.student)
    payload = {"call_id": talk.id, "to": talk.consultant.id, "data": 1}
    assert await talk.student.call(CALL, "signal", **payload) == {}  # the recipient has not joined
    stranger = new_id(world.clock.now())
    for to in (talk.student.id, stranger):
        assert (
            await refusal_of(talk.student, CALL, "signal", **{**payload, "to": to}) == "NOT_FOUND"
        )
    too_large = {**payload, "data": "x" * 20_000}
    assert await refusal_of(talk.student, CALL, "signal", **too_large) == "INVALID"
    await talk.student.call(CALL, "end", call_id=talk.id)
    assert await refusal_of(talk.student, CALL, "signal", **payload) == "NOT_FOUND"
    assert talk.consultant.events("signal") == []


@both_databases
async def test_cancelling_a_booking_ends_its_call(world, talk):
    await talk.join()
    await talk.student.call("/booking", "cancel", booking_id=talk.booking_id)
    ended = await end_of(talk)
    assert ended["status"] == "ended"
    await world.settle()
    assert (await talk.booking())["status"] == "cancelled"


async def test_a_call_that_outlasts_its_block_completes_the_booking_when_it_ends(world, talk):
    await talk.join()
    await talk.advance(61 * 60)
    assert (await talk.booking())["status"] == "approved"
    await talk.student.call(CALL, "end", call_id=talk.id)
    await world.settle()
    assert (await talk.booking())["status"] == "completed"


async def test_an_immediate_call_is_initiated_by_the_approval_and_can_be_joined(world):
    consultant = await world.person("cora", consultant=True)
    student = await world.person("ana")
    topic = await add_topic(consultant)
    await consultant.call("/availability", "set_available_now", available=True)
    await student.enter(CALL)
    booking = await student.call(
        "/booking", "request_now", consultant_id=consultant.id, topic_id=topic["id"]
    )
    await consultant.call("/booking", "approve", booking_id=booking["id"])
    call = (await student.event("CALL_INITIATED")).data["call"]
    assert call["booking_id"] == booking["id"]
    for one in (student, consultant):
        joined = await one.call(CALL, "join", call_id=call["id"])
    assert joined["status"] == "active"


async def test_an_ended_call_releases_the_leases_of_its_connections(world, talk, monkeypatch):
    monkeypatch.setattr("server.session.LEASES_MAX", 1)
    await talk.join()
    await talk.student.call(CALL, "end", call_id=talk.id)
    ben, booking_id = await talk.hour.waiting("ben")
    call = await talk.hour.admit(booking_id)
    for one in (ben, talk.consultant):
        joined = await one.call(CALL, "join", call_id=call["id"])
    assert joined["status"] == "active"


@pytest.mark.parametrize("database_kind", ["postgresql"], indirect=True)
async def test_cancelling_a_booking_does_not_end_a_call_that_is_already_ending(
    world, talk, database_url
):
    await talk.join()
    await ask_before_commit(
        database_url,
        "UPDATE calls SET status = 'ended' WHERE id = $1",
        talk.id,
        talk.student.call("/booking", "cancel", booking_id=talk.booking_id),
    )
    await world.settle()
    assert await world.stored("CALL_ENDED") == []  # the other transaction publishes it
    assert await world.stored("CALL_DURATION_RECORDED") == []


@pytest.mark.parametrize("database_kind", ["postgresql"], indirect=True)
async def test_joining_a_call_that_is_ending_is_refused(world, talk, database_url):
    refusal = await ask_before_commit(
        database_url,
        "UPDATE calls SET status = 'ended' WHERE id = $1",
        talk.id,
        refusal_of(talk.student, CALL, "join", call_id=talk.id),
    )
    assert refusal == "CALL_OVER"


async def current_of(client):
    answer = await client.call(CALL, "current")
    return answer["call"], answer["interrupted"]


async def test_current_returns_the_open_call_to_a_client_that_reconnects(world, talk):
    assert await current_of(talk.student) == (talk.call, False)
    stranger = await world.person("eve")
    assert await stranger.call(CALL, "current") == {"call": None, "interrupted": False, "seq": 0}
    joined = await talk.join()
    del joined["access"]
    await talk.advance(40)
    for one in talk.participants:
        assert await current_of(one) == ({**joined, "talked_s": 40}, False)
    await talk.disconnect(talk.student.client)
    interrupted = await talk.consultant.event("CALL_INTERRUPTED")
    await talk.advance(20)
    phone = await talk.student.device()
    await phone.enter(CALL)
    assert await current_of(phone) == (interrupted.data["call"], True)
    answer = await talk.consultant.call(CALL, "current")
    assert answer["seq"] == interrupted.meta["seq"]
    await phone.call(CALL, "end", call_id=talk.id)
    assert await current_of(phone) == (None, False)


async def test_current_ignores_an_overdue_call(world, talk, monkeypatch):
    async def fire_nothing() -> bool:
        return False

    monkeypatch.setattr(world.app.timers, "fire", fire_nothing)
    world.clock.advance(61)
    assert await current_of(talk.student) == (None, False)
    assert await world.stored("CALL_ENDED") == []


class RecordedStatement:
    """Records the statement of a storage function instead of executing it."""

    def all(self, shape, statement, **values):
        self.sql, self.values = str(statement), values
        return []


@one_database
async def test_listing_the_live_calls_of_a_user_uses_the_indexes_of_live_calls(world):
    """Runs only on SQLite, because PostgreSQL may choose any index for an empty table."""
    recorded = RecordedStatement()
    list_live_of_person(recorded, "somebody", 10)

    def explain(queries):
        query = text(f"EXPLAIN QUERY PLAN {recorded.sql}")
        return " ".join(queries.all(lambda *row: str(row[-1]), query, **recorded.values))

    plan = await world.transact(explain)
    assert "ix_calls_live_student_id" in plan, plan
    assert "ix_calls_live_consultant_id" in plan, plan


@both_databases
async def test_a_person_is_in_one_call_at_a_time_in_either_role(world, talk):
    await talk.join()
    dana = await world.person("dana", consultant=True)
    await dana.call("/availability", "set_available_now", available=True)
    topic = await add_topic(dana, "Law")
    ask = {"consultant_id": dana.id, "topic_id": topic["id"]}
    bookings = [await person.call("/booking", "request_now", **ask) for person in talk.participants]
    for booking, busy in zip(bookings, talk.participants, strict=True):
        with pytest.raises(Refused) as raised:
            await dana.call("/booking", "approve", booking_id=booking["id"])
        assert (raised.value.code, raised.value.details) == ("IN_CALL", {"user_id": busy.id})
    await talk.student.call(CALL, "end", call_id=talk.id)
    await dana.call("/booking", "approve", booking_id=bookings[0]["id"])


@pytest.mark.parametrize("database_kind", ["postgresql"], indirect=True)
async def test_two_calls_of_one_person_at_the_same_moment_become_one(world):
    student = await world.person("sam")
    approvals = []
    for name in ("clara", "dana", "eva"):
        consultant = await world.person(name, consultant=True)
        await consultant.call("/availability", "set_available_now", available=True)
        topic = await add_topic(consultant)
        ask = {"consultant_id": consultant.id, "topic_id": topic["id"]}
        booking = await student.call("/booking", "request_now", **ask)
        approvals.append(
            consultant.client.ask("/booking", "approve", {"booking_id": booking["id"]})
        )
        await consultant.enter("/booking")
    codes = [one["ok"] or one["error"]["code"] for one in await asyncio.gather(*approvals)]
    assert sorted(codes, key=str) == ["IN_CALL", "IN_CALL", True]
