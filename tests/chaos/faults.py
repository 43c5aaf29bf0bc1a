"""How each thing is broken and mended again, and how long it takes until all hear again.

A fault is a context: entering breaks, leaving mends. Its recovery is measured from the end of the
mending (from the breaking, where nothing mends it) until a message said then was acknowledged and
shown by every device that is meant to be there. An instance that is killed is mended when it is
started, before it is ready; PostgreSQL and Redis are when they are ready.
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
"""Of all devices, how many are muted or stalled."""
FLOOD = (20, 160)
FLOOD_TEXT = "flood " * 1_200
"""What stalled clients miss: at most a little more than an instance keeps for one of them."""


@dataclass
class Suffered:
    """A fault as it was: when it began, and how long the recovery took (None: it did not)."""

    fault: Fault
    target: str
    began_s: float
    recovery_s: float | None = None


Context = AbstractAsyncContextManager[str]
WireOf = Callable[[Instance], Wire | None]


class Faults:
    """Breaks the parts of one site by plan."""

    def __init__(self, site: Site, cast: Cast, records: Records) -> None:
        self.suffered: list[Suffered] = []
        self._site = site
        self._cast = cast
        self._records = records
        self._began = time.monotonic()
        self._probes = 0
        self._busy: set[Instance] = set()
        self._deaf: frozenset[str] = frozenset()
        """Devices that a fault beside others has muted, and that nobody else waits for."""
        self._said: list[Awaitable[object]] = []
        self._ways: dict[str, Callable[[Random], Context]] = {
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
        """Steps one after the other, none begun after so many seconds.

        What goes on beside them is over when this returns.
        """
        beside = []
        for step in plan:
            await asyncio.sleep(step.pause_s)
            if time.monotonic() - self._began >= seconds:
                break
            for fault in step.faults:
                if fault.beside:
                    beside.append(asyncio.create_task(self._suffer(fault)))
            await asyncio.gather(*(self._suffer(one) for one in step.faults if not one.beside))
        await asyncio.gather(*beside, *self._said)

    async def _suffer(self, fault: Fault) -> None:
        dice = Random(fault.dice)  # noqa: S311
        async with self._ways[fault.kind](dice) as target:
            suffered = Suffered(fault, target, time.monotonic() - self._began)
            self.suffered.append(suffered)
            await asyncio.sleep(fault.lasts_s)
        mended = time.monotonic()
        try:
            async with asyncio.timeout(RECOVERED_WITHIN_S):
                await self._probe(dice, frozenset() if fault.beside else self._deaf)
            suffered.recovery_s = time.monotonic() - mended
        except TimeoutError:
            what = f"{fault} of {target}: not all heard again within {RECOVERED_WITHIN_S} s"
            self._records.found("not recovered", what)
        if fault.beside:
            self._deaf = frozenset()

    async def _probe(self, dice: Random, but: frozenset[str]) -> None:
        """Say something to everybody, and wait until every device shows it."""
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
        """An instance that nothing else is done to just now."""
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
        """Killed with its machine: nobody tells PostgreSQL and Redis that it is gone."""
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
        """As an operator does it: the next one once the one before is ready."""
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
            unheard = self._leads_nowhere({link.who for link in instance.wire.links})
            yield instance.name
            instance.thaw()
            for device in unheard:
                device.is_heard_again()

    # Connections.

    def _some_devices(self, dice: Random, share: float) -> tuple[frozenset[str], list[Link]]:
        """Names of devices, and the links that they have now."""
        names = [device.name for device in self._cast.devices]
        chosen = frozenset(dice.sample(names, round(len(names) * share)))
        links = [link for wire in self._site.wires for link in wire.links]
        return chosen, [link for link in links if link.who in chosen]

    def _leads_nowhere(self, names: Collection[str]) -> list[Device]:
        """Note it for those of these devices that were heard until now."""
        heard = [one for one in self._cast.devices if one.unheard_since is None]
        unheard = [device for device in heard if device.name in names]
        for device in unheard:
            device.unheard_since = datetime.now(UTC)
        return unheard

    @asynccontextmanager
    async def _cut(self, dice: Random) -> AsyncIterator[str]:
        _, links = self._some_devices(dice, dice.choice((SHARE, 1.0)))
        for link in links:
            link.cut()
        yield f"{len(links)} connections"

    @asynccontextmanager
    async def _mute(self, dice: Random) -> AsyncIterator[str]:
        self._deaf, links = self._some_devices(dice, SHARE)
        for link in links:
            link.mute()
        self._leads_nowhere(self._deaf)
        yield f"{len(links)} connections"

    @asynccontextmanager
    async def _stall(self, dice: Random) -> AsyncIterator[str]:
        """Some clients stop reading while much is said to them."""
        _, links = self._some_devices(dice, SHARE)
        for link in links:
            link.stall()
        flood = dice.choice(FLOOD)
        self._say_much(dice, flood)
        yield f"{len(links)} connections, {flood} long messages"
        for link in links:
            link.go_on()

    def _say_much(self, dice: Random, count: int) -> None:
        """By somebody whose own connection may stall: then it is said once that goes on."""
        conversation = dice.choice([one for one in self._cast.conversations if not one.direct])
        speaker = conversation.members[0]
        ask = {"conversation_id": conversation.id, "text": FLOOD_TEXT}
        for _ in range(count):
            sending = speaker.device.ask("/chat", "send", **ask, client_id=speaker.new_id())
            self._said.append(asyncio.ensure_future(sending))

    # What instances need.

    @asynccontextmanager
    async def _stall_wire(self, wire_of: WireOf, dice: Random) -> AsyncIterator[str]:
        """One instance cannot reach it for a while, and then can again."""
        instance = dice.choice(self._site.instances)
        wire = wire_of(instance)
        assert wire is not None
        wire.stall()
        yield instance.name
        wire.go_on()

    @asynccontextmanager
    async def _mute_wire(self, wire_of: WireOf, dice: Random) -> AsyncIterator[str]:
        """Half of an instance's connections to it lead nowhere for good; it can make new ones.

        The other end never learns of it, as when a machine is gone: whatever was begun there stays.
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
        """Its data are gone, and its connections with them."""
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
        """Every open connection to the database is ended by its server."""
        url = self._site.database_url.replace("+asyncpg", "")
        connection = await asyncpg.connect(url)
        ended = await connection.fetch(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
            "WHERE datname = current_database() AND pid <> pg_backend_pid()"
        )
        await connection.close()
        yield f"{len(ended)} sessions"
