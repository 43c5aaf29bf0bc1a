"""What every test may name in its arguments: databases, a world, a process, logs, real parts."""

import asyncio
import functools
import inspect
import io
import logging
import shutil
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import AsyncExitStack, closing
from pathlib import Path
from typing import Any

import pytest
import structlog
import uvloop
from argon2 import PasswordHasher

import storage.engine.schema  # noqa: F401 - so that every table is known
from handlers.kit.domain import Domain
from handlers.platform.auth import passwords
from server.interpreter import freeze_loaded_objects
from server.logs import set_up_logs
from storage.engine import plans, postgres
from storage.engine.migrate import migrate_file
from tests.parts.offline import OfflineWorld
from tests.parts.order import in_order
from tests.parts.postgres import Cluster
from tests.parts.statements import create_sharing_engine
from tests.parts.templates import Template, running_loop
from tests.world import MovableClock, Process, World, environ_of, settings_of

pytest_plugins = ["tests.parts.fixtures"]
ON_BOTH = (Path(__file__).parent / "storage", Path(__file__).parent / "rooms")
"""Folders whose tests are about what the databases do, each in its own way."""
OFFLINE = (Path(__file__).parent / "platform", Path(__file__).parent / "consulting")
"""Folders of domains, whose tests are about decisions."""
TEST_WITHIN_S = 90.0
"""A test takes seconds, but machines may do much else."""


def pytest_configure(config: pytest.Config) -> None:
    plans.PLANS_MAX = 50_000  # tests look at tables by statements of their own, many times
    postgres.create_async_engine = create_sharing_engine
    hash_cheaply()
    config.addinivalue_line(
        "markers", "settings(**environ): environment variables of the test's world or process"
    )
    config.addinivalue_line(
        "markers", "both_databases: runs on PostgreSQL too when not every variant is asked for"
    )
    config.addinivalue_line("markers", "with_server: its world serves on loopback")
    config.addinivalue_line("markers", "stopped_clock: only the test moves its clock")


def hash_cheaply() -> None:
    """Passwords of tests need no protection, and a hash as it should be costs 30 ms."""
    passwords._HASHER = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)
    passwords._NOBODY = passwords._HASHER.hash("nobody has this password")


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--all-variants", action="store_true", help="run each test on both databases")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Choose the variants of tests, unless all are asked for, and put the quick ones first."""
    if not config.getoption("--all-variants"):
        left_out = [item for item in items if not is_chosen(item)]
        config.hook.pytest_deselected(items=left_out)
        items[:] = [item for item in items if is_chosen(item)]
    items[:] = in_order(items)


def pytest_collection_finish() -> None:
    """Keep the collector away from what is loaded by now, as `server/interpreter.py` does."""
    freeze_loaded_objects()


def is_chosen(item: pytest.Item) -> bool:
    """Whether `make test` runs this: SQLite always, PostgreSQL where it can differ."""
    spec = getattr(item, "callspec", None)
    if spec is None or spec.params.get("database_kind") != "postgresql":
        return True
    if any(item.path.is_relative_to(folder) for folder in ON_BOTH):
        return True
    asked = any(mark.args[0] == "database_kind" for mark in item.iter_markers("parametrize"))
    return asked or item.get_closest_marker("both_databases") is not None


def pytest_itemcollected(item: pytest.Item) -> None:
    """Bound async tests inside their loop: the signal of pytest-timeout is lost in uvloop."""
    test = getattr(item, "obj", None)
    if isinstance(item, pytest.Function) and inspect.iscoroutinefunction(test):

        @functools.wraps(test)
        async def bounded(*args: Any, **values: Any) -> None:
            async with asyncio.timeout(TEST_WITHIN_S):
                await test(*args, **values)

        item.obj = bounded


def pytest_asyncio_loop_factories(config: pytest.Config, item: pytest.Item) -> dict[str, Any]:
    """Tests run on the loop that the server runs on."""
    return {"uvloop": uvloop.new_event_loop}


# Databases. Each test gets an empty one with all the tables.


@pytest.fixture(scope="session")
def postgres_template(postgres: Cluster) -> Iterator[Template]:
    with running_loop() as loop, closing(Template(postgres, loop)) as template:
        yield template


@pytest.fixture(scope="session")
def sqlite_template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A SQLite file with all tables."""
    file = tmp_path_factory.mktemp("template") / "parley.db"
    migrate_file(str(file))
    return file


@pytest.fixture(params=["sqlite", "postgresql"])
def database_kind(request: pytest.FixtureRequest) -> str:
    """Which database the test runs on; each test that touches storage runs on both."""
    kind: str = request.param
    return kind


@pytest.fixture
async def database_url(
    database_kind: str, request: pytest.FixtureRequest, tmp_path: Path
) -> AsyncIterator[str]:
    """The URL of a database of the test's own, with all tables and no rows."""
    if database_kind == "sqlite":
        file = tmp_path / "parley.db"
        shutil.copy(request.getfixturevalue("sqlite_template"), file)
        yield f"sqlite:///{file}"
    else:
        template: Template = request.getfixturevalue("postgres_template")
        url = await template.lend()
        yield url
        await template.take_back(url)


# Instances.


@pytest.fixture
def chosen_settings(request: pytest.FixtureRequest) -> dict[str, str]:
    """What `@pytest.mark.settings(PARLEY_OFFER_S="5")` says; the nearest mark wins."""
    chosen: dict[str, str] = {}
    for mark in request.node.iter_markers("settings"):
        chosen = {**mark.kwargs, **chosen}
    return chosen


@pytest.fixture
def domains() -> tuple[Domain, ...]:
    """Domains of the tests' own beside the real ones; a folder's conftest may give some."""
    return ()


@pytest.fixture
def clock(request: pytest.FixtureRequest) -> MovableClock:
    """Runs like the machine's; with the mark `stopped_clock` only the test moves it.

    A test that looks a second before a moment needs the mark: on a busy machine more than that
    passes between two of its lines.
    """
    clock = MovableClock()
    if request.node.get_closest_marker("stopped_clock"):
        clock.stop()
    return clock


def is_offline(test: pytest.Item, database_url: str) -> bool:
    """Whether the world of a test runs without a server.

    Tests of locks, races and SQL, which run on both databases, need transactions that commit.
    """
    needs_server = any(map(test.get_closest_marker, ("with_server", "both_databases")))
    if needs_server or "sqlite" not in database_url:
        return False
    return any(test.path.is_relative_to(folder) for folder in OFFLINE)


MakeWorld = Callable[..., Awaitable[World]]


@pytest.fixture
async def make_world(
    request: pytest.FixtureRequest,
    database_url: str,
    tmp_path: Path,
    clock: MovableClock,
    chosen_settings: dict[str, str],
    domains: tuple[Domain, ...],
) -> AsyncIterator[MakeWorld]:
    """`await make_world(PARLEY_OFFER_S="5")` starts one more instance on the test's database."""
    kind = OfflineWorld if is_offline(request.node, database_url) else World
    async with AsyncExitStack() as stack:

        async def make(more: tuple[Domain, ...] = (), port: int = 0, **settings: str) -> World:
            own, chosen = (*domains, *more), {**chosen_settings, **settings}
            world = kind(settings_of(tmp_path / "data", database_url, own, **chosen), clock, own)
            await world.start(port)
            stack.push_async_callback(world.close)
            return world

        yield make


@pytest.fixture
async def world(make_world: MakeWorld) -> World:
    """One whole instance, serving on loopback unless it is offline (`tests/parts/offline.py`)."""
    return await make_world()


@pytest.fixture
async def process_of(
    tmp_path: Path, chosen_settings: dict[str, str]
) -> AsyncIterator[Callable[[str], Awaitable[Process]]]:
    """`await process_of(database_url)` starts `python run.py` in the test's data folder."""
    async with AsyncExitStack() as stack:

        async def start(url: str) -> Process:
            environ = environ_of(tmp_path / "data", url, **chosen_settings)
            process = Process(environ, tmp_path / "data")
            stack.push_async_callback(process.close)
            return await process.start()

        yield start


@pytest.fixture
async def process(database_url: str, process_of: Callable[[str], Awaitable[Process]]) -> Process:
    """`python run.py`, serving; it can be killed and started again."""
    return await process_of(database_url)


@pytest.fixture
def logs(monkeypatch: pytest.MonkeyPatch) -> Iterator[io.StringIO]:
    """Everything that the server logs, as an operator would see it."""
    written = io.StringIO()
    before = structlog.get_config()
    with monkeypatch.context() as patched:
        patched.setattr(sys, "stderr", written)
        set_up_logs("text")
    handler = logging.StreamHandler(written)
    logging.getLogger().addHandler(handler)
    yield written
    logging.getLogger().removeHandler(handler)
    structlog.configure(**before)
