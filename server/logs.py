"""Writes log entries: one line each, without data of clients, at a limited rate.

Invariants:
- An entry is one line: unprintable characters are escaped in every value, and long values are cut.
- An exception is logged as its class and code locations. Its message and traceback are not written,
  because they may contain client data.
- An entry of a library shows only the numbers among its arguments: others may contain client data.
- Each kind of entry is written at most `LINES_PER_MINUTE` times a minute. The next entry of that
  kind tells how many were dropped.
"""

import asyncio
import logging
import sys
import time
from collections.abc import Callable, Mapping, MutableMapping
from contextvars import ContextVar
from typing import Any

import structlog

LOG_LEVEL = logging.INFO
LINES_PER_MINUTE = 60
KINDS_MAX = 1_000
VALUE_MAX = 300
PLACES_MAX = 12
CORRELATION: ContextVar[str] = ContextVar("correlation", default="")
"""The correlation id of the running command, for all its log entries."""
Entry = MutableMapping[str, Any]


def set_up_logs(style: str) -> None:
    """Log to standard error, as `text` for people or `json` for machines."""
    before: list[structlog.typing.Processor] = [
        Throttle(),
        add_correlation_id,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        name_exception,
        keep_one_line,
    ]
    last: structlog.typing.Processor = (
        structlog.processors.JSONRenderer()
        if style == "json"
        else structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty())
    )
    structlog.configure(
        processors=[*before, last],
        wrapper_class=structlog.make_filtering_bound_logger(LOG_LEVEL),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
        cache_logger_on_first_use=False,
    )
    handler = logging.StreamHandler(sys.stderr)  # for entries of libraries
    handler.addFilter(LibraryThrottle())
    handler.addFilter(NumbersOnly())
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=[structlog.stdlib.add_logger_name, *before[1:]],
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, last],
        )
    )
    logging.basicConfig(level=logging.WARNING, handlers=[handler])


def where(raised: BaseException) -> list[str]:
    """The code locations that an exception passed, without values, which may be secrets."""
    places = []
    traceback = raised.__traceback__
    while traceback is not None:
        code = traceback.tb_frame.f_code
        places.append(f"{code.co_filename}:{traceback.tb_lineno} {code.co_name}")
        traceback = traceback.tb_next
    return places[-PLACES_MAX:]


def log_loop_error(loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
    """The event loop's exception handler; the default one prints arguments with client data."""
    raised = context.get("exception")
    known = isinstance(raised, BaseException)
    structlog.get_logger("loop").error(
        "loop_error",
        what=str(context.get("message", "")).partition("(")[0].partition("\n")[0],
        error=type(raised).__name__ if known else None,
        where=where(raised) if isinstance(raised, BaseException) else [],
    )


class Budget:
    """Counts entries by kind in the current minute; kinds beyond `KINDS_MAX` share one count."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._minute = 0
        self._written: dict[str, int] = {}
        self._dropped: dict[str, int] = {}

    def take(self, kind: str) -> int | None:
        """None if the entry must be dropped, otherwise the number dropped before it."""
        minute = int(self._clock() // 60)
        if minute != self._minute:
            self._minute, self._written = minute, {}
        if kind not in self._written and len(self._written) >= KINDS_MAX:
            kind = ""
        count = self._written[kind] = self._written.get(kind, 0) + 1
        if count > LINES_PER_MINUTE:
            if kind in self._dropped or len(self._dropped) < KINDS_MAX:
                self._dropped[kind] = self._dropped.get(kind, 0) + 1
            return None
        return self._dropped.pop(kind, 0)


class Throttle:
    """Drops our own entries beyond the budget of their event."""

    def __init__(self) -> None:
        self._budget = Budget()

    def __call__(self, logger: Any, method: str, entry: Entry) -> Entry:
        dropped = self._budget.take(str(entry.get("event", "")))
        if dropped is None:
            raise structlog.DropEvent
        if dropped:
            entry["dropped_before"] = dropped
        return entry


class NumbersOnly(logging.Filter):
    """Shows numbers in a library's entries, and replaces other arguments by their types."""

    def filter(self, record: logging.LogRecord) -> bool:
        if isinstance(record.args, Mapping):
            record.args = {name: _number_or_kind(one) for name, one in record.args.items()}
        elif record.args:
            record.args = tuple(map(_number_or_kind, record.args))
        return True


def _number_or_kind(argument: object) -> object:
    """A number unchanged; anything else as the name of its class."""
    return argument if isinstance(argument, int | float) else Kind(f"<{type(argument).__name__}>")


class Kind(str):
    """Replaces a hidden argument; `%r` shows it without quotes."""

    __repr__ = str.__str__


class LibraryThrottle(logging.Filter):
    """Drops libraries' entries beyond the budget of their logger."""

    def __init__(self) -> None:
        super().__init__()
        self._budget = Budget()

    def filter(self, record: logging.LogRecord) -> bool:
        return self._budget.take(record.name) is not None


def add_correlation_id(logger: Any, method: str, entry: Entry) -> Entry:
    if correlation_id := CORRELATION.get():
        entry["correlation_id"] = correlation_id
    return entry


def name_exception(logger: Any, method: str, entry: Entry) -> Entry:
    """Replace an exception by the name of its class and its code locations."""
    raised = entry.pop("exc_info", None)
    if raised is True:
        raised = sys.exc_info()
    if isinstance(raised, tuple):
        raised = raised[1]
    entry.pop("stack_info", None)
    if isinstance(raised, BaseException):
        entry["error"] = type(raised).__name__
        entry["where"] = where(raised)
    return entry


def keep_one_line(logger: Any, method: str, entry: Entry) -> Entry:
    """Escape and cut all texts, also in lists."""
    for name, value in entry.items():
        if isinstance(value, str):
            entry[name] = printable(value)
        elif isinstance(value, list | tuple):
            entry[name] = [printable(one) if isinstance(one, str) else one for one in value]
        elif value is not None and not isinstance(value, int | float) and name[0] != "_":
            entry[name] = printable(str(value))
    return entry


def printable(text: str) -> str:
    """`text` cut to `VALUE_MAX` characters, with unprintable ones escaped."""
    cut = text if len(text) <= VALUE_MAX else f"{text[:VALUE_MAX]}…"
    if cut.isprintable():
        return cut
    return "".join(
        one if one.isprintable() else one.encode("unicode_escape").decode() for one in cut
    )


class NamesOnly(logging.Filter):
    """Reduces an entry of Engine.IO to the fact that something failed."""

    def filter(self, record: logging.LogRecord) -> bool:
        raised = record.exc_info[1] if record.exc_info else None
        record.msg, record.args = "transport_failed", ()
        return isinstance(raised, BaseException)


def transport_logger() -> logging.Logger:
    """The logger for python-engineio."""
    logger = logging.getLogger("parley.transport")
    logger.setLevel(logging.WARNING)
    if not logger.filters:
        logger.addFilter(NamesOnly())
    return logger
