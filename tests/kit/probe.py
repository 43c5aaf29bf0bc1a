"""A domain for tests of the kernel, which publishes events, waits and fails on request."""

import asyncio
from collections import Counter
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Annotated, Any, ClassVar

from aiohttp import web
from msgspec import Meta

from handlers.kit.context import Context
from handlers.kit.contract import Change, Empty, Event, Nothing, Request, Text, View
from handlers.kit.domain import Domain, Subscription
from handlers.kit.errors import Conflict, NotFound, Refusal, Unavailable
from handlers.kit.kernel import Actor
from handlers.kit.rest import answer
from handlers.kit.transaction import Transaction
from rooms import names
from storage.engine.database import StorageUnavailable
from storage.events.log import Membership

NAMESPACE = "/probe"


class Late(Exception):
    """Raised by a consumer that a test makes fail."""


@dataclass
class Switches:
    """A test's settings for the probe, and what the probe recorded."""

    broken: set[str] = field(default_factory=set)
    """Texts that make the consumers fail."""
    attempts: Counter[str] = field(default_factory=Counter)
    outside: list[str] = field(default_factory=list)
    """Texts that the outbound consumer processed, in order."""
    open: asyncio.Event = field(default_factory=asyncio.Event)
    """Set to release `wait` and the outbound consumer."""
    waiting: list[str] = field(default_factory=list)
    arrived: list[str] = field(default_factory=list)
    left: list[str] = field(default_factory=list)
    departed: list[str] = field(default_factory=list)
    departed_at: list[datetime] = field(default_factory=list)


def rooms_of(tx: Transaction, actor: Actor) -> list[Subscription]:
    return [Subscription(names.user(actor.id))]


def may_watch(tx: Transaction, actor: Actor | None, room: str) -> int | None:
    return 0 if room.startswith("open:") else None


probe = Domain("probe", NAMESPACE, visitors=True, rooms_of=rooms_of, may_watch=may_watch)
switches = Switches()


def reset() -> Switches:
    """New switches for one test."""
    switches.__init__()  # type: ignore[misc]  # the functions below hold on to this very object
    return switches


class Full(Refusal):
    """There is no place left."""


class Counted(Refusal):
    """This was refused, and the refusal is remembered."""

    KEEPS = True


class Said(View):
    """What was said."""

    text: str
    at: str


class Seq(View):
    """A room's number."""

    seq: int


class Say(Change):
    text: Text
    room: Annotated[str, Meta(max_length=100)] = ""
    key: Annotated[str, Meta(max_length=100)] = "one"
    count: Annotated[int, Meta(ge=1, le=100)] = 1


class SayLater(Say, kw_only=True):
    after_s: float
    timer: str = "probe"


class Tell(Request):
    text: str


class Room(Request):
    room: str


class Maybe(Change):
    text: str = ""


class ProbeSaid(Event):
    """Something was said."""

    NAME: ClassVar[str] = "PROBE_SAID"
    NAMESPACE: ClassVar[str | None] = NAMESPACE
    text: str
    room: str
    by_key: str

    def key(self) -> str:
        return f"probe:{self.by_key}"

    def rooms(self) -> tuple[str, ...]:
        return (self.room,)


class ProbeNoted(Event):
    """A consumer had its effect."""

    NAME: ClassVar[str] = "PROBE_NOTED"
    text: str

    def key(self) -> str:
        return "noted"


class ProbeMoved(Event):
    """Somebody joined or left a room."""

    NAME: ClassVar[str] = "PROBE_MOVED"
    NAMESPACE: ClassVar[str | None] = NAMESPACE
    user_id: str
    room: str
    joins: bool
    seq: int

    def key(self) -> str:
        return f"probe:{self.room}"

    def rooms(self) -> tuple[str, ...]:
        return (self.room, names.user(self.user_id))

    def membership(self) -> tuple[Membership, ...]:
        return (Membership(self.user_id, names.stream(NAMESPACE, self.room), self.joins, self.seq),)


# Commands and routes.


@probe.command()
async def say(ctx: Context, ask: Say) -> Said:
    """Say something the given number of times."""
    return await ctx.transact(say_it, ask)


@probe.command()
async def say_later(ctx: Context, ask: SayLater) -> Empty:
    """Say something by a timer."""
    return await ctx.transact(set_it, ask)


@probe.command()
async def cancel_later(ctx: Context, ask: Tell) -> Empty:
    """Cancel a timer."""
    return await ctx.transact(cancel_it, ask)


@probe.command(steps={"one": Said})
async def say_in_two(ctx: Context, ask: Maybe) -> Said:
    """Say something in each of two transactions."""
    await ctx.step("one", say_it, Say(text=ask.text + " one"))
    return await ctx.transact(say_it, Say(text=ask.text + " two"))


@probe.command(visitors=True)
async def echo(ctx: Context, ask: Tell) -> Said:
    """Return the request's text."""
    return Said(text=ask.text, at=ctx.origin.address)


@probe.command()
async def wait(ctx: Context, ask: Tell) -> Empty:
    """Wait until the test opens the gate."""
    switches.waiting.append(ask.text)
    await switches.open.wait()
    return Empty()


@probe.command(roles=("moderator", "admin"))
async def rule(ctx: Context, ask: Nothing) -> Empty:
    """A command for one role only."""
    return Empty()


@probe.route("GET", "/probe/rule", roles=("moderator", "admin"))
async def show_rule(ctx: Context, request: web.Request) -> web.Response:
    """A route for one role only."""
    return answer(Said(text="ruled", at=ctx.user_id))


@probe.command()
async def break_down(ctx: Context, ask: Tell) -> Empty:
    """Raise an unexpected exception that contains the text."""
    raise RuntimeError(ask.text)


@probe.command()
async def break_inside(ctx: Context, ask: Maybe) -> Empty:
    """Raise an unexpected exception in the transaction, after saying something."""
    return await ctx.transact(say_and_break, ask)


@probe.command(refuses=(Full, Counted))
async def refuse(ctx: Context, ask: Maybe) -> Empty:
    """Say something, then refuse in the way that the text names."""
    return await ctx.transact(say_and_refuse, ask)


@probe.command()
async def hear(ctx: Context, ask: Room) -> Seq:
    """Follow a room."""
    return await ctx.rooms.follow(NAMESPACE, ask.room, lambda: ctx.read(head_of, ask.room))


@probe.command()
async def unhear(ctx: Context, ask: Room) -> Empty:
    """Stop following a room."""
    ctx.rooms.unfollow(NAMESPACE, ask.room)
    return Empty()


@probe.command()
async def hold_lease(ctx: Context, ask: Tell) -> Empty:
    """Hold a lease until the socket leaves."""
    ctx.leases.hold(ask.text)
    return Empty()


@probe.command()
async def hold_lease_slowly(ctx: Context, ask: Tell) -> Empty:
    """Hold a lease, then wait until the test opens the gate."""
    ctx.leases.hold(ask.text)
    switches.waiting.append(ask.text)
    await switches.open.wait()
    switches.departed.append(f"{ask.text} was kept")
    return Empty()


@probe.command()
async def hear_slowly(ctx: Context, ask: Room) -> Seq:
    """Follow a room when the test opens the gate."""
    switches.waiting.append(ask.room)
    await switches.open.wait()
    return await ctx.rooms.follow(NAMESPACE, ask.room, lambda: ctx.read(head_of, ask.room))


@probe.disconnects
async def note_departure(ctx: Context, subject: str, lease_id: str, at: datetime) -> None:
    switches.departed.append(subject)
    switches.departed_at.append(at)


@probe.arrives_first
async def note_arrival(ctx: Context) -> None:
    assert ctx.actor is not None
    switches.arrived.append(ctx.actor.id)


@probe.leaves_last
async def note_leaving(ctx: Context) -> None:
    switches.attempts["leaving"] += 1
    if "leaving" in switches.broken:
        raise StorageUnavailable("away")
    switches.left.append(ctx.user_id)


# Decisions.


def say_it(tx: Transaction, ask: Say) -> Said:
    room = ask.room or names.user(tx.actor.id)
    for number in range(ask.count):
        text = ask.text if ask.count == 1 else f"{ask.text} {number}"
        tx.publish(ProbeSaid(text=text, room=room, by_key=ask.key))
    return Said(text=ask.text, at=tx.now.isoformat())


def set_it(tx: Transaction, ask: SayLater) -> Empty:
    event = ProbeSaid(text=ask.text, room=names.user(tx.actor.id), by_key=ask.key)
    tx.publish_later(event, tx.now + timedelta(seconds=ask.after_s), ask.timer)
    return Empty()


def cancel_it(tx: Transaction, ask: Tell) -> Empty:
    tx.cancel_timer(ask.text)
    return Empty()


def say_and_break(tx: Transaction, ask: Maybe) -> Empty:
    say_it(tx, Say(text="never heard"))
    raise KeyError(ask.text)


def say_and_refuse(tx: Transaction, ask: Maybe) -> Empty:
    say_it(tx, Say(text="said before the refusal"))
    refusals: dict[str, Exception] = {
        "full": Full(details={"left": 0}),
        "counted": Counted(),
        "kept": Full().kept(),
        "missing": NotFound(),
        "moved": Conflict(),
        "away": StorageUnavailable("disk full"),
        "slow": TimeoutError(),
        "busy": Unavailable(retry_after_s=3),
    }
    raise refusals[ask.text]


def head_of(tx: Transaction, room: str) -> Seq:
    return Seq(seq=tx.head(NAMESPACE, room))


def move(tx: Transaction, user_id: str, room: str, joins: bool) -> int:
    """Publish an event that adds a user to a room, or removes them; returns its number there."""
    seq = tx.take_number(NAMESPACE, room)
    tx.publish(ProbeMoved(user_id=user_id, room=room, joins=joins, seq=seq))
    return seq


# Consumers.


def hear_it(tx: Transaction, event: ProbeSaid) -> None:
    """Publish a PROBE_NOTED for what was said, or fail after that."""
    switches.attempts[event.text] += 1
    tx.publish(ProbeNoted(text=event.text))
    if event.text in switches.broken:
        raise Late(event.text)


async def carry_outside(ctx: Context, event: ProbeSaid) -> None:
    """Record what was said, as an outbound consumer."""
    switches.attempts[event.text] += 1
    switches.waiting.append(event.text)
    if event.text in switches.broken:
        raise Late(event.text)
    if event.text.startswith("slow"):
        await switches.open.wait()
    switches.outside.append(event.text)


listener = Domain("listener")
listener.consumer(ProbeSaid)(hear_it)
carrier = Domain("carrier")
carrier.consumer(ProbeSaid, outbound=True)(carry_outside)
latecomer = Domain("latecomer")
latecomer.consumer(ProbeSaid, backfill=True)(hear_it)


def texts(events: list[dict[str, Any]]) -> list[str]:
    return [event["text"] for event in events]
