"""A call begins when both are in, bears a lost connection for a while, and ends once."""

import pytest
from sqlalchemy import text

from handlers.kit.ids import new_id
from storage.consulting.call import list_live_of_person
from tests.consulting.call.scenes import CALL, talk_of
from tests.consulting.waiting_room.scenes import ROOM, ask_before_commit, refusal_of
from tests.world import add_topic, both_databases, one_database, until

VIEW = {"id", "booking_id", "consultant_id", "student_id", "status", "provider", "ice_servers"}
VIEW |= {"started_at", "ended_at", "talked_s"}


@pytest.fixture
async def talk(world):
    return await talk_of(world)


async def ended(talk):
    """What both heard of the end."""
    for one in talk.parties:
        await one.event("CALL_ENDED")
    return (await talk.student.event("CALL_ENDED")).data["call"]


@pytest.mark.settings(
    PARLEY_ICE_SERVERS='[{"urls":["turn:turn.example.org"],"username":"u","credential":"c"}]'
)
async def test_a_call_from_its_beginning_to_its_end(world, talk):
    call = talk.call
    assert set(call) == VIEW
    assert (call["status"], call["started_at"], call["ended_at"]) == ("initiated", None, None)
    assert (call["provider"], call["talked_s"]) == ("browser", 0)
    assert call["ice_servers"] == [
        {"urls": ["turn:turn.example.org"], "username": "u", "credential": "c"}
    ]
    assert (await talk.join(talk.student))["status"] == "initiated"  # one is not enough
    started = await talk.join(talk.consultant)
    assert started["status"] == "active"
    assert started["started_at"]
    world.clock.advance(90)
    over = await talk.student.call(CALL, "end", call_id=talk.id)
    assert (over["status"], over["started_at"]) == ("ended", started["started_at"])
    assert over["talked_s"] == 90
    assert over["ended_at"] > over["started_at"]
    await world.settle()
    for one in talk.parties:
        assert (await one.event("CALL_INITIATED")).data == {"call": call}
        assert (await one.event("CALL_STARTED")).data == {"call": started}
        assert (await one.event("CALL_ENDED")).data == {"call": over}
        assert (await one.event("CALL_DURATION_RECORDED")).data == {"call": over}
        assert talk.heard(one) == ["INITIATED", "STARTED", "ENDED", "DURATION_RECORDED"]
        heard = [heard.meta for heard in one.client.heard if heard.namespace == CALL]
        assert {meta["room"] for meta in heard} == {f"user:{one.id}"}
        first = heard[0]["seq"]
        assert [meta["seq"] for meta in heard] == list(range(first, first + 4))
    assert (await talk.booking())["status"] == "completed"
    assert await talk.student.call(CALL, "end", call_id=talk.id) == over  # it ends once
    assert await talk.student.call(CALL, "leave", call_id=talk.id) == over
    assert await refusal_of(talk.student, CALL, "join", call_id=talk.id) == "CALL_OVER"
    assert talk.heard(talk.student).count("ENDED") == 1


async def test_a_lost_party_interrupts_a_call_and_resumes_it(world, talk):
    await talk.join()
    await talk.later(30)
    await talk.lose(talk.student.client)
    interrupted = (await talk.consultant.event("CALL_INTERRUPTED")).data["call"]
    assert (interrupted["status"], interrupted["talked_s"]) == ("active", 30)
    await talk.later(58)
    phone = await talk.student.device()
    await phone.enter(CALL)
    assert talk.heard(talk.consultant)[-1] == "INTERRUPTED"  # reconnecting is not joining
    resumed = await phone.call(CALL, "join", call_id=talk.id)
    assert (await talk.consultant.event("CALL_RESUMED")).data == {"call": resumed}
    assert (await phone.event("CALL_RESUMED")).data == {"call": resumed}
    await talk.later(100)  # the wait for the lost one is over with their return
    assert talk.heard(talk.consultant)[-1] == "RESUMED"
    over = await phone.call(CALL, "end", call_id=talk.id)
    assert over["talked_s"] == 130


async def test_a_party_lost_for_60_s_ends_the_call(world, talk):
    await talk.join()
    await talk.later(30)
    await talk.lose(talk.student.client)
    await talk.later(61)
    over = (await talk.consultant.event("CALL_ENDED")).data["call"]
    assert (over["status"], over["talked_s"]) == ("ended", 30)
    recorded = await talk.consultant.event("CALL_DURATION_RECORDED")
    assert recorded.data["call"]["talked_s"] == 30
    assert (await talk.hour.consultant.call("/booking", "get", booking_id=talk.booking_id))[
        "status"
    ] == "completed"


async def test_who_comes_after_the_60_s_finds_the_call_over_even_if_no_timer_ran(
    world, talk, monkeypatch
):
    async def never() -> bool:
        return False

    await talk.join()
    await talk.lose(talk.student.client)
    monkeypatch.setattr(world.app.timers, "fire", never)
    world.clock.advance(61)
    phone = await talk.student.device()
    await phone.enter(CALL)
    answer = await phone.ask(CALL, "join", {"call_id": talk.id})
    assert answer["error"]["code"] == "CALL_OVER"
    assert (await talk.consultant.event("CALL_ENDED")).data["call"]["status"] == "ended"


@pytest.mark.parametrize("joined", [0, 1])
async def test_a_call_that_not_both_join_ends_unheld_after_60_s(world, talk, joined):
    if joined:
        await talk.join(talk.student)
    await talk.later(58)
    assert talk.heard(talk.student) == ["INITIATED"]
    await talk.later(3)
    over = await ended(talk)
    assert (over["status"], over["started_at"], over["talked_s"]) == ("ended", None, 0)
    assert talk.heard(talk.consultant) == ["INITIATED", "ENDED"]  # no duration of nothing
    assert (await talk.booking())["status"] == "approved"
    place = await talk.student.call(ROOM, "enter", booking_id=talk.booking_id)
    assert place["position"] == 1
    again = await talk.hour.admit(talk.booking_id)
    assert again["id"] != talk.id
    await until(lambda: talk.heard(talk.student) == ["INITIATED", "ENDED", "INITIATED"])


async def test_several_devices_are_one_party(world, talk):
    laptop = await talk.joined_device(talk.student)
    await talk.join(talk.student)  # twice the same person does not start a call
    assert (await talk.world.stored("CALL_STARTED")) == []
    await talk.join(talk.consultant)
    await talk.later(10)
    await talk.lose(talk.student.client)  # the laptop is still there
    await talk.later(100)
    assert talk.heard(talk.consultant) == ["INITIATED", "STARTED"]
    left = await laptop.call(CALL, "leave", call_id=talk.id)
    assert (left["status"], left["talked_s"]) == ("active", 110)
    assert (await talk.consultant.event("CALL_INTERRUPTED")).data == {"call": left}


async def test_leaving_is_with_all_devices_and_the_last_one_ends_the_call(world, talk):
    laptop = await talk.joined_device(talk.student)
    await talk.join()
    await talk.later(20)
    left = await talk.student.call(CALL, "leave", call_id=talk.id)
    assert left["status"] == "active"
    await talk.consultant.event("CALL_INTERRUPTED")
    await talk.later(15)
    await talk.join(talk.student)
    await talk.consultant.event("CALL_RESUMED")
    await talk.later(5)
    await talk.consultant.call(CALL, "leave", call_id=talk.id)
    over = await talk.student.call(CALL, "leave", call_id=talk.id)  # nobody is left
    assert (over["status"], over["talked_s"]) == ("ended", 25)
    await laptop.event("CALL_ENDED")
    await world.settle()
    assert (await talk.booking())["status"] == "completed"


async def test_a_call_is_none_of_anybody_elses_business(world, talk):
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


async def test_who_is_refused_hears_no_signal(world, talk):
    stranger = await world.person("stranger")
    await stranger.enter(CALL)
    listened = world.app.rooms.counts()["listened"]
    assert await refusal_of(stranger, CALL, "join", call_id=talk.id) == "NOT_FOUND"
    assert world.app.rooms.counts()["listened"] == listened


async def test_a_signal_is_said_ephemerally_to_the_named_participants_joined_devices(world, talk):
    await talk.join()
    second = await talk.joined_device(talk.consultant)
    idle = await talk.consultant.device()
    await idle.enter(CALL)  # there, and not in the call
    offer = {"sdp": "v=0\r\n", "list": [1, None, "ü"]}
    said = {"call_id": talk.id, "to": talk.consultant.id, "data": offer}
    assert await talk.student.call(CALL, "signal", **said) == {}
    for device in (talk.consultant.client, second):
        ephemeral = await device.event("signal")
        assert ephemeral.data == {"call_id": talk.id, "from": talk.student.id, "data": offer}
        assert "seq" not in ephemeral.meta
    await second.call(CALL, "signal", call_id=talk.id, to=talk.student.id, data="answer")
    assert (await talk.student.event("signal")).data["data"] == "answer"
    assert len(talk.student.events("signal")) == 1

    await second.call(CALL, "leave", call_id=talk.id)
    await talk.student.call(CALL, "signal", **{**said, "data": "to nobody"})
    await talk.join(talk.consultant)
    await talk.student.call(CALL, "signal", **{**said, "data": "later"})
    await talk.consultant.event("signal", lambda data: data["data"] == "later")
    await talk.student.call(CALL, "end", call_id=talk.id)
    for device in (second, idle):
        await device.event("CALL_ENDED")
    assert len(talk.consultant.events("signal")) == 2
    assert len(second.events("signal")) == 1
    assert idle.events("signal") == []


async def test_signals_that_are_refused(world, talk):
    await talk.join(talk.student)
    ask = {"call_id": talk.id, "to": talk.consultant.id, "data": 1}
    assert await talk.student.call(CALL, "signal", **ask) == {}  # nobody is there to hear it
    stranger = new_id(world.clock.now())
    for to in (talk.student.id, stranger):
        assert await refusal_of(talk.student, CALL, "signal", **{**ask, "to": to}) == "NOT_FOUND"
    big = {**ask, "data": "x" * 20_000}
    assert await refusal_of(talk.student, CALL, "signal", **big) == "INVALID"
    await talk.student.call(CALL, "end", call_id=talk.id)
    assert await refusal_of(talk.student, CALL, "signal", **ask) == "NOT_FOUND"
    assert talk.consultant.events("signal") == []


@both_databases
async def test_a_booking_that_is_called_off_ends_its_call(world, talk):
    await talk.join()
    await talk.student.call("/booking", "cancel", booking_id=talk.booking_id)
    over = await ended(talk)
    assert over["status"] == "ended"
    await world.settle()
    assert (await talk.booking())["status"] == "cancelled"


async def test_a_call_that_outlasts_its_block_completes_the_booking_when_it_ends(world, talk):
    await talk.join()
    await talk.later(61 * 60)
    assert (await talk.booking())["status"] == "approved"
    await talk.student.call(CALL, "end", call_id=talk.id)
    await world.settle()
    assert (await talk.booking())["status"] == "completed"


async def test_approving_a_request_of_now_initiates_its_call(world):
    consultant = await world.person("cora", consultant=True)
    student = await world.person("ana")
    topic = await add_topic(consultant)
    await consultant.call("/availability", "set_available_now", available=True)
    await student.enter(CALL)
    asked = await student.call(
        "/booking", "request_now", consultant_id=consultant.id, topic_id=topic["id"]
    )
    await consultant.call("/booking", "approve", booking_id=asked["id"])
    call = (await student.event("CALL_INITIATED")).data["call"]
    assert call["booking_id"] == asked["id"]
    for one in (student, consultant):
        joined = await one.call(CALL, "join", call_id=call["id"])
    assert joined["status"] == "active"


async def test_calls_that_are_over_are_no_limit_to_who_stays_connected(world, talk, monkeypatch):
    monkeypatch.setattr("server.session.LEASES_MAX", 1)
    await talk.join()
    await talk.student.call(CALL, "end", call_id=talk.id)
    ben, booking_id = await talk.hour.waiting("ben")
    call = await talk.hour.admit(booking_id)
    for one in (ben, talk.consultant):
        joined = await one.call(CALL, "join", call_id=call["id"])
    assert joined["status"] == "active"


@pytest.mark.parametrize("database_kind", ["postgresql"], indirect=True)
async def test_a_call_that_is_just_ending_is_not_ended_again_with_its_booking(
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
    assert await world.stored("CALL_ENDED") == []  # whoever ended it says so
    assert await world.stored("CALL_DURATION_RECORDED") == []


@pytest.mark.parametrize("database_kind", ["postgresql"], indirect=True)
async def test_a_call_that_is_just_ending_is_not_joined(world, talk, database_url):
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


async def test_a_page_that_is_loaded_again_finds_its_open_call(world, talk):
    assert await current_of(talk.student) == (talk.call, False)
    stranger = await world.person("eve")
    assert await stranger.call(CALL, "current") == {"call": None, "interrupted": False, "seq": 0}
    joined = await talk.join()
    await talk.later(40)
    for one in talk.parties:
        assert await current_of(one) == ({**joined, "talked_s": 40}, False)
    await talk.lose(talk.student.client)
    interrupted = await talk.consultant.event("CALL_INTERRUPTED")
    await talk.later(20)
    phone = await talk.student.device()
    await phone.enter(CALL)
    assert await current_of(phone) == (interrupted.data["call"], True)
    answer = await talk.consultant.call(CALL, "current")
    assert answer["seq"] == interrupted.meta["seq"]
    await phone.call(CALL, "end", call_id=talk.id)
    assert await current_of(phone) == (None, False)


async def test_a_call_whose_time_is_over_is_nobodys_current_one(world, talk, monkeypatch):
    async def never() -> bool:
        return False

    monkeypatch.setattr(world.app.timers, "fire", never)
    world.clock.advance(61)
    assert await current_of(talk.student) == (None, False)
    assert await world.stored("CALL_ENDED") == []


class Asked:
    """Keeps the statement that a storage function asks, instead of asking it."""

    def all(self, shape, statement, **values):
        self.sql, self.values = str(statement), values
        return []


@one_database
async def test_ones_live_calls_are_found_by_the_indexes_of_live_calls(world):
    """On an empty table, PostgreSQL could choose any index."""
    asked = Asked()
    list_live_of_person(asked, "somebody", 10)

    def explain(queries):
        words = text(f"EXPLAIN QUERY PLAN {asked.sql}")
        return " ".join(queries.all(lambda *row: str(row[-1]), words, **asked.values))

    plan = await world.transact(explain)
    assert "ix_calls_live_student_id" in plan, plan
    assert "ix_calls_live_consultant_id" in plan, plan
