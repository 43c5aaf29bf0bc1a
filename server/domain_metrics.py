"""The metrics that domains declare (`handlers/kit/measures.py`).

Counters count the transactions of this instance. Gauges are read from the database when `/metrics`
is requested, for one request at a time. While the database is unavailable, they keep their last
values, so that the other metrics are still shown.
"""

import asyncio
from collections.abc import Mapping
from contextlib import suppress

from prometheus_client import Counter as PrometheusCounter
from prometheus_client import Gauge as PrometheusGauge

from handlers.kit.kernel import Kernel, Origin
from handlers.kit.measures import Counted, Labels
from handlers.kit.registry import Registry
from handlers.kit.transaction import Transaction
from server.telemetry import Metrics
from storage.engine.database import Queries, StorageUnavailable

PREFIX = "parley_"
READ_WITHIN_S = 2.0


class DomainMetrics:
    """The declared counters and gauges of one instance."""

    def __init__(self, kernel: Kernel, registry: Registry, metrics: Metrics) -> None:
        self._kernel = kernel
        self._counters = {
            one.name: PrometheusCounter(
                PREFIX + one.name, one.about, one.labels, registry=metrics.registry
            )
            for domain in registry.domains
            for one in domain.counters
        }
        self._gauges = [
            (
                one,
                PrometheusGauge(
                    PREFIX + one.name, one.about, one.labels, registry=metrics.registry
                ),
            )
            for domain in registry.domains
            for one in domain.gauges
        ]
        self._reading = asyncio.Lock()

    def count(self, effect: Counted) -> None:
        self._counters[effect.counter.name].labels(*effect.values).inc()

    async def refresh(self) -> None:
        """Read the gauges, if that is possible within `READ_WITHIN_S`."""
        with suppress(StorageUnavailable, TimeoutError):
            async with asyncio.timeout(READ_WITHIN_S), self._reading:
                found = await self._kernel.database.read(self._read, kind="upkeep")
            for (_, gauge), values in zip(self._gauges, found, strict=True):
                gauge.clear()
                for labels, value in values.items():
                    gauge.labels(*labels).set(value)

    def _read(self, queries: Queries) -> list[Mapping[Labels, float]]:
        tx = Transaction(queries, self._kernel, None, Origin())
        return [declared.read(tx) for declared, _ in self._gauges]
