"""Finds the queues that a relay must process although nobody woke it.

Deliveries may be stored under former names of their consumer. The queues found here have the
present name. Only the consumers of this instance are considered.
"""

from datetime import datetime

from handlers.kit.registry import Registry
from server.registration import names_served
from storage.engine.database import Queries
from storage.events import backfills, deliveries
from storage.events.deliveries import Queue

SWEEP_LIMIT = 500
BACKLOG_LIMIT = 200


class DueQueues:
    """The queues of one instance's consumers."""

    def __init__(self, registry: Registry) -> None:
        consumers = registry.consumers
        self._names = names_served(registry)
        self._with_one_name = [name for name, one in consumers.items() if not one.formerly]
        self._with_more_names = [
            (name, *one.formerly) for name, one in consumers.items() if one.formerly
        ]

    def list_due(self, queries: Queries, now: datetime) -> list[Queue]:
        """The due queues, except of consumers whose backfill is being queued: those must wait."""
        held = {one.consumer for one in backfills.list_backfills(queries, "running")}
        names = [one for one in self._with_one_name if one not in held]
        due = deliveries.list_due(queries, now, SWEEP_LIMIT, names)
        for renamed in self._with_more_names:
            if renamed[0] not in held:
                due += deliveries.list_due_of_one(queries, now, SWEEP_LIMIT, renamed)
        return self._by_present_name(due)

    def list_backlog(self, queries: Queries) -> list[Queue]:
        """Queues with deliveries of backfills."""
        found = deliveries.list_backlog(queries, BACKLOG_LIMIT, self._with_one_name)
        for renamed in self._with_more_names:
            found += deliveries.list_backlog_of_one(queries, BACKLOG_LIMIT, renamed)
        return self._by_present_name(found)

    def _by_present_name(self, queues: list[Queue]) -> list[Queue]:
        return [Queue(self._names[queue.consumer], queue.order_key) for queue in queues]
