"""A domain: its name, its namespace, and everything that its code registers."""

import sys
import typing
from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, TypeVar

import msgspec

from handlers.kit.backfill import Rebuild
from handlers.kit.cards import CardKind, V
from handlers.kit.command import OUTSIDE_WITHIN_S, SMALL, Command, Consumer, RoomOf, Route
from handlers.kit.context import Context
from handlers.kit.contract import Event, Request, View, system_of
from handlers.kit.cost import Cost
from handlers.kit.errors import Refusal
from handlers.kit.filter import OpenFilter
from handlers.kit.kernel import Actor, EphemeralEvent, EventFilter
from handlers.kit.measures import Counter, Gauge
from handlers.kit.notices import (
    Importance,
    MailText,
    Notice,
    NoticeRule,
    Sentence,
    Withdrawal,
)
from handlers.kit.personal_data import PersonalData
from handlers.kit.rates import COMMANDS, Rate
from handlers.kit.retention import Retention
from handlers.kit.roles import Role
from handlers.kit.settings import Setting, settings_of
from handlers.kit.transaction import Transaction
from handlers.kit.translations import Translations
from handlers.kit.uniqueness import WrongDeclaration, place_of

F = TypeVar("F", bound=Callable[..., Any])


@dataclass(frozen=True)
class Subscription:
    """A room that a person belongs to, and the first sequence number that they may receive."""

    room: str
    from_seq: int = 0


RoomsOf = Callable[[Transaction, Actor], list[Subscription]]
MayWatch = Callable[[Transaction, Actor | None, str], int | None]
"""The first sequence number of a requested room that an actor may receive; None when they may not
watch it."""
Disconnect = Callable[[Context, str, str, datetime], Awaitable[None]]
Device = Callable[[Context], Awaitable[None]]
ListChanges = Callable[[Transaction, datetime, str], tuple[list[EphemeralEvent], str]]
Find = Callable[[Transaction, Any], Iterable[Notice | Withdrawal]]
Tell = Callable[[Transaction, NoticeRule, Any], None]


@dataclass
class Domain:
    """One domain: its name, its namespace, and everything registered on it.

    Two systems may have a domain with the same `name`; `key` distinguishes them.
    """

    name: str
    namespace: str | None = None
    visitors: bool = False
    anonymous: bool = False
    """Whether clients enter its namespace without their token: it is for what comes before a
    sign-in."""
    rooms_of: RoomsOf = lambda tx, actor: []
    may_watch: MayWatch = lambda tx, actor, room: None
    ephemeral_events: dict[str, type[msgspec.Struct]] = field(default_factory=dict)
    roles: tuple[Role, ...] = ()
    rates: tuple[Rate, ...] = ()
    rules: type[msgspec.Struct] | None = None
    """A struct whose annotated fields are its rules, with defaults (`handlers/kit/rules.py`)."""
    commands: list[Command] = field(default_factory=list)
    consumers: list[Consumer] = field(default_factory=list)
    routes: list[Route] = field(default_factory=list)
    cards: list[CardKind[Any]] = field(default_factory=list)
    opens_filter: OpenFilter | None = None
    arrival: Device | None = None
    disconnect: Disconnect | None = None
    first_device: Device | None = None
    last_device: Device | None = None
    resync: ListChanges | None = None
    personal_data: PersonalData = field(default_factory=PersonalData)
    retentions: list[Retention] = field(default_factory=list)
    system: str = ""
    """The system it belongs to; by default that of its module, or "" in tests."""
    messages: Translations = field(default_factory=Translations)
    notices: list[NoticeRule] = field(default_factory=list)
    mails: list[MailText] = field(default_factory=list)
    sentences: list[Sentence] = field(default_factory=list)
    teller: Tell | None = None
    counters: list[Counter] = field(default_factory=list)
    gauges: list[Gauge] = field(default_factory=list)
    place: str = field(init=False)
    """The module and line of its declaration, for error messages."""

    def __post_init__(self) -> None:
        caller = sys._getframe(2)  # this function is called by the generated `__init__`
        module = caller.f_globals["__name__"]
        self.place = f"{module}:{caller.f_lineno}"
        self.system = self.system or system_of(module)

    @property
    def key(self) -> str:
        """The system and the name, such as `platform.chat`: the prefix of all stored names."""
        return f"{self.system}.{self.name}" if self.system else self.name

    @property
    def settings(self) -> tuple[Setting, ...]:
        """The settings that the operator can change."""
        rules = settings_of(self.rules) if self.rules else ()
        return (*(setting for rate in self.rates for setting in rate.settings), *rules)

    def command(
        self,
        *,
        name: str | None = None,
        namespace: str | None = None,
        roles: Iterable[str] = (),
        visitors: bool = False,
        rate: str = COMMANDS.name,
        refuses: tuple[type[Refusal], ...] = (),
        costs: Cost = SMALL,
        steps: Mapping[str, type[msgspec.Struct]] | None = None,
        repeatable: bool = True,
        ephemeral: bool = False,
        watches: RoomOf | None = None,
    ) -> Callable[[F], F]:
        """Register an `async def (ctx, request) -> view` as a command.

        `costs` is the maximum cost of one use; each use is charged its measured cost. `steps` are
        the classes of the values that its `ctx.step` calls keep, by name. `namespace` is for the
        rare command that belongs in another domain's namespace. `repeatable`, `ephemeral` and
        `watches` tell clients what to do when an answer is lost, or the connection (`Command`).
        """

        def register(run: F) -> F:
            hints = typing.get_type_hints(run)
            request = next(hint for key, hint in hints.items() if key not in ("ctx", "return"))
            command = Command(
                namespace=namespace or self.namespace or "",
                name=name or run.__name__,
                run=run,
                request=request,
                view=hints["return"],
                roles=frozenset(roles),
                visitors=visitors,
                rate=rate,
                refuses=refuses,
                costs=costs,
                decoder=msgspec.json.Decoder(request),
                steps=steps or {},
                repeatable=repeatable,
                ephemeral=ephemeral,
                watches=watches,
            )
            self.commands.append(command)
            return run

        return register

    def route(
        self,
        method: str,
        path: str,
        *,
        roles: Iterable[str] = (),
        visitors: bool = False,
        rate: str = COMMANDS.name,
        cross_site: bool = False,
        streams: bool = False,
        head: bool = False,
        takes: type[Request] | None = None,
        gives: type[View] | None = None,
        refuses: tuple[type[Refusal], ...] = (),
    ) -> Callable[[F], F]:
        """Register an aiohttp handler `async def (ctx, request) -> response` as a REST endpoint.

        `cross_site` allows pages of other sites to post to it. With `streams` the function reads
        the body itself. With `head`, a GET route also answers HEAD: its answer is a file, and
        running it changes nothing. `takes` and `gives` are the types of its JSON request and
        answer, if it has them.
        """

        def register(run: F) -> F:
            options = (frozenset(roles), visitors, rate, cross_site, streams, head)
            self.routes.append(Route(method, path, run, *options, takes, gives, refuses))
            return run

        return register

    def consumer(
        self,
        *events: type[Event],
        outbound: bool = False,
        backfill: bool = False,
        filter: EventFilter = lambda rules, event: True,
        within_s: float = OUTSIDE_WITHIN_S,
        formerly: tuple[str, ...] = (),
        rebuild: Rebuild | None = None,
    ) -> Callable[[F], F]:
        """Register a consumer of `events`; `backfill` delivers older stored events to a new one.

        With `rebuild`, a backfill uses events built from the domain's tables instead, of any age.
        An event that `filter` rejects costs nothing: no delivery row is written. After a rename of
        the consumer or its domain, `formerly` lists the names `system.domain.function` it had.
        """

        def register(run: F) -> F:
            name = f"{self.key}.{run.__name__}"
            options = (outbound, backfill, filter, within_s, formerly, rebuild)
            self.consumers.append(Consumer(name, events, run, *options))
            return run

        return register

    def card(self, name: str, view: type[V]) -> CardKind[V]:
        """Register a kind of card that shows `view` in conversations (`handlers/kit/cards.py`)."""
        kind = CardKind(name, view)
        self.cards.append(kind)
        return kind

    def forgets(self, kept: str | timedelta) -> Callable[[F], F]:
        """Register a function that deletes rows older than `kept` (`Forget`).

        `kept` is the name of a rule or a fixed duration. Housekeeping runs the functions in the
        order in which they are declared.
        """

        def register(run: F) -> F:
            name = f"{self.key}.{run.__name__}"
            if name in [one.name for one in self.retentions]:
                raise WrongDeclaration(f"{self.place}: {name} is declared twice")
            self.retentions.append(Retention(name, kept, run))
            return run

        return register

    def notifies(
        self,
        event: type[Event],
        kind: str,
        *,
        importance: Importance = "app",
        says: Iterable[str] = (),
        text: str | None = None,
    ) -> Callable[[Find], Find]:
        """Register a `def (tx, event)` that yields the notices of this kind, and withdrawals.

        `says` are the names of the values in their texts. `text` is the prefix of the message ids;
        its default is `kind`. A kind with several texts has one declaration for each.
        """

        def register(find: Find) -> Find:
            options = (kind, text or kind, event, importance, frozenset(says), find, self.messages)
            self.notices.append(NoticeRule(*options))
            return find

        return register

    def mail(self, kind: str, *, says: Iterable[str] = (), action: bool = False) -> MailText:
        """Declare an email of this kind; `says` are the names of the values in its texts."""
        mail = MailText(kind, frozenset(says), action, self.messages)
        self.mails.append(mail)
        return mail

    def sentence(self, name: str) -> Sentence:
        """Declare a message of the domain that stands in other texts, such as a reason."""
        sentence = Sentence(name, self.messages)
        self.sentences.append(sentence)
        return sentence

    def counter(self, name: str, about: str, *labels: str) -> Counter:
        """Declare a counter of `/metrics`, which `Transaction.count` increases."""
        counter = Counter(name, about, labels)
        self.counters.append(counter)
        return counter

    def gauge(self, name: str, about: str, *labels: str) -> Callable[[F], F]:
        """Register a `def (tx)` that returns the values of a gauge by those of its labels."""

        def register(read: F) -> F:
            self.gauges.append(Gauge(name, about, labels, read))
            return read

        return register

    def tells(self, run: Tell) -> Tell:
        """Register the function that delivers the notices of all domains: `def (tx, rule, event)`.

        It becomes one consumer of all events with notices. Events of one order key stay in order.
        """
        return self._hook("teller", run)

    def arrives(self, run: F) -> F:
        """Register a hook for a signed-in socket that has entered its rooms on this instance."""
        return self._hook("arrival", run)

    def disconnects(self, run: F) -> F:
        """Register a hook for a socket that held a lease and has disconnected."""
        return self._hook("disconnect", run)

    def arrives_first(self, run: F) -> F:
        """Register a hook for a person's first connected device on this instance."""
        return self._hook("first_device", run)

    def resyncs(self, run: F) -> F:
        """Register a function that repeats recent ephemeral events, in case some were lost.

        It returns a page of the events that describe changes since a moment, and the cursor of the
        next page. The cursor is empty for the first call and after the last page.
        """
        return self._hook("resync", run)

    def leaves_last(self, run: F) -> F:
        """Register a hook for a person whose last device here stayed away for the grace period."""
        return self._hook("last_device", run)

    def _hook(self, name: str, run: F) -> F:
        if (before := getattr(self, name)) is not None:
            places = f"{place_of(before)} and {place_of(run)}"
            raise WrongDeclaration(f"{name} of {self.name} is declared twice: {places}")
        setattr(self, name, run)
        return run
