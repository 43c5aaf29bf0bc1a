"""Runs the hooks by which domains learn of users' devices and of ended leases.

Invariants:
- A hook runs again until the database accepts its changes, so no domain misses a departure. Any
  other failure of a hook is logged, and the other hooks still run.
- A lease ends at the last sign of life of its connection, not when the server noticed the silence.
"""

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from datetime import timedelta
from functools import partial

import structlog

from handlers.kit.context import Context
from handlers.kit.domain import Domain
from handlers.kit.kernel import Actor, Kernel, Origin
from handlers.kit.registry import Registry
from rooms.tasks import Tasks
from server.session import Socket
from storage.engine.database import StorageUnavailable

log = structlog.get_logger("domain_hooks")

RETRY_AFTER_S = 1.0


class DomainHooks:
    """The hooks of all served domains."""

    def __init__(self, kernel: Kernel, registry: Registry) -> None:
        self._kernel = kernel
        self._domains = registry.domains
        self._namespaces = registry.namespaces
        self._tasks = Tasks()

    async def stop(self) -> None:
        """Cancel the hooks of ended leases that still run."""
        await self._tasks.end()

    async def run_first_device(self, actor: Actor) -> None:
        """Tell all domains that a user has a connected device on this instance."""
        hooks = (domain.first_device for domain in self._domains)
        await self._run_all("first_device", hooks, actor)

    async def run_last_device(self, actor: Actor) -> None:
        """Tell all domains that a user has no connected device on this instance any more."""
        hooks = (domain.last_device for domain in self._domains)
        await self._run_all("last_device", hooks, actor)

    def end_leases(self, socket: Socket) -> None:
        """Tell the domain of a closed socket that each of its leases has ended; never waits."""
        domain = self._namespaces.get(socket.namespace)
        if domain is not None and domain.disconnect is not None:
            for subject, lease_id in list(socket.leases.items()):
                self._tasks.spawn(self._end_lease(domain, socket, subject, lease_id))

    async def _end_lease(self, domain: Domain, socket: Socket, subject: str, lease_id: str) -> None:
        connection = socket.connection
        at = self._kernel.clock.now() - timedelta(seconds=connection.silent_s)
        context = Context(self._kernel, connection.actor, connection.origin)
        assert domain.disconnect is not None
        hook = partial(domain.disconnect, context, subject, lease_id, at)
        await self._run("disconnect", hook)

    async def _run_all(
        self,
        name: str,
        hooks: Iterable[Callable[[Context], Awaitable[None]] | None],
        actor: Actor,
    ) -> None:
        for hook in hooks:
            if hook is not None:
                await self._run(name, partial(hook, Context(self._kernel, actor, Origin())))

    async def _run(self, name: str, hook: Callable[[], Awaitable[None]]) -> None:
        """Run a hook until the database accepts its changes."""
        while True:
            try:
                return await hook()
            except StorageUnavailable as error:
                log.warning("not_told", what=name, error=str(error))
                await asyncio.sleep(RETRY_AFTER_S)
            except Exception as raised:
                log.error("telling_failed", what=name, error=type(raised).__name__)
                return None
