"""The state of an account's export and deletion equals the state built from its events."""

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
    """The latest export and the deletion date; download links differ with each answer."""

    export: Any = None
    deleted_at: str | None = None
    seqs: dict[str, int] = field(default_factory=dict)

    async def fetch(self, person: Person) -> None:
        found = await person.call("/account", "get")
        self.export, self.deleted_at = found["export"], found["deleted_at"]
        self.seqs[f"user:{person.id}"] = found["seq"]

    def apply(self, heard: Heard) -> None:
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


async def test_the_account_state_equals_the_state_built_from_its_events(world):
    ana = await world.person("ana")

    async def status() -> str | None:
        export = (await ana.call("/account", "get"))["export"]
        return export and export["status"]

    async def create_export() -> None:
        await ana.call("/account", "export")
        await until(lambda: is_ready(status))

    async def let_export_expire() -> None:
        world.clock.advance(WEEK_S)
        await until(lambda: is_gone(status))

    story = [
        lambda: ana.call("/account", "delete"),
        lambda: ana.call("/account", "restore"),
        create_export,
        let_export_expire,
    ]
    # A deleted user has no session left to receive ACCOUNT_DELETED.
    await check(world, ana, "/account", Account, story, missing={"ACCOUNT_DELETED"})


async def is_ready(status) -> bool:
    return await status() == "ready"


async def is_gone(status) -> bool:
    return await status() is None
