"""After a crash during a call, talked time counts only up to the server's last heartbeat."""

import sqlite3
from datetime import datetime

import pytest

from tests.consulting.call.scenes import CALL
from tests.world import Process, add_topic, until


async def start_call(process: Process):
    """Start a call from an immediate request; returns both participants and the call."""
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
    booking = await student.call(
        "/booking", "request_now", consultant_id=consultant.id, topic_id=topic["id"]
    )
    await student.enter(CALL)
    await consultant.call("/booking", "approve", booking_id=booking["id"])
    call = (await student.event("CALL_INITIATED")).data["call"]
    for one in (student, consultant):
        call = await one.call(CALL, "join", call_id=call["id"])
    return student, consultant, call


def last_heartbeat(database_url: str) -> datetime:
    """The time of the server's last heartbeat."""
    with sqlite3.connect(database_url.removeprefix("sqlite:///")) as database:
        (moment,) = database.execute("SELECT max(confirmed_at) FROM instances").fetchone()
    return datetime.fromisoformat(moment.replace(" ", "T")).replace(tzinfo=None)


def moment(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=None)


@pytest.mark.parametrize("database_kind", ["sqlite"], indirect=True)
@pytest.mark.settings(PARLEY_CALL_LOST_S="2")
async def test_talked_time_counts_up_to_the_last_heartbeat_of_a_killed_server(
    process, database_url
):
    student, consultant, call = await start_call(process)
    started_at = moment(call["started_at"])
    await until(lambda: last_heartbeat(database_url) > started_at)
    process.kill()
    counted_s = (last_heartbeat(database_url) - started_at).total_seconds()
    await process.start()

    for one in (student, consultant):
        one.client = await one.device()
        await one.enter(CALL, since={f"user:{one.id}": 2})  # after INITIATED and STARTED
    for one in (student, consultant):
        interrupted = (await one.event("CALL_INTERRUPTED")).data["call"]
        assert interrupted["talked_s"] == int(counted_s)
        ended = (await one.event("CALL_ENDED")).data["call"]  # nobody rejoined in time
        assert ended["talked_s"] == int(counted_s)
        recorded = (await one.event("CALL_DURATION_RECORDED")).data["call"]
        assert recorded == ended
