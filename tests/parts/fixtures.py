"""The services as fixtures: a test gets one by naming it as an argument.

`postgres`, `swift` and `chromium` last for the test run, the others for one test.
"""

from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path

import pytest
from playwright.async_api import Browser

from tests.parts.chromium import connected_to, running_chromium
from tests.parts.mail import Mailbox, running_mailbox
from tests.parts.node import find_node
from tests.parts.postgres import Cluster, running_cluster
from tests.parts.redis import RedisServer, running_redis
from tests.parts.swift import Swift, running_swift


@pytest.fixture(scope="session")
def postgres() -> Iterator[Cluster]:
    """A PostgreSQL cluster, started by the first test that uses it."""
    with running_cluster() as cluster:
        yield cluster


@pytest.fixture(scope="session")
def swift() -> Iterator[Swift]:
    """An S3 object store that checks every signature, started by the first test that uses it."""
    with running_swift() as running:
        yield running


@pytest.fixture
def make_database(postgres: Cluster) -> Iterator[Callable[[str], str]]:
    """`make_database(name)` gives the URL of a new empty database, dropped after the test."""
    made: list[str] = []

    def make(name: str = "test") -> str:
        made.append(postgres.create(name))
        return made[-1]

    yield make
    for url in made:
        postgres.drop(url)


@pytest.fixture
async def mailbox() -> AsyncIterator[Mailbox]:
    """A mail server on `mailbox.host` and `mailbox.port`."""
    async with running_mailbox() as running:
        yield running


@pytest.fixture
async def redis_server() -> AsyncIterator[RedisServer]:
    """A Redis server at `redis_server.url`."""
    async with running_redis() as running:
        yield running


@pytest.fixture(scope="session")
def chromium() -> Iterator[str]:
    """The address of a running Chromium, started by the first test that uses it."""
    with running_chromium() as address:
        yield address


@pytest.fixture
async def browser(chromium: str) -> AsyncIterator[Browser]:
    """A connection to Chromium; each of its contexts is a separate user with an empty profile."""
    async with connected_to(chromium) as connected:
        yield connected


@pytest.fixture(scope="session")
def node() -> Path:
    """The path of a Node.js of version 18 or newer."""
    return find_node()
