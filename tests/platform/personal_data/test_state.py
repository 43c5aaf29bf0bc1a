"""What is under way with an account is what its events make of it."""

from dataclasses import dataclass, field
from typing import Any

import pytest

from tests.parts.ports import free_port
from tests.platform.chat.test_snapshots import Mirror, check
from tests.wire_client import Heard
from tests.world import Person, World, both_databases, until

pytestmark = both_databases

WEEK_S = 8 * 86_400


@dataclass
class Account(Mirror):
    """The latest export, and when the account is to go; links are made anew each time."""

    export: Any = None
    deleted_at: str | None = None
    seqs: dict[str, int] = field(default_factory=dict)

    async def fetch(self, person: Person) -> None:
        found = await person.call("/account", "get")
        self.export, self.deleted_at = found["export"], found["deleted_at"]
        self.seqs[f"user:{person.id}"] = found["seq"]

    def hear(self, heard: Heard) -> None:
        self.seqs[heard.meta["room"]] = heard.meta["seq"]
        if heard.name == "EXPORT_DROPPED":
            self.export = None
        elif "export" in heard.data:
            self.export = heard.data["export"]
        else:
            self.deleted_at = heard.data.get("deleted_at")

    def state(self) -> Any:
        return self.export, self.deleted_at


@pytest.fixture
async def world(make_world) -> World:
    port = free_port()
    where = f"http://127.0.0.1:{port}"
    return await make_world(port=port, PARLEY_PUBLIC_URL=where, PARLEY_EXPORT_PROGRESS_EVERY_S="0")


async def test_what_is_under_way_is_what_the_events_make_of_it(world):
    ana = await world.person("ana")

    async def status() -> str | None:
        export = (await ana.call("/account", "get"))["export"]
        return export and export["status"]

    async def have_an_export() -> None:
        await ana.call("/account", "export")
        await until(lambda: ready(status))

    async def let_it_go() -> None:
        world.clock.advance(WEEK_S)
        await until(lambda: gone(status))

    story = [
        lambda: ana.call("/account", "delete"),
        lambda: ana.call("/account", "restore"),
        have_an_export,
        let_it_go,
    ]
    # Who is told that an account was deleted has no session any more to hear it by.
    await check(world, ana, "/account", Account, story, but={"ACCOUNT_DELETED"})


async def ready(status) -> bool:
    return await status() == "ready"


async def gone(status) -> bool:
    return await status() is None
