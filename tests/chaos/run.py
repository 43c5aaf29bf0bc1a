"""One run on one site: users are active, parts break, then all state is compared.

The order: start the parts and read their gauges; connect the users; run load and faults; end the
load; wait, with limits, until all devices have caught up and presence is right; read the database;
disconnect all users; wait until the gauges are as before; run the checker.
"""

import asyncio
import json
import time
from collections import Counter
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory
from typing import Any

from handlers.kit.rules import KitRules
from storage.engine.database import Database, open_database
from tests.chaos import truth
from tests.chaos.cast import Cast, assign, make_people, set_up_cast
from tests.chaos.checker import check, check_flaps, check_held, check_presence
from tests.chaos.displays import Screen, streams_behind
from tests.chaos.faults import FaultRun, Faults
from tests.chaos.line import Way
from tests.chaos.load import Load
from tests.chaos.plan import INSTANCES, make_plan
from tests.chaos.records import Records
from tests.chaos.site import Site, running_site
from tests.world import until

PEOPLE = 30
SET_UP_WITHIN_S = 60.0
FINISHED_WITHIN_S = 45.0
CAUGHT_UP_WITHIN_S = 30.0
PRESENCE_WITHIN_S = 30.0
RELEASED_WITHIN_S = 30.0
LOOK_EVERY_S = 0.2


@dataclass
class Outcome:
    """The result of a run."""

    on: str
    seed: int
    records: Records = field(default_factory=Records)
    fault_runs: list[FaultRun] = field(default_factory=list)
    settled_s: dict[str, float] = field(default_factory=dict)
    """How long each condition took to settle."""
    logged: Counter[str] = field(default_factory=Counter)
    """Warnings and errors in the logs of the instances."""


async def run_on(on: str, seed: int, seconds: float, people: int = PEOPLE) -> Outcome:
    """Run on `sqlite` or `several` for about `seconds`."""
    outcome = Outcome(on, seed)
    with TemporaryDirectory(prefix="parley-chaos-") as name:
        folder = Path(name)
        folder.chmod(0o755)
        async with running_site(on, INSTANCES[on], folder, outcome.records) as site:
            await Run(site, outcome, seconds).run(people)
    return outcome


class Run:
    """The steps of a run, in order."""

    timers_due_within_s = 2.0
    """Timers due within this time, such as those for read marks, must fire before the end."""

    def __init__(self, site: Site, outcome: Outcome, seconds: float = 0.0) -> None:
        self._seconds = seconds
        self._site = site
        self.outcome = outcome
        self._records = outcome.records
        self.stored = truth.Truth()
        self.reported_offline: list[str] = []
        """The users reported offline to watchers before all users disconnected."""

    async def run(self, people: int) -> None:
        site, outcome, records = self._site, self.outcome, self._records
        seed = f"{outcome.seed} {outcome.on}"
        made = await make_people(site.settings, people)
        await site.start()
        before = await self._steady()
        cast = assign(made, await self.ways(), records, seed)
        try:
            async with asyncio.timeout(SET_UP_WITHIN_S):
                await set_up_cast(cast, Random(seed))  # noqa: S311
            await self.disrupt(cast, seed)
            database = open_database(site.database_url)
            await database.start()
            try:
                await self._settle(cast, database)
                self.stored = await database.read(truth.read_truth)
            finally:
                await database.stop()
            screens = screens_of(cast)
            self.reported_offline = [one for device in cast.devices for one in device.shown.left]
        finally:
            await asyncio.gather(*(device.leave() for device in cast.devices))
        await self._check_released(before)
        records.find_all(check(records.asked, screens, self.stored))
        grace_s = site.settings.rules.of(KitRules).presence_grace_s
        away = {person.id: person.away() for person in cast.people}
        records.find_all(check_flaps(away, self.stored.offline_events, grace_s))
        self._read_logs()

    async def ways(self) -> list[Way]:
        """The addresses for clients, after the start: here, those of all instances."""
        return [Way(wire.url) for wire in self._site.wires]

    async def disrupt(self, cast: Cast, seed: str) -> None:
        """Run load and faults, until all users have finished."""
        load = Load(cast, seed)
        faults = Faults(self._site, cast, self._records)
        self.outcome.fault_runs = faults.fault_runs
        load.start()
        plan = make_plan(self.outcome.seed, self.outcome.on, self._seconds)
        await faults.run(plan, self._seconds)
        await self._end(load)

    async def _end(self, load: Load) -> None:
        for late in await load.end(FINISHED_WITHIN_S):
            self._records.found("not finished", late)

    async def _steady(self) -> dict[str, float]:
        """The gauges, once they stay the same for a moment."""
        before: dict[str, float] = {}
        while (now := await self._site.held()) != before:
            before = now
            await asyncio.sleep(LOOK_EVERY_S)
        return now

    async def _settle(self, cast: Cast, database: Database) -> None:
        await self._site.until_ready()
        await self._until("presence", PRESENCE_WITHIN_S, self._presence_is_right, cast, database)
        # After the presence, because consumers process its changes.
        await self._until("consumers", CAUGHT_UP_WITHIN_S, self._all_delivered, database)
        # After the consumers and timers, because these publish events too.
        await self._until("devices", CAUGHT_UP_WITHIN_S, self._all_caught_up, cast, database)
        there = {person.id: person.there for person in cast.people}
        online = await database.read(truth.online_of)
        self._records.find_all(check_presence(there, online, screens_of(cast)))

    async def _until(self, what: str, within_s: float, holds: Any, *args: Any) -> None:
        """Wait until `holds`, for at most `within_s`; after that the checker reports violations."""
        began = time.monotonic()
        with suppress(TimeoutError):
            await until(lambda: holds(*args), within_s)
        self.outcome.settled_s[what] = time.monotonic() - began

    async def _presence_is_right(self, cast: Cast, database: Database) -> bool:
        there = {person.id: person.there for person in cast.people}
        online = await database.read(truth.online_of)
        return not any(check_presence(there, online, screens_of(cast)))

    async def _all_caught_up(self, cast: Cast, database: Database) -> bool:
        if not all(device.up.is_set() for device in cast.devices if device.there):
            return False
        return not streams_behind(screens_of(cast), await database.read(truth.heads_of))

    async def _all_delivered(self, database: Database) -> bool:
        before = datetime.now(UTC) + timedelta(seconds=self.timers_due_within_s)
        return not await database.read(partial(truth.is_something_due, before=before))

    async def _check_released(self, before: dict[str, float]) -> None:
        now: dict[str, float] = {}

        async def is_as_before() -> bool:
            nonlocal now
            await asyncio.sleep(LOOK_EVERY_S)
            now = await self._site.held()
            return now == before

        await self._until("gauges", RELEASED_WITHIN_S, is_as_before)
        self._records.find_all(check_held(before, now))  # not read again: a timer may fire then

    def _read_logs(self) -> None:
        for instance in self._site.instances:
            for line in instance.log_lines():
                self.outcome.logged.update(complaint_of(line))


def screens_of(cast: Cast) -> list[Screen]:
    return [Screen(device.shown, device.there) for device in cast.devices]


def complaint_of(line: str) -> list[str]:
    """The warning or error in a log line of an instance, if it has one."""
    try:
        said = json.loads(line)
    except ValueError:
        return [f"not JSON: {line[:100]}"]
    if said.get("level") in ("info", "debug"):
        return []
    about = said.get("consumer") or said.get("command") or said.get("what") or ""
    return [" ".join(str(one) for one in (said.get("level"), said.get("event"), about) if one)]
