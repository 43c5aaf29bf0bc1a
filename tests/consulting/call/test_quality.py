"""The quality of connections: reports, their words, events, sums, limits and retention."""

from datetime import timedelta

import pytest

from handlers.consulting.call.quality import BAD, POOR
from storage.consulting.call.quality import forget_quality, list_quality
from tests.consulting.call.access import GOOD
from tests.consulting.call.scenes import CALL, talk_of
from tests.consulting.waiting_room.scenes import refusal_of
from tests.world import both_databases, with_server


@pytest.fixture
async def talk(world):
    talk = await talk_of(world)
    await talk.join()
    return talk


async def report(talk, person, **numbers):
    """Report a good connection, except for these numbers; returns the word."""
    ask = {**GOOD, **numbers, "call_id": talk.id}
    return (await person.call(CALL, "report_quality", **ask))["quality"]


@both_databases
async def test_both_are_told_when_the_word_for_a_connection_changes_and_only_then(talk):
    words = [{}, {"loss": 0.05}, {"loss": 0.06}, {"loss": 0.5}, {"loss": 0.04}, {}, {}]
    told = [await report(talk, talk.student, **numbers) for numbers in words]
    assert told == ["good", "poor", "poor", "bad", "poor", "good", "good"]
    await talk.world.settle()
    for person in talk.participants:
        heard = [event.data for event in person.events("CALL_QUALITY_REPORTED")]
        assert [one["quality"] for one in heard] == ["poor", "bad", "poor", "good"]
        assert heard[0] == {"call_id": talk.id, "user_id": talk.student.id, "quality": "poor"}


@pytest.mark.parametrize(("limits", "word"), [(POOR, "poor"), (BAD, "bad")])
async def test_each_number_alone_can_make_a_connection_poor_or_bad(talk, limits, word):
    for name, value in limits.items():
        assert await report(talk, talk.student, **{name: value}) == word
        less = value - (0.001 if name == "loss" else 1)
        assert await report(talk, talk.student, **{name: less}) != word


async def test_the_report_is_kept_with_the_call_for_both(talk):
    await report(talk, talk.student, loss=0.1, jitter_ms=10, path="relay", freezes=2)
    await report(talk, talk.student, loss=0.0, jitter_ms=20, path="relay", received_kbps=100)
    await report(talk, talk.consultant)
    await talk.student.call(CALL, "end", call_id=talk.id)
    seen = [await one.call(CALL, "quality", call_id=talk.id) for one in talk.participants]
    assert seen[0] == seen[1]
    by_user = {one["user_id"]: one for one in seen[0]["connections"]}
    assert by_user[talk.consultant.id]["reports"] == 1
    theirs = by_user[talk.student.id]
    assert (theirs["reports"], theirs["poor"], theirs["bad"]) == (2, 0, 1)
    assert (theirs["loss"], theirs["loss_max"]) == (0.05, 0.1)
    assert (theirs["jitter_ms"], theirs["jitter_ms_max"], theirs["freezes"]) == (15, 20, 2)
    assert (theirs["received_kbps"], theirs["path"], theirs["quality"]) == (500, "relay", "good")


async def test_reports_add_no_rows(talk):
    for _ in range(20):
        await report(talk, talk.student)
    assert [row.reports for row in await talk.world.read(list_quality, talk.id)] == [20]


@pytest.mark.parametrize(
    "numbers",
    [
        {"loss": -0.1},
        {"loss": 1.1},
        {"jitter_ms": -1},
        {"jitter_ms": 60_001},
        {"round_trip_ms": 1.5},
        {"received_kbps": 1_000_001},
        {"sent_kbps": -1},
        {"freezes": 1_001},
        {"path": "tunnel"},
        {"freezes": None},
    ],
)
async def test_a_report_out_of_range_is_refused_and_changes_nothing(talk, numbers):
    ask = {**GOOD, **numbers, "call_id": talk.id}
    assert await refusal_of(talk.student, CALL, "report_quality", **ask) == "INVALID"
    assert await talk.world.read(list_quality, talk.id) == []


async def test_only_the_users_of_an_active_call_can_report_and_read(talk):
    stranger = await talk.world.person("eve")
    ask = {**GOOD, "call_id": talk.id}
    assert await refusal_of(stranger, CALL, "report_quality", **ask) == "NOT_FOUND"
    assert await refusal_of(stranger, CALL, "quality", call_id=talk.id) == "NOT_FOUND"
    await talk.student.call(CALL, "end", call_id=talk.id)
    assert await refusal_of(talk.student, CALL, "report_quality", **ask) == "CALL_OVER"


@with_server
@pytest.mark.settings(PARLEY_LIMITS="default")
async def test_reports_have_a_rate_and_are_summed_up_for_operators(talk):
    for _ in range(3):
        await report(talk, talk.student, loss=0.2, path="relay")
    ask = {**GOOD, "call_id": talk.id}
    assert await refusal_of(talk.student, CALL, "report_quality", **ask) == "RATE_LIMITED"
    metrics = await talk.world.metrics()
    assert metrics['parley_reported_total{what="call_quality",word="bad"}'] == 3
    assert metrics['parley_reported_total{what="call_path",word="relay"}'] == 3


@both_databases
async def test_the_quality_is_forgotten_with_time(talk):
    for person in talk.participants:
        await report(talk, person)
    now = talk.world.clock.now()
    assert await talk.world.transact(forget_quality, now, 10) == 0
    assert await talk.world.transact(forget_quality, now + timedelta(seconds=1), 1) == 1
    assert await talk.world.transact(forget_quality, now + timedelta(seconds=1), 10) == 1
