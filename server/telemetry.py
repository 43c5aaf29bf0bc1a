"""Logs, metrics and correlation ids."""

import logging
import sys

import structlog
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

LOG_LEVEL = logging.INFO


def set_up_logs(style: str) -> None:
    """Lines on standard error: `text` for people, `json` for machines."""
    shared: list[structlog.typing.Processor] = [
        structlog.contextvars.merge_contextvars,
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
    logging.basicConfig(level=logging.WARNING, stream=sys.stderr, format="%(name)s %(message)s")


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


class Metrics:
    """What `/metrics` shows; one registry a server, so that tests can have several."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self.commands = Counter(
            "parley_commands",
            "Commands answered, by code (OK or the refusal's).",
            ["namespace", "command", "code"],
            registry=self.registry,
        )
        self.seconds = Histogram(
            "parley_command_seconds",
            "Time from a command's turn to its answer.",
            ["namespace"],
            buckets=(0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5),
            registry=self.registry,
        )
        self.connections = Gauge("parley_connections", "Open connections.", registry=self.registry)
        self.sockets = Gauge("parley_sockets", "Open namespaces on them.", registry=self.registry)
        self.events = Counter(
            "parley_events",
            "Events committed here, by name.",
            ["name"],
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
