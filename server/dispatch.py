"""Answers a command: find → authorise → decode → limit → run → answer. It knows no transport."""

import itertools
import secrets
import time
from typing import Any

import msgspec
import structlog

from handlers.kit.bounds import check_bounds
from handlers.kit.command import Command, Route
from handlers.kit.context import Context
from handlers.kit.contract import Request, encode
from handlers.kit.errors import (
    Forbidden,
    Internal,
    Invalid,
    RateLimited,
    Refusal,
    Unavailable,
    UnknownCommand,
)
from handlers.kit.idempotency import UNKNOWN, Replayed
from handlers.kit.kernel import Actor, Kernel, Origin
from handlers.kit.registry import Registry
from server.limits import Limits
from server.logs import CORRELATION, where
from server.telemetry import Metrics
from server.work import Work
from storage.engine.database import OutcomeUnknown, StorageUnavailable

log = structlog.get_logger("dispatch")


class Error(msgspec.Struct, omit_defaults=True):
    """The error of an answer, as PROTOCOL.md defines it."""

    code: str
    message: str
    details: Any = None
    retry_after_s: float | None = None


class Incoming(msgspec.Struct):
    """One command as it arrived."""

    namespace: str
    name: str
    payload: bytes
    actor: Actor | None
    origin: Origin
    socket: Any = None
    expected: str = ""
    """What the payload should have been, if it cannot be read."""


class Answer(msgspec.Struct):
    """The body of the acknowledgement, with the context to finish once it is written."""

    body: bytes
    context: Context
    wait_s: float = 0.0
    """The time to wait that a rate limit imposed on the caller."""


class Dispatcher:
    """Answers the commands of one instance."""

    def __init__(
        self, kernel: Kernel, registry: Registry, limits: Limits, metrics: Metrics
    ) -> None:
        self._kernel = kernel
        self._commands = registry.commands
        self._namespaces = set(registry.namespaces)
        self._limits = limits
        self._metrics = metrics
        self._work = Work(limits)
        self.exceeded: dict[str, tuple[int, ...]] = {}
        """Commands that exceeded their declared costs: reads, writes, stored and answered bytes."""
        self._correlation_prefix = secrets.token_hex(8)
        self._correlation_numbers = itertools.count(1)
        """A correlation id is a random prefix for each instance, and a running number."""

    async def answer(self, incoming: Incoming) -> Answer:
        """Answer `incoming`; refusals and unexpected exceptions become answers too."""
        started, wait_s = time.perf_counter(), 0.0
        correlation_id = f"{self._correlation_prefix}-{next(self._correlation_numbers):x}"
        origin = msgspec.structs.replace(incoming.origin, correlation_id=correlation_id)
        context = Context(self._kernel, incoming.actor, origin, socket=incoming.socket)
        correlation = CORRELATION.set(origin.correlation_id)
        try:
            view = await self._run(incoming, context)
            code, body = "OK", b'{"ok":true,"data":%b}' % msgspec.json.encode(view)
        except Exception as raised:
            refusal = self._refusal_of(raised, incoming, context)
            if refusal is raised:  # only if nothing can have been committed
                context.refused()
            code, body = refusal.CODE, error_body(refusal)
            if isinstance(refusal, RateLimited):
                wait_s = refusal.retry_after_s or 0.0
        finally:
            CORRELATION.reset(correlation)
        self._count(incoming, code, time.perf_counter() - started)
        self._charge(incoming, context, len(body))
        return Answer(body, context, wait_s)

    async def _run(self, incoming: Incoming, context: Context) -> Any:
        try:
            if wait_s := self._work.wait_of(incoming.actor, incoming.origin):
                raise RateLimited("Too many requests; wait.", retry_after_s=wait_s)
            command = self._find(incoming)
            authorise(command, incoming.actor)
            if incoming.expected:
                raise Invalid(details={"path": "$", "expected": incoming.expected})
            request = decode(command, incoming.payload)
            check_bounds(request, self._kernel.rules)
        except Refusal:
            await self._limit("commands", incoming)  # refused commands count against a rate too
            raise
        await self._limit(command.rate, incoming, request.uses())
        context.command = f"{command.namespace} {command.name}"
        context.steps = command.steps
        context.request_id = request_id_of(request) if command.changes else None
        if context.request_id is not None:
            context.payload = msgspec.json.encode(request, order="deterministic")
        return await carry_out(command, context, request)

    def _find(self, incoming: Incoming) -> Command:
        command = self._commands.get((incoming.namespace, incoming.name))
        if command is None:
            raise UnknownCommand
        return command

    def _charge(self, incoming: Incoming, context: Context, answer: int) -> None:
        """Charge for the work, and log a command that exceeded its declared costs."""
        spent = context.spent
        self._work.charge(incoming.actor, incoming.origin, spent, len(incoming.payload), answer)
        command = self._commands.get((incoming.namespace, incoming.name))
        if command is not None and spent.exceeds(command.costs, answer):
            name = f"{command.namespace} {command.name}"
            self.exceeded[name] = (spent.reads, spent.writes, spent.kept_bytes, answer)
            log.error("cost_exceeded", command=name, spent=self.exceeded[name])

    async def _limit(self, rate: str, incoming: Incoming, count: int = 1) -> None:
        person_id = incoming.actor.id if incoming.actor else None
        wait = await self._limits.take_for(rate, person_id, incoming.origin.address, count)
        if wait:
            raise RateLimited(retry_after_s=wait)

    def _refusal_of(self, raised: Exception, incoming: Incoming, context: Context) -> Refusal:
        if isinstance(raised, Refusal):
            return raised
        if isinstance(raised, OutcomeUnknown):
            log.warning("outcome_unknown", command=incoming.name, error=str(raised))
            return Unavailable(
                "It is not known whether this was done.", details=UNKNOWN, retry_after_s=1
            )
        if isinstance(raised, StorageUnavailable | TimeoutError):
            why = str(raised) or type(raised).__name__
            log.warning("unavailable", command=incoming.name, error=why)
            return Unavailable(details=UNKNOWN if context.is_half_done else None, retry_after_s=1)
        log.error(
            "command_failed",
            namespace=incoming.namespace,
            command=incoming.name,
            error=type(raised).__name__,
            where=where(raised),
        )
        return Internal()

    def _count(self, incoming: Incoming, code: str, seconds: float) -> None:
        known = (incoming.namespace, incoming.name) in self._commands
        name = incoming.name if known else "unknown"
        self._metrics.commands.add(incoming.namespace, name, code)
        self._metrics.seconds.add(incoming.namespace, seconds)


async def carry_out(command: Command, context: Context, request: Any) -> Any:
    """Run the command; returns its view, or the stored answer of a repeated request."""
    try:
        view = await command.run(context, request)
    except Replayed as replayed:
        view = replayed.answer
    except Exception:
        await context.release()
        raise
    for afterwards in context.when_done:
        afterwards()
    return view


def authorise(endpoint: Command | Route, actor: Actor | None) -> None:
    """Raises Forbidden unless `actor` (None for a visitor) may use this command or route."""
    if actor is None:
        if not endpoint.visitors:
            raise Forbidden("Sign in first.")
    elif endpoint.roles and not endpoint.roles & actor.roles:
        raise Forbidden


def request_id_of(request: Request) -> str | None:
    """The request id that the client sent with a changing command, if any."""
    request_id = getattr(request, "request_id", None)
    return request_id if isinstance(request_id, str) else None


def decode(command: Command, payload: bytes) -> Any:
    """Decode the payload; raises Invalid with the path and the expected type."""
    try:
        request = command.decoder.decode(payload)
        has_nuls = b"\\u0000" in payload and has_nul(msgspec.json.decode(payload))
    except msgspec.ValidationError as error:
        raise Invalid.of(str(error)) from None
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError):
        raise Invalid(details={"path": "$", "expected": "well-formed JSON"}) from None
    if has_nuls:
        raise Invalid(details={"path": "$", "expected": "text without NUL characters"})
    return request


def has_nul(value: Any) -> bool:
    """Whether `value` contains a NUL character, which PostgreSQL cannot store.

    Walks parsed JSON of any depth without recursion.
    """
    waiting = [value]
    while waiting:
        part = waiting.pop()
        if isinstance(part, str) and "\x00" in part:
            return True
        if isinstance(part, dict):
            waiting += [*part, *part.values()]
        elif isinstance(part, list):
            waiting += part
    return False


def error_body(refusal: Refusal) -> bytes:
    return b'{"ok":false,"error":%b}' % error_of(refusal)


def error_of(refusal: Refusal) -> bytes:
    """A refusal as JSON."""
    error = Error(refusal.CODE, str(refusal), refusal.details, refusal.retry_after_s)
    return encode(error).encode()
