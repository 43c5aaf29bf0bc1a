"""Reports to the domains whether a user has a connected device on this instance.

Invariants:
- At most one task reports for a user. It reports what is true when it looks, so arrivals and
  departures cannot overtake each other.
- A user whose last device disconnects is reported as gone after a grace period. A user who
  reconnects within it is not reported at all.
- Domains store presence by instance. If other instances took this one for dead, it continues under
  a new id and reports a user who reconnects again.
"""

import asyncio
from time import monotonic

from handlers.kit.kernel import Actor, Kernel
from handlers.kit.rules import KitRules
from rooms.tasks import Tasks
from server.domain_hooks import DomainHooks
from server.people import People


class DevicePresence:
    """The presence of the users of this instance."""

    def __init__(self, kernel: Kernel, people: People, hooks: DomainHooks) -> None:
        self._kernel = kernel
        self._people = people
        self._hooks = hooks
        self._reporting: set[str] = set()
        """The users for whom a task reports now."""
        self._left_at: dict[str, float] = {}
        """When the last device of a user disconnected, as `time.monotonic()`."""
        self._reported_as: dict[str, str] = {}
        """The id of this instance under which a user was reported as present."""
        self._tasks = Tasks()
        self._stopped = False

    def connected(self, actor: Actor) -> None:
        """Report a user whose first device here has connected; never waits."""
        self._start(actor)

    def disconnected(self, actor: Actor) -> None:
        """Report a user whose last device here has disconnected, after the grace period."""
        if not self._stopped:
            self._left_at[actor.id] = monotonic()
            self._start(actor)

    async def stop(self) -> None:
        """Report nobody any more: the end of this instance ends the presence of all its users."""
        self._stopped = True
        await self._tasks.end()

    def _start(self, actor: Actor) -> None:
        if actor.id not in self._reporting and not self._stopped:
            self._reporting.add(actor.id)
            self._tasks.spawn(self._report(actor))

    async def _report(self, actor: Actor) -> None:
        try:
            await self._report_until_settled(actor)
        finally:
            # Not in a done callback: a device that connects in between would start no new task.
            self._reporting.discard(actor.id)
            self._left_at.pop(actor.id, None)

    async def _report_until_settled(self, actor: Actor) -> None:
        """Report until the user is present here, or has been reported as gone."""
        if self._people.count(actor.id):
            await self._report_present(actor)
        while not self._people.count(actor.id):
            if await self._returned(actor):
                if self._reported_as.get(actor.id) != self._kernel.instance_id:
                    await self._report_present(actor)
                continue  # the user may have left during this report
            self._reported_as.pop(actor.id, None)
            await self._hooks.run_last_device(actor)
            if not self._people.count(actor.id):
                return
            await self._report_present(actor)

    async def _report_present(self, actor: Actor) -> None:
        self._reported_as[actor.id] = self._kernel.instance_id
        await self._hooks.run_first_device(actor)

    async def _returned(self, actor: Actor) -> bool:
        """Wait until the grace period after the latest departure is over; whether the user is
        back."""
        grace_s = self._kernel.rules.of(KitRules).presence_grace_s
        rest_s = grace_s
        while rest_s > 0:
            await asyncio.sleep(rest_s)
            rest_s = self._left_at.get(actor.id, 0.0) + grace_s - monotonic()
        return bool(self._people.count(actor.id))
