"""A connection's thread runs functions in order, one at a time, and ends when it is closed."""

import asyncio
import sqlite3
import threading
from collections.abc import AsyncIterator

import pytest

from storage.engine.threads import Threaded
from tests.world import until


def connect() -> sqlite3.Connection:
    return sqlite3.connect(":memory:", check_same_thread=False)


def refuse() -> sqlite3.Connection:
    raise sqlite3.OperationalError("unable to open database file")


def raising(error: BaseException):
    def work(connection: sqlite3.Connection) -> None:
        raise error

    return work


def threads() -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if thread.name == "sqlite"]


@pytest.fixture
async def threaded() -> AsyncIterator[Threaded]:
    threaded = Threaded(connect)
    await threaded.open()
    yield threaded
    await threaded.close()


async def test_functions_run_in_order_on_their_own_thread(threaded):
    ran: list[tuple[int, threading.Thread]] = []

    def work(connection: sqlite3.Connection, number: int, *, twice: bool) -> int:
        ran.append((number, threading.current_thread()))
        return number * 2 if twice else number

    given = await asyncio.gather(*(threaded.in_thread(work, n, twice=n > 4) for n in range(10)))
    assert given == [0, 1, 2, 3, 4, 10, 12, 14, 16, 18]
    assert [number for number, _ in ran] == list(range(10))
    assert {thread for _, thread in ran} == set(threads())


async def test_a_caller_gets_the_exception_and_the_next_function_runs(threaded):
    with pytest.raises(sqlite3.IntegrityError, match="twice"):
        await threaded.in_thread(raising(sqlite3.IntegrityError("twice")))
    assert await threaded.in_thread(lambda connection: 7) == 7


async def test_a_function_that_raises_stop_iteration_does_not_hang(threaded):
    async with asyncio.timeout(5):
        with pytest.raises(RuntimeError, match="StopIteration"):
            await threaded.in_thread(raising(StopIteration()))


async def test_a_cancelled_caller_does_not_block_the_thread(threaded):
    errors: list[dict] = []
    asyncio.get_running_loop().set_exception_handler(lambda loop, about: errors.append(about))
    release = threading.Event()
    waiting = asyncio.create_task(threaded.in_thread(lambda connection: release.wait(5)))
    await asyncio.sleep(0)
    waiting.cancel()
    behind = asyncio.create_task(threaded.in_thread(lambda connection: "behind it"))
    release.set()
    assert await behind == "behind it"
    assert waiting.cancelled()
    assert errors == []


async def test_closing_runs_waiting_functions_then_ends_the_thread():
    threaded = Threaded(connect)
    await threaded.open()
    waiting = asyncio.create_task(threaded.in_thread(lambda connection: "in time"))
    await asyncio.sleep(0)
    await threaded.close()
    await threaded.close()
    assert await waiting == "in time"
    with pytest.raises(sqlite3.ProgrammingError):
        threaded.connection.execute("SELECT 1")
    with pytest.raises(ValueError, match="closed"):
        await threaded.in_thread(lambda connection: 1)
    await until(lambda: not threads())


async def test_a_failed_open_raises_and_leaves_no_thread():
    threaded = Threaded(refuse)
    with pytest.raises(sqlite3.OperationalError):
        await threaded.open()
    with pytest.raises(ValueError, match="closed"):
        await threaded.in_thread(lambda connection: 1)
    await until(lambda: not threads())
