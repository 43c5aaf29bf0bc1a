"""A server that is killed in the middle of a call bills nothing that it did not confirm."""

import sqlite3
from datetime import datetime

import pytest

from tests.consulting.call.scenes import CALL
from tests.world import Process, add_topic, until


async def call_on(process: Process):
    """Two people who talk, by a request of right now."""
    consultant, student = await process.sign_up("cora"), await process.sign_up("ana")
    await consultant.call(
        "/consultants",
        "become",
        about_me="I listen.",
        languages=["en"],
        country="DE",
        time_zone="UTC",
    )
    topic = await add_topic(consultant)
    await consultant.call("/availability", "set_available_now", available=True)
    asked = await student.call(
        "/booking", "request_now", consultant_id=consultant.id, topic_id=topic["id"]
    )
    await student.enter(CALL)
    await consultant.call("/booking", "approve", booking_id=asked["id"])
    call = (await student.event("CALL_INITIATED")).data["call"]
    for one in (student, consultant):
        call = await one.call(CALL, "join", call_id=call["id"])
    return student, consultant, call


def confirmed_at(database_url: str) -> datetime:
    """When the server said last that it lives."""
    with sqlite3.connect(database_url.removeprefix("sqlite:///")) as database:
        (moment,) = database.execute("SELECT max(confirmed_at) FROM instances").fetchone()
    return datetime.fromisoformat(moment.replace(" ", "T")).replace(tzinfo=None)


def moment(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=None)


@pytest.mark.parametrize("database_kind", ["sqlite"], indirect=True)
@pytest.mark.settings(PARLEY_CALL_LOST_S="2")
async def test_a_killed_server_counts_up_to_its_last_sign_of_life(process, database_url):
    student, consultant, call = await call_on(process)
    started_at = moment(call["started_at"])
    await until(lambda: confirmed_at(database_url) > started_at)
    process.kill()
    confirmed_s = (confirmed_at(database_url) - started_at).total_seconds()
    await process.start()

    for one in (student, consultant):
        one.client = await one.device()
        await one.enter(CALL, since={f"user:{one.id}": 2})  # INITIATED and STARTED were heard
    for one in (student, consultant):
        interrupted = (await one.event("CALL_INTERRUPTED")).data["call"]
        assert interrupted["talked_s"] == int(confirmed_s)
        over = (await one.event("CALL_ENDED")).data["call"]  # nobody came back in time
        assert over["talked_s"] == int(confirmed_s)
        recorded = (await one.event("CALL_DURATION_RECORDED")).data["call"]
        assert recorded == over
    await until(lambda: _has_status(consultant, call["booking_id"], "completed"))


async def _has_status(person, booking_id, status):
    booking = await person.call("/booking", "get", booking_id=booking_id)
    return booking["status"] == status
