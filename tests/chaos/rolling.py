"""A rolling restart under load, as an operator does it, behind the HAProxy of deploy/.

All users send messages all the time, and connect only through the proxy. One instance after the
other is stopped, restarted and ready before the next. No user disconnects deliberately.
"""

import asyncio
import ssl
from collections.abc import Iterator
from contextlib import AsyncExitStack
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from itertools import pairwise

import aiohttp

from handlers.kit.rules import KitRules
from tests.chaos.cast import Cast
from tests.chaos.device import Device
from tests.chaos.line import Way
from tests.chaos.load import Load
from tests.chaos.run import Outcome, Run
from tests.chaos.site import ENDS_WITHIN_S, Instance, Site
from tests.deploy.outside import fresh_address
from tests.parts.proxies import HAPROXY, Changes, Places, changes_of_haproxy, running_proxy
from tests.world import until

THINKS_S = 0.1


def changes_but_bounds(at: Places) -> Changes:
    """Change only addresses and ports, so that the limits per address are those of deploy/."""
    return {old: new for old, new in changes_of_haproxy(at).items() if not old.startswith("sc0_")}


@dataclass
class Restart:
    """The restart of one instance; `place` is its name in the proxy."""

    place: str
    stopped_at: datetime
    unready_at: datetime | None = None
    """When it was first seen unready, if it was."""
    answered_at: datetime | None = None
    """The time of its last answer to a client."""
    exit_code: int | None = None


@dataclass(frozen=True)
class Move:
    """A device lost its connection and reconnected."""

    device: str
    at: datetime
    left: str
    came_to: str


class RollingRestart(Run):
    """A run in which all instances are restarted in turn."""

    def __init__(self, site: Site, outcome: Outcome, stack: AsyncExitStack) -> None:
        super().__init__(site, outcome)
        self.restarts: list[Restart] = []
        self.devices: list[Device] = []
        self._stack = stack
        self.timers_due_within_s = site.settings.rules.of(KitRules).presence_grace_s

    async def ways(self) -> list[Way]:
        """The proxy; every connection has another source address."""
        ports = [instance.port for instance in self._site.instances]
        kind = replace(HAPROXY, changes=changes_but_bounds)
        proxy = await self._stack.enter_async_context(running_proxy(kind, ports))
        trust = ssl.create_default_context(cafile=proxy.certificate)

        def connector() -> aiohttp.TCPConnector:
            return aiohttp.TCPConnector(ssl=trust, local_addr=(fresh_address(), 0))

        return [Way(proxy.url, connector)]

    async def disrupt(self, cast: Cast, seed: str) -> None:
        """Run the load while the instances are restarted in turn."""
        self.devices = cast.devices
        instances = {str(number): one for number, one in enumerate(self._site.instances, 1)}
        load = Load(cast, seed)
        load.talk(THINKS_S)
        await until(lambda: all(self._last_answer_of(place) for place in instances))
        for place, instance in instances.items():
            await self._restart(place, instance)
        await self._end(load)

    async def _restart(self, place: str, instance: Instance) -> None:
        restart = Restart(place, datetime.now(UTC))
        self.restarts.append(restart)
        stopping = asyncio.create_task(instance.stop())

        async def is_unready_or_ended() -> bool:
            if await instance.readiness() == 503:
                restart.unready_at = datetime.now(UTC)
            return restart.unready_at is not None or stopping.done()

        await until(is_unready_or_ended, within_s=ENDS_WITHIN_S)
        restart.exit_code = await stopping
        restart.answered_at = self._last_answer_of(place)
        instance.start()
        await instance.until_ready()

    def _last_answer_of(self, place: str) -> datetime | None:
        found = [device.answered[place] for device in self.devices if place in device.answered]
        return max(found, default=None)

    async def _check_released(self, before: dict[str, float]) -> None:
        """Check without the proxy, which keeps idle connections open."""
        await self._stack.aclose()
        await super()._check_released(before)

    # Results, after all users have left.

    def moves(self) -> list[Move]:
        """All moves, unordered."""
        return [move for device in self.devices for move in moves_of(device)]

    def moves_during(self, restart: Restart) -> list[Move]:
        """The moves between the stop of this instance and the stop of the next."""
        later = [one.stopped_at for one in self.restarts if one.stopped_at > restart.stopped_at]
        until_when = min(later, default=datetime.max.replace(tzinfo=UTC))
        return [move for move in self.moves() if restart.stopped_at <= move.at < until_when]


def moves_of(device: Device) -> Iterator[Move]:
    stays = zip(device.places, device.spans, strict=True)
    for (left, (_, at)), (came_to, _) in pairwise(stays):
        yield Move(device.name, at, left, came_to)
