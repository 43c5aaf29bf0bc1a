"""Measures a mass disconnect: `python -m tests.faults.crowd 10000`.

The clients run in a separate process, which is killed, so that the kernel closes all connections
at once. The result is the longest time for which the server's event loop was blocked.
"""

import asyncio
import gc
import sys
import tempfile
from pathlib import Path
from time import process_time

import uvloop

from server.fixture import make_fixture
from server.interpreter import freeze_loaded_objects
from tests.world import ROOT, MovableClock, World, settings_of, until

CONVERSATION_SIZE = 20
"""Users per conversation."""
TICK_S = 0.002
TIMEOUT_S = 300.0


class LoopMonitor:
    """Measures the longest time for which the event loop is blocked.

    It counts CPU time of this process, because other processes use the machine too.
    """

    def __init__(self) -> None:
        self.longest_s = 0.0
        self._collections = full_collections()
        self._task = asyncio.ensure_future(self._measure())

    async def _measure(self) -> None:
        while True:
            before = process_time()
            await asyncio.sleep(TICK_S)
            self.longest_s = max(self.longest_s, process_time() - before)

    def stop(self) -> str:
        self._task.cancel()
        collections = full_collections() - self._collections
        return f"stalled for {self.longest_s * 1000:.0f} ms, {collections} full collections"


def full_collections() -> int:
    """The number of full garbage collections so far."""
    return int(gc.get_stats()[-1]["collections"])


async def disconnect_all(world: World, people: int, folder: Path) -> str:
    """Connect many users, disconnect them all at once, and report how long the loop stalled.

    It ends when the cleanup is done: rooms are left, and presence is published.
    """
    lines = folder / "people"
    await make_fixture(world.app, people, people // CONVERSATION_SIZE, lines)
    crowd = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "tests.faults.visitors", str(world.port), str(lines)),
        cwd=ROOT,
        stdout=asyncio.subprocess.PIPE,
    )
    try:
        assert crowd.stdout is not None
        async with asyncio.timeout(TIMEOUT_S):
            assert await crowd.stdout.readline() == b"all are in\n"
        await until(lambda: not world.app.gate.presence._reporting, within_s=TIMEOUT_S)
        assert len(world.app.sockets.connections) == people
    finally:
        monitor = LoopMonitor()
        crowd.kill()
        await crowd.wait()
    await until(lambda: not world.app.sockets.connections, within_s=TIMEOUT_S)
    await until(lambda: not world.app.gate.presence._reporting, within_s=TIMEOUT_S)
    return monitor.stop()


async def main(people: int) -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        settings = settings_of(
            folder / "data", f"sqlite:///{folder}/parley.db", PARLEY_PRESENCE_GRACE_S="1"
        )
        world = await World(settings, MovableClock()).start()
        freeze_loaded_objects()  # as `run.py` does
        try:
            stalled = await disconnect_all(world, people, folder)
        finally:
            await world.stop()
    print(f"{people} gone at once: {stalled}")  # noqa: T201


if __name__ == "__main__":
    uvloop.run(main(int(sys.argv[1])))
