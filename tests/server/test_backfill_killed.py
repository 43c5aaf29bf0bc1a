"""A backfill continues after kill -9, and `run.py` explains refused commands."""

import os

import msgspec
import pytest
from sqlalchemy import select

from handlers.kit.transaction import Transaction
from storage.engine.database import Database, open_database
from storage.events import backfills
from storage.events.log import events
from tests.kit import probe as probes
from tests.kit.probe import ProbeSaid
from tests.parts.launcher import Launched, launch, run_to_end
from tests.world import SECRET, both_databases, environ_of, until

pytestmark = both_databases

LATECOMER = "latecomer.hear_it"
COUNT = 400
NOTED = select(events.c.data).where(events.c.name == "PROBE_NOTED")


@pytest.fixture
def domains():
    return (probes.probe,)


@pytest.fixture
def start(world, tmp_path):
    """`start()` starts another instance with one more consumer, as a separate process."""
    running: list[Launched] = []
    environ = environ_of(tmp_path / "data", world.settings.database_url)

    def start_one() -> Launched:
        environ["PATH"] = os.environ["PATH"]
        with (tmp_path / "probe.log").open("ab") as log:
            running.append(launch(["-m", "tests.kit.probe_server"], environ, log))
        return running[-1]

    yield start_one
    for process in running:
        process.kill()
        process.wait()


def say_many(tx: Transaction, first: int) -> None:
    for number in range(first, first + 100):
        tx.publish(ProbeSaid(text=f"{number}", room="hall", by_key=f"{number % 50}"))


@pytest.fixture
async def looking(world):
    """The database, for reading only."""
    database = open_database(world.settings.database_url)
    await database.start()
    yield database
    await database.stop()


async def queued(database: Database, state: str, least: int) -> bool:
    found = await database.read(lambda tx: backfills.find_backfill(tx, LATECOMER))
    return found is not None and found.state == state and found.queued >= least


async def list_noted(database: Database) -> list[str]:
    found = await database.read(lambda tx: tx.scalars(NOTED))
    return [msgspec.json.decode(data)["text"] for data in found]


async def test_each_event_of_a_backfill_is_processed_once_after_kill_9(world, looking, start):
    for first in range(0, COUNT, 100):
        await world.transact(say_many, first)
    await world.stop()
    for least in (40, 160):
        process = start()
        await until(lambda least=least: queued(looking, "running", least), within_s=40)
        process.kill()
        process.wait()
    start()

    async def heard() -> list[str] | None:
        found = await list_noted(looking)
        return found if len(found) >= COUNT else None

    found = await until(heard, within_s=60)
    assert sorted(found, key=int) == [f"{number}" for number in range(COUNT)]
    await until(lambda: queued(looking, "done", COUNT))


@pytest.mark.parametrize(
    ("command", "code", "says"),
    [
        (("rebuild", "nobody.hears_it"), 2, "there is no consumer nobody.hears_it"),
        (("rebuild", "platform.send.send_the_mail"), 2, "platform.send.send_the_mail"),
        (("parked", "purge", "platform.send.send_the_mail"), 2, "platform.send.send_the_mail"),
        (("parked", "purge", "gone.hears_it"), 0, "0 deliveries"),
    ],
)
@pytest.mark.parametrize("database_kind", ["sqlite"], indirect=True)
def test_the_command_line_explains_refused_commands(database_url, tmp_path, command, code, says):
    environ = environ_of(tmp_path / "data", database_url)
    environ |= {"PATH": os.environ["PATH"], "PARLEY_SECRET": SECRET}
    run = run_to_end(["run.py", *command], environ)
    assert (run.returncode, says in run.stdout + run.stderr) == (code, True), run.stderr
