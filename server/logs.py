"""How log lines are written: one line each, without content of clients, at a bounded rate.

Invariants:
- A line stays one line: what is not printable is escaped in every value, and long values are cut.
- An exception is logged by its class and the places that it passed. Its message and its traceback
  may hold what a client sent, and are not written.
- A library's line shows of its arguments the numbers alone: others may quote what a client sent.
- Of one kind of event at most `LINES_PER_MINUTE` lines are written a minute; the next line of that
  kind after that says how many were dropped.
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
"""The id of the command that is being answered, for every log line until then."""
Entry = MutableMapping[str, Any]


def set_up_logs(style: str) -> None:
    """Lines on standard error: `text` for people, `json` for machines."""
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
    handler = logging.StreamHandler(sys.stderr)  # what the libraries have to say
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
    """The places that an exception passed, without any values: those may be secrets."""
    places = []
    traceback = raised.__traceback__
    while traceback is not None:
        code = traceback.tb_frame.f_code
        places.append(f"{code.co_filename}:{traceback.tb_lineno} {code.co_name}")
        traceback = traceback.tb_next
    return places[-PLACES_MAX:]


def tell_loop_error(loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
    """The loop's exception handler: its own would print arguments, which may be a client's."""
    raised = context.get("exception")
    known = isinstance(raised, BaseException)
    structlog.get_logger("loop").error(
        "loop_error",
        what=str(context.get("message", "")).partition("(")[0].partition("\n")[0],
        error=type(raised).__name__ if known else None,
        where=where(raised) if isinstance(raised, BaseException) else [],
    )


class Budget:
    """Lines by kind in this minute; of more kinds than `KINDS_MAX` the rest share one count."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._minute = 0
        self._written: dict[str, int] = {}
        self._dropped: dict[str, int] = {}

    def take(self, kind: str) -> int | None:
        """None when the line is to be dropped, else how many were dropped before it."""
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
    """Drops our own lines beyond the budget of their event."""

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
    """Shows what a library says with its numbers, and of other arguments what they are."""

    def filter(self, record: logging.LogRecord) -> bool:
        if isinstance(record.args, Mapping):
            record.args = {name: _number_or_kind(one) for name, one in record.args.items()}
        elif record.args:
            record.args = tuple(map(_number_or_kind, record.args))
        return True


def _number_or_kind(argument: object) -> object:
    """A number as it is; anything else by the name of its class."""
    return argument if isinstance(argument, int | float) else Kind(f"<{type(argument).__name__}>")


class Kind(str):
    """Stands for an argument that is not shown; `%r` puts it in no quotes."""

    __repr__ = str.__str__


class LibraryThrottle(logging.Filter):
    """Drops libraries' lines beyond the budget of their logger."""

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
    """An exception becomes the name of its class and where it was raised."""
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
    """Escapes and cuts every text, also in lists."""
    for name, value in entry.items():
        if isinstance(value, str):
            entry[name] = printable(value)
        elif isinstance(value, list | tuple):
            entry[name] = [printable(one) if isinstance(one, str) else one for one in value]
        elif value is not None and not isinstance(value, int | float) and name[0] != "_":
            entry[name] = printable(str(value))
    return entry


def printable(text: str) -> str:
    """`text` with everything that is not printable escaped, at most `VALUE_MAX` characters."""
    cut = text if len(text) <= VALUE_MAX else f"{text[:VALUE_MAX]}…"
    if cut.isprintable():
        return cut
    return "".join(
        one if one.isprintable() else one.encode("unicode_escape").decode() for one in cut
    )


class NamesOnly(logging.Filter):
    """Lets Engine.IO say that something failed, and nothing of what was sent."""

    def filter(self, record: logging.LogRecord) -> bool:
        raised = record.exc_info[1] if record.exc_info else None
        record.msg, record.args = "transport_failed", ()
        return isinstance(raised, BaseException)


def transport_logger() -> logging.Logger:
    """The logger that python-engineio is given."""
    logger = logging.getLogger("parley.transport")
    logger.setLevel(logging.WARNING)
    if not logger.filters:
        logger.addFilter(NamesOnly())
    return logger
