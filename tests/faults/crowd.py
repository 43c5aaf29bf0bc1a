"""A crowd that is connected, and then gone at once: `python -m tests.faults.crowd 10000`.

The crowd is a process of its own, which is killed: the kernel then closes all its connections. What
is measured is the longest time for which the server's loop did nothing else.
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

CONVERSATION = 20
"""So many people are in each conversation."""
TICK_S = 0.002
WITHIN_S = 300.0


class Watch:
    """Looks at how long the loop is busy with something else.

    What counts is the time of this process: of a machine that is shared others take some too.
    """

    def __init__(self) -> None:
        self.longest_s = 0.0
        self._collections = full_collections()
        self._task = asyncio.ensure_future(self._look())

    async def _look(self) -> None:
        while True:
            before = process_time()
            await asyncio.sleep(TICK_S)
            self.longest_s = max(self.longest_s, process_time() - before)

    def stop(self) -> str:
        self._task.cancel()
        collections = full_collections() - self._collections
        return f"stalled for {self.longest_s * 1000:.0f} ms, {collections} full collections"


def full_collections() -> int:
    """How often Python has looked through everything for what nobody can reach any more."""
    return int(gc.get_stats()[-1]["collections"])


async def scatter(world: World, people: int, folder: Path) -> str:
    """Let so many people come, and go at once; for how long that stalled the loop at most.

    It ends when everything about them is done: rooms left, presence told.
    """
    lines = folder / "people"
    await make_fixture(world.app, people, people // CONVERSATION, lines)
    crowd = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "tests.faults.visitors", str(world.port), str(lines)),
        cwd=ROOT,
        stdout=asyncio.subprocess.PIPE,
    )
    try:
        assert crowd.stdout is not None
        async with asyncio.timeout(WITHIN_S):
            assert await crowd.stdout.readline() == b"all are in\n"
        await until(lambda: not world.app.gate.presence._reporting, within_s=WITHIN_S)
        assert len(world.app.sockets.connections) == people
    finally:
        watch = Watch()
        crowd.kill()
        await crowd.wait()
    await until(lambda: not world.app.sockets.connections, within_s=WITHIN_S)
    await until(lambda: not world.app.gate.presence._reporting, within_s=WITHIN_S)
    return watch.stop()


async def main(people: int) -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        settings = settings_of(
            folder / "data", f"sqlite:///{folder}/parley.db", PARLEY_PRESENCE_GRACE_S="1"
        )
        world = await World(settings, MovableClock()).start()
        freeze_loaded_objects()  # as `run.py` does
        try:
            stalled = await scatter(world, people, folder)
        finally:
            await world.stop()
    print(f"{people} gone at once: {stalled}")  # noqa: T201


if __name__ == "__main__":
    uvloop.run(main(int(sys.argv[1])))
