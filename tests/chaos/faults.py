"""Causes and repairs faults, and measures how long the recovery takes.

A fault is a context manager: entering breaks something, leaving repairs it. The recovery starts
after the repair (or after the fault, if nothing repairs it). It ends when a message sent then is
acknowledged and displayed by every device that should be connected. A killed instance counts as
repaired when it is started, before it is ready; PostgreSQL and Redis, when they are ready.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Iterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from random import Random

import asyncpg

from tests.chaos.cast import Cast
from tests.chaos.device import Device
from tests.chaos.plan import Fault, Step
from tests.chaos.records import Records
from tests.chaos.site import Instance, Site
from tests.chaos.wires import Link, Wire
from tests.world import until

RECOVERED_WITHIN_S = 45.0
SHARE = 0.3
"""The share of devices to mute or stall."""
FLOOD = (20, 160)
FLOOD_TEXT = "flood " * 1_200
"""Messages for stalled clients, in total slightly more than an instance queues for one client."""


@dataclass
class FaultRun:
    """A fault that occurred: its start, and the time of the recovery (None if it failed)."""

    fault: Fault
    target: str
    began_s: float
    recovery_s: float | None = None


Context = AbstractAsyncContextManager[str]
WireOf = Callable[[Instance], Wire | None]


class Faults:
    """Causes the planned faults on one site."""

    def __init__(self, site: Site, cast: Cast, records: Records) -> None:
        self.fault_runs: list[FaultRun] = []
        self._site = site
        self._cast = cast
        self._records = records
        self._began = time.monotonic()
        self._probes = 0
        self._busy: set[Instance] = set()
        self._muted: frozenset[str] = frozenset()
        """Devices that a long background fault muted; other faults do not wait for them."""
        self._sends: list[Awaitable[object]] = []
        self._causes: dict[str, Callable[[Random], Context]] = {
            "instance killed": self._kill,
            "instances restarted in turn": self._restart_in_turn,
            "machine lost": self._lose_machine,
            "instance frozen": self._freeze,
            "instance taken for dead": self._freeze,
            "connections cut": self._cut,
            "connections muted": self._mute,
            "clients stalled": self._stall,
            "Redis killed": self._kill_redis,
            "Redis frozen": self._freeze_redis,
            "Redis flushed": self._flush_redis,
            "PostgreSQL restarted": self._restart_postgres,
            "database sessions ended": self._end_sessions,
            "Redis out of reach": partial(self._stall_wire, lambda one: one.to_redis),
            "PostgreSQL out of reach": partial(self._stall_wire, lambda one: one.to_database),
            "connections to Redis muted": partial(self._mute_wire, lambda one: one.to_redis),
            "connections to PostgreSQL muted": partial(
                self._mute_wire, lambda one: one.to_database
            ),
        }

    async def run(self, plan: Iterator[Step], seconds: float) -> None:
        """Run the steps in order; starts none after `seconds`.

        Waits for the background faults before it returns.
        """
        beside = []
        for step in plan:
            await asyncio.sleep(step.pause_s)
            if time.monotonic() - self._began >= seconds:
                break
            for fault in step.faults:
                if fault.beside:
                    beside.append(asyncio.create_task(self._run_fault(fault)))
            await asyncio.gather(*(self._run_fault(one) for one in step.faults if not one.beside))
        await asyncio.gather(*beside, *self._sends)

    async def _run_fault(self, fault: Fault) -> None:
        dice = Random(fault.dice)  # noqa: S311
        async with self._causes[fault.kind](dice) as target:
            fault_run = FaultRun(fault, target, time.monotonic() - self._began)
            self.fault_runs.append(fault_run)
            await asyncio.sleep(fault.lasts_s)
        repaired_at = time.monotonic()
        try:
            async with asyncio.timeout(RECOVERED_WITHIN_S):
                await self._probe(dice, frozenset() if fault.beside else self._muted)
            fault_run.recovery_s = time.monotonic() - repaired_at
        except TimeoutError:
            what = f"{fault} of {target}: not all heard again within {RECOVERED_WITHIN_S} s"
            self._records.found("not recovered", what)
        if fault.beside:
            self._muted = frozenset()

    async def _probe(self, dice: Random, but: frozenset[str]) -> None:
        """Send a message to all users, and wait until every device displays it."""
        everybody = self._cast.everybody
        assert everybody is not None
        self._probes += 1
        devices = [device for person in everybody.members for device in person.devices]
        hearing = [device for device in devices if device.name not in but]
        ask = {"conversation_id": everybody.id, "client_id": f"probe {self._probes}", "text": "?"}
        asked = await dice.choice(hearing).ask("/chat", "send", **ask)
        message_id = asked.data["id"]
        await until(
            lambda: all(message_id in one.shown.chats.get(everybody.id, {}) for one in hearing),
            within_s=RECOVERED_WITHIN_S,
        )

    # Instances.

    def _choose(self, dice: Random) -> Instance:
        """An instance that no other fault uses now."""
        free = [one for one in self._site.instances if one not in self._busy]
        return dice.choice(free or self._site.instances)

    @asynccontextmanager
    async def _alone(self, instance: Instance) -> AsyncIterator[None]:
        await until(lambda: instance not in self._busy, within_s=RECOVERED_WITHIN_S)
        self._busy.add(instance)
        try:
            yield
        finally:
            self._busy.discard(instance)

    @asynccontextmanager
    async def _kill(self, dice: Random) -> AsyncIterator[str]:
        instance = self._choose(dice)
        async with self._alone(instance):
            instance.kill()
            yield instance.name
            instance.start()

    @asynccontextmanager
    async def _lose_machine(self, dice: Random) -> AsyncIterator[str]:
        """Kill it with its machine, so that PostgreSQL and Redis are not notified."""
        instance = self._choose(dice)
        async with self._alone(instance):
            for wire in (instance.to_database, instance.to_redis):
                for link in wire.links if wire else ():
                    link.mute()
            instance.kill()
            yield instance.name
            instance.start()

    @asynccontextmanager
    async def _restart_in_turn(self, dice: Random) -> AsyncIterator[str]:
        """Restart like an operator: the next instance when the previous one is ready."""
        for instance in self._site.instances:
            async with self._alone(instance):
                await instance.stop()
                instance.start()
                await instance.until_ready()
        yield "all"

    @asynccontextmanager
    async def _freeze(self, dice: Random) -> AsyncIterator[str]:
        instance = self._choose(dice)
        async with self._alone(instance):
            instance.freeze()
            unheard = self._mark_unreachable({link.who for link in instance.wire.links})
            yield instance.name
            instance.thaw()
            for device in unheard:
                device.note_reachable_again()

    # Connections.

    def _some_devices(self, dice: Random, share: float) -> tuple[frozenset[str], list[Link]]:
        """Names of devices, and their current links."""
        names = [device.name for device in self._cast.devices]
        chosen = frozenset(dice.sample(names, round(len(names) * share)))
        links = [link for wire in self._site.wires for link in wire.links]
        return chosen, [link for link in links if link.who in chosen]

    def _mark_unreachable(self, names: Collection[str]) -> list[Device]:
        """Mark the reachable ones of these devices as unreachable."""
        heard = [one for one in self._cast.devices if one.unreachable_since is None]
        unheard = [device for device in heard if device.name in names]
        for device in unheard:
            device.unreachable_since = datetime.now(UTC)
        return unheard

    @asynccontextmanager
    async def _cut(self, dice: Random) -> AsyncIterator[str]:
        _, links = self._some_devices(dice, dice.choice((SHARE, 1.0)))
        for link in links:
            link.cut()
        yield f"{len(links)} connections"

    @asynccontextmanager
    async def _mute(self, dice: Random) -> AsyncIterator[str]:
        self._muted, links = self._some_devices(dice, SHARE)
        for link in links:
            link.mute()
        self._mark_unreachable(self._muted)
        yield f"{len(links)} connections"

    @asynccontextmanager
    async def _stall(self, dice: Random) -> AsyncIterator[str]:
        """Make some clients stop reading while they are sent many messages."""
        _, links = self._some_devices(dice, SHARE)
        for link in links:
            link.stall()
        flood = dice.choice(FLOOD)
        self._flood(dice, flood)
        yield f"{len(links)} connections, {flood} long messages"
        for link in links:
            link.go_on()

    def _flood(self, dice: Random, count: int) -> None:
        """Send many messages; if the sender's own connection stalls, they are sent afterwards."""
        conversation = dice.choice([one for one in self._cast.conversations if not one.direct])
        speaker = conversation.members[0]
        ask = {"conversation_id": conversation.id, "text": FLOOD_TEXT}
        for _ in range(count):
            sending = speaker.device.ask("/chat", "send", **ask, client_id=speaker.new_id())
            self._sends.append(asyncio.ensure_future(sending))

    # Connections of instances to PostgreSQL and Redis.

    @asynccontextmanager
    async def _stall_wire(self, wire_of: WireOf, dice: Random) -> AsyncIterator[str]:
        """Stop one instance from reaching a server for a while."""
        instance = dice.choice(self._site.instances)
        wire = wire_of(instance)
        assert wire is not None
        wire.stall()
        yield instance.name
        wire.go_on()

    @asynccontextmanager
    async def _mute_wire(self, wire_of: WireOf, dice: Random) -> AsyncIterator[str]:
        """Mute half of an instance's connections to a server permanently; new ones work.

        As with a lost machine, the server does not notice, so open transactions there stay open.
        """
        instance = dice.choice(self._site.instances)
        wire = wire_of(instance)
        assert wire is not None
        links = dice.sample(wire.links, len(wire.links) // 2)
        for link in links:
            link.mute()
        yield f"{instance.name}, {len(links)} connections"

    # Redis and PostgreSQL.

    @asynccontextmanager
    async def _kill_redis(self, dice: Random) -> AsyncIterator[str]:
        redis = self._site.redis
        assert redis is not None
        redis.kill()
        yield "SIGKILL"
        await redis.start()

    @asynccontextmanager
    async def _freeze_redis(self, dice: Random) -> AsyncIterator[str]:
        redis = self._site.redis
        assert redis is not None
        redis.freeze()
        yield "SIGSTOP"
        redis.thaw()

    @asynccontextmanager
    async def _flush_redis(self, dice: Random) -> AsyncIterator[str]:
        """Delete its data, and close its connections."""
        redis = self._site.redis
        assert redis is not None
        await redis.client.flushall()
        for kind in ("pubsub", "normal"):
            await redis.client.client_kill_filter(_type=kind, skipme=True)
        yield "FLUSHALL, CLIENT KILL"

    @asynccontextmanager
    async def _restart_postgres(self, dice: Random) -> AsyncIterator[str]:
        cluster = self._site.cluster
        assert cluster is not None
        await asyncio.to_thread(cluster.stop)
        yield "SIGQUIT"
        cluster.start()
        await asyncio.to_thread(cluster.wait_until_ready)

    @asynccontextmanager
    async def _end_sessions(self, dice: Random) -> AsyncIterator[str]:
        """Make the database server close every connection."""
        url = self._site.database_url.replace("+asyncpg", "")
        connection = await asyncpg.connect(url)
        ended = await connection.fetch(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
            "WHERE datname = current_database() AND pid <> pg_backend_pid()"
        )
        await connection.close()
        yield f"{len(ended)} sessions"
