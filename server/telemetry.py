"""The metrics of one instance, which `/metrics` shows."""

from bisect import bisect_left
from collections.abc import Iterable
from itertools import accumulate

from prometheus_client import CollectorRegistry, Counter, Gauge
from prometheus_client.core import CounterMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.registry import Collector

SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5)


class Counts(Collector):
    """A counter that is cheap to increase thousands of times a second; collecting costs more."""

    def __init__(self, name: str, documentation: str, labels: tuple[str, ...]) -> None:
        self._about = (name, documentation)
        self._labels = labels
        self._counts: dict[tuple[str, ...], int] = {}

    def add(self, *labels: str) -> None:
        self._counts[labels] = self._counts.get(labels, 0) + 1

    def collect(self) -> Iterable[Metric]:
        family = CounterMetricFamily(*self._about, labels=self._labels)
        for labels, count in self._counts.items():
            family.add_metric(labels, count)
        yield family


class Times(Collector):
    """A histogram of seconds with one label, which is equally cheap to observe."""

    def __init__(self, name: str, documentation: str, label: str) -> None:
        self._about = (name, documentation)
        self._label = label
        self._counts: dict[str, list[int]] = {}
        self._sums: dict[str, float] = {}

    def add(self, label: str, seconds: float) -> None:
        counts = self._counts.get(label)
        if counts is None:
            counts = self._counts[label] = [0] * (len(SECONDS) + 1)
            self._sums[label] = 0.0
        counts[bisect_left(SECONDS, seconds)] += 1
        self._sums[label] += seconds

    def collect(self) -> Iterable[Metric]:
        family = HistogramMetricFamily(*self._about, labels=(self._label,))
        bounds = (*(str(float(bound)) for bound in SECONDS), "+Inf")
        for label, counts in self._counts.items():
            buckets = list(zip(bounds, accumulate(counts), strict=True))
            family.add_metric((label,), buckets, self._sums[label])
        yield family


class Metrics:
    """All metrics. Each instance has its own registry, so that tests can have several."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self.commands = Counts(
            "parley_commands",
            "Commands answered, by code (OK or the refusal's).",
            ("namespace", "command", "code"),
        )
        self.seconds = Times(
            "parley_command_seconds", "Time from a command's turn to its answer.", "namespace"
        )
        self.events = Counts("parley_events", "Events committed here, by name.", ("name",))
        self.reported = Counts(
            "parley_reported", "What clients reported, by kind and word.", ("what", "word")
        )
        for collector in (self.commands, self.seconds, self.events, self.reported):
            self.registry.register(collector)
        self.connections = Gauge("parley_connections", "Open connections.", registry=self.registry)
        self.sockets = Gauge("parley_sockets", "Open namespaces on them.", registry=self.registry)
        self._show_database()
        self.held = Gauge(
            "parley_held",
            "What is kept in memory, most of it for clients: streams, members, tasks.",
            ["what"],
            registry=self.registry,
        )
        self.cut = Counter(
            "parley_connections_cut", "Connections that were cut off.", registry=self.registry
        )
        self.rejected = Counter(
            "parley_rejected",
            "What was rejected before a handler saw it, by kind.",
            ["kind"],
            registry=self.registry,
        )
        self.sandbox_jobs = Counter(
            "parley_sandbox_jobs",
            "Files that the sandbox read, by reader and outcome.",
            ["reader", "outcome"],
            registry=self.registry,
        )
        self.sandbox_waiting = Gauge(
            "parley_sandbox_waiting", "Files that wait for a turn.", registry=self.registry
        )
        self.sandbox_ended = Counter(
            "parley_sandbox_processes_ended",
            "Sandbox processes that were ended, by reason.",
            ["why"],
            registry=self.registry,
        )
        self._add_deliveries()

    def _add_deliveries(self) -> None:
        self.parked = Gauge(
            "parley_deliveries_parked", "Deliveries that gave up.", registry=self.registry
        )
        self.waiting = Gauge(
            "parley_deliveries_waiting", "Deliveries not yet done.", registry=self.registry
        )
        self.unserved = Gauge(
            "parley_deliveries_unserved",
            "Deliveries of consumers that no running instance serves.",
            registry=self.registry,
        )
        self.backfilled = Counter(
            "parley_backfill_deliveries",
            "Deliveries that backfills queued here.",
            ["consumer"],
            registry=self.registry,
        )
        self.failed = Counter(
            "parley_deliveries_failed",
            "Attempts of consumers that failed.",
            ["consumer"],
            registry=self.registry,
        )

    def _show_database(self) -> None:
        self.database_waits = Times(
            "parley_database_wait_seconds",
            "How long works waited for the database, by kind.",
            "kind",
        )
        self.registry.register(self.database_waits)
        self.database_waiting = Gauge(
            "parley_database_waiting",
            "Works that wait for the database, by kind.",
            ["kind"],
            registry=self.registry,
        )
