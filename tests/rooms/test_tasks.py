"""Tasks end with their owner, even if a library loses their cancellation."""

import asyncio

import pytest

from rooms import tasks
from rooms.tasks import Tasks


@pytest.fixture(autouse=True)
def soon(monkeypatch):
    monkeypatch.setattr(tasks, "CANCEL_AGAIN_S", 0.01)


async def fail() -> None:
    raise ConnectionError


async def listen_for_ever(started: asyncio.Event) -> None:
    """Loses a cancellation as a group of tasks does when a task of it fails at the same moment."""
    while True:
        try:
            async with asyncio.TaskGroup() as group:
                failing = group.create_task(fail())
                failing.add_done_callback(lambda _: started.set())
                await asyncio.Event().wait()
        except* ConnectionError:
            await asyncio.Event().wait()


async def test_a_task_whose_cancellation_was_lost_is_cancelled_again():
    lost = 0

    async def keep_on() -> None:
        nonlocal lost
        while True:
            try:
                await asyncio.Event().wait()
            except asyncio.CancelledError:
                lost += 1
                if lost == 3:
                    raise

    owner = Tasks()
    owner.spawn(keep_on())
    await asyncio.sleep(0)
    async with asyncio.timeout(2):
        await owner.end()
    assert (lost, len(owner)) == (3, 0)


async def test_a_failure_at_the_moment_of_the_end_keeps_no_task_alive():
    owner, started = Tasks(), asyncio.Event()
    owner.spawn(listen_for_ever(started))
    await started.wait()
    async with asyncio.timeout(2):
        await owner.end()
    assert len(owner) == 0


async def test_the_failure_of_a_task_does_not_stop_the_end_of_others():
    owner = Tasks()
    failed, waiting = owner.spawn(fail()), owner.spawn(asyncio.Event().wait())
    await owner.end()
    assert failed.done()
    assert waiting.cancelled()
