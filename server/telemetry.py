"""Logs, metrics and correlation ids."""

import logging
import sys
from bisect import bisect_left
from collections.abc import Iterable, MutableMapping
from contextvars import ContextVar
from itertools import accumulate
from typing import Any

import structlog
from prometheus_client import CollectorRegistry, Counter, Gauge
from prometheus_client.core import CounterMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.registry import Collector

LOG_LEVEL = logging.INFO
CORRELATION: ContextVar[str] = ContextVar("correlation", default="")
"""The id of the command that is being answered, for every log line until then."""
SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5)


def set_up_logs(style: str) -> None:
    """Lines on standard error: `text` for people, `json` for machines."""
    shared: list[structlog.typing.Processor] = [
        add_correlation_id,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    last: list[structlog.typing.Processor] = (
        [structlog.processors.format_exc_info, structlog.processors.JSONRenderer()]
        if style == "json"
        else [structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty())]
    )
    structlog.configure(
        processors=[*shared, *last],
        wrapper_class=structlog.make_filtering_bound_logger(LOG_LEVEL),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
        cache_logger_on_first_use=False,
    )
    handler = logging.StreamHandler(sys.stderr)  # what the libraries have to say
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=[structlog.stdlib.add_logger_name, *shared],
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *last],
        )
    )
    logging.basicConfig(level=logging.WARNING, handlers=[handler])


def add_correlation_id(
    logger: Any, method: str, entry: MutableMapping[str, Any]
) -> MutableMapping[str, Any]:
    if correlation_id := CORRELATION.get():
        entry["correlation_id"] = correlation_id
    return entry


class OneLine(logging.Filter):
    """Bad input makes Engine.IO log tracebacks; here it becomes a line with the error's name."""

    def filter(self, record: logging.LogRecord) -> bool:
        if record.exc_info and record.exc_info[0] is not None:
            record.msg = f"{record.msg}: {record.exc_info[0].__name__}"
            record.exc_info = None
            record.exc_text = None
        return True


def transport_logger() -> logging.Logger:
    """The logger that python-socketio and python-engineio are given."""
    logger = logging.getLogger("parley.transport")
    logger.setLevel(logging.WARNING)
    logger.addFilter(OneLine())
    return logger


class Counts(Collector):
    """A counter for what happens thousands of times a second: only looking at it is dear."""

    def __init__(self, name: str, says: str, labels: tuple[str, ...]) -> None:
        self._about = (name, says)
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
    """A histogram of seconds, likewise; one label."""

    def __init__(self, name: str, says: str, label: str) -> None:
        self._about = (name, says)
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
    """What `/metrics` shows; one registry a server, so that tests can have several."""

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
        for collector in (self.commands, self.seconds, self.events):
            self.registry.register(collector)
        self.connections = Gauge("parley_connections", "Open connections.", registry=self.registry)
        self.sockets = Gauge("parley_sockets", "Open namespaces on them.", registry=self.registry)
        self.held = Gauge(
            "parley_held",
            "What is kept in memory, most of it for clients: streams, members, tasks.",
            ["what"],
            registry=self.registry,
        )
        self.cut = Counter(
            "parley_connections_cut", "Connections that were cut off.", registry=self.registry
        )
        self.parked = Gauge(
            "parley_deliveries_parked", "Deliveries that gave up.", registry=self.registry
        )
        self.waiting = Gauge(
            "parley_deliveries_waiting", "Deliveries not yet done.", registry=self.registry
        )
        self.failed = Counter(
            "parley_deliveries_failed",
            "Attempts of consumers that failed.",
            ["consumer"],
            registry=self.registry,
        )
