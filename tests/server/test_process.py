"""A real process: it stops in order, recovers from a kill, and survives database outages."""

import asyncio

import aiohttp
import pytest
from sqlalchemy import select

from storage.engine.database import Queries, open_database
from storage.events.deliveries import count_waiting
from storage.events.timers import timers
from tests.kit.proxy import Proxy
from tests.wire_client import Refused
from tests.world import Process, both_databases, until

pytestmark = both_databases


async def ready(process: Process) -> int:
    """The HTTP status of its readiness."""
    async with (
        aiohttp.ClientSession() as http,
        http.get(f"{process.url}/health/ready") as answer,
    ):
        return answer.status


async def test_a_signal_stops_a_process_in_order_and_it_starts_again(process):
    ana = await process.sign_up("ana")
    await ana.enter("/profile")
    assert await asyncio.to_thread(process.stop) == 0
    async with asyncio.timeout(2):
        await ana.client.closed.wait()
    assert "Traceback" not in process.log
    await process.start()
    assert (await ana.device()) is not None
    back = await ana.device()
    await back.enter("/profile")
    assert (await back.call("/profile", "me"))["id"] == ana.id


async def test_acknowledged_changes_survive_a_kill(process):
    ana = await process.sign_up("ana")
    await ana.enter("/profile")
    for number in range(20):
        await ana.call("/profile", "update", first_name=f"Ana {number}")
        if number == 19:
            process.kill()
    await process.start()
    back = await ana.device()
    await back.enter("/profile")
    assert (await back.call("/profile", "me"))["first_name"] == "Ana 19"


_RETRY = select(timers.c.key).where(timers.c.name == "platform.DISPATCH_DUE")


def waits_for_its_next_try(queries: Queries) -> bool:
    """Whether the mail is not being sent, but waits for a timer."""
    return bool(queries.scalars(_RETRY)) and not count_waiting(queries)


@pytest.mark.settings(PARLEY_MAIL_URL="smtp://127.0.0.1:1", PARLEY_MAIL_BACKOFF_S="0.5")
async def test_a_mail_that_could_not_be_sent_before_a_kill_is_sent_after_it(process, database_url):
    database = open_database(database_url)
    await database.start()
    stranger = await process.connect()
    await stranger.enter("/signup")
    await stranger.call("/signup", "start", email="ana@example.org")
    await until(lambda: database.read(waits_for_its_next_try))
    await database.stop()
    process.kill()
    process.environ["PARLEY_MAIL_URL"] = "file:"
    await process.start()
    assert await process.mails.pincode("ana@example.org")


class TestWhenPostgresIsAway:
    """The same process, with its database behind a TCP proxy that is cut."""

    @pytest.fixture(params=["postgresql"])
    def database_kind(self, request):
        return request.param

    @pytest.fixture
    async def wire(self, database_url):
        wire = Proxy(database_url)
        await wire.mend()
        yield wire
        await wire.cut()

    @pytest.fixture
    async def distant(self, wire, process_of):
        return await process_of(wire.url)

    async def test_without_a_database_a_process_is_unready_and_recovers_by_itself(
        self, distant, wire
    ):
        ana = await distant.sign_up("ana")
        await ana.enter("/profile")
        await wire.cut()
        assert await ready(distant) == 503
        for command in ("me", "update"):
            with pytest.raises(Refused) as refused:
                await ana.call("/profile", command)
            assert refused.value.code == "UNAVAILABLE"
        await asyncio.sleep(1.5)  # longer than the interval of the rooms' sweep
        await wire.mend()
        await until(lambda: recovered(ana))
        await until(lambda: is_ready(distant))
        await ana.call("/profile", "update", first_name="Bea")
        await ana.event("USER_UPDATED", lambda data: data["user"]["first_name"] == "Bea")
        assert "Traceback" not in distant.log

    async def test_a_process_without_a_database_stops_on_sigterm(self, distant, wire):
        await wire.cut()
        assert await asyncio.to_thread(distant.stop) == 0
        assert "Traceback" not in distant.log


async def recovered(person) -> bool:
    answer = await person.client.ask("/profile", "update", {"first_name": "Ana"})
    return bool(answer["ok"])


async def is_ready(process: Process) -> bool:
    return await ready(process) == 200
