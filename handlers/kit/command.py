"""Commands, consumers and room rules are registered beside their code, on their `Domain`."""

import inspect
import re
import sys
import typing
from collections.abc import Awaitable, Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from pkgutil import iter_modules
from typing import Any, Literal, TypeVar

import msgspec

from handlers.kit.backfill import Rebuild
from handlers.kit.cards import CardKind, V
from handlers.kit.context import Context, Transaction
from handlers.kit.contract import Change, Event, Request, View
from handlers.kit.cost import Cost
from handlers.kit.errors import Refusal
from handlers.kit.filter import Filter, NoFilter, OpenFilter
from handlers.kit.kernel import Actor, Hearer, Heeds, Whisper
from handlers.kit.notices import Importance, MailText, Notice, NoticeRule
from handlers.kit.personal_data import AllPersonalData, PersonalData
from handlers.kit.retention import Retention
from handlers.kit.roles import Role
from handlers.kit.translations import Translations
from handlers.kit.uniqueness import WrongDeclaration, check_declarations, place_of

CommandFunction = Callable[..., Awaitable[View | msgspec.Raw]]
Rate = Literal[
    "commands", "messages", "signs", "reach", "searches", "attempts", "journeys", "files"
]
"""What kind of use a command is, each with a rate of its own: `signs` are small and many, `reach`
comes to people who did not ask for it, `attempts` guess secrets."""
F = TypeVar("F", bound=Callable[..., Any])
VARIABLE = re.compile(r"\{[^{}:]*(:[^{}]*(?:\{[^{}]*\}[^{}]*)*)?\}")
"""A variable of a route's path: its name, then the pattern that it may have."""
PLATFORM = "platform"
"""The system that every other one stands on."""
SMALL = Cost()
"""What a command takes that reads or changes a few things."""
OUTSIDE_WITHIN_S = 45.0
"""What outbound consumers do takes no longer than this, unless they say so."""


@dataclass(frozen=True)
class Belonging:
    """A room that a person belongs to, and the number from which on they may hear it."""

    room: str
    from_seq: int = 0


RoomsOf = Callable[[Transaction, Actor], list[Belonging]]
MayWatch = Callable[[Transaction, Actor | None, str], int | None]
"""From which number on somebody may hear a room that they name; None when they may not."""
Departure = Callable[[Context, str, str, datetime], Awaitable[None]]
Device = Callable[[Context], Awaitable[None]]
Retell = Callable[[Transaction, datetime, str], tuple[list[Whisper], str]]
Find = Callable[[Transaction, Any], Iterable[Notice]]
Tell = Callable[[Transaction, NoticeRule, Any], None]


@dataclass(frozen=True)
class Command:
    """One door: everything that dispatching, the catalog and the tests need to know of it."""

    namespace: str
    name: str
    run: CommandFunction
    request: type[Request]
    view: type[View]
    roles: frozenset[str]
    visitors: bool
    rate: Rate
    refuses: tuple[type[Refusal], ...]
    costs: Cost
    decoder: msgspec.json.Decoder[Request]

    @property
    def changes(self) -> bool:
        """Whether it takes a `request_id`."""
        return issubclass(self.request, Change)

    @property
    def purpose(self) -> str:
        return inspect.getdoc(self.run) or ""


@dataclass(frozen=True)
class Route:
    """One REST endpoint: for browsers that are sent here, and for bytes that are no messages."""

    method: str
    path: str
    run: Callable[[Context, Any], Awaitable[Any]]
    roles: frozenset[str]
    visitors: bool
    rate: Rate
    cross_site: bool
    streams: bool
    """Whether its function reads the body itself, by bounds of its own; else it comes whole."""
    takes: type[Request] | None
    gives: type[View] | None
    refuses: tuple[type[Refusal], ...]

    @property
    def pattern(self) -> str:
        """The path without the names of its variables, which do not tell routes apart."""
        return VARIABLE.sub(r"{\1}", self.path)

    @property
    def purpose(self) -> str:
        return inspect.getdoc(self.run) or ""


@dataclass(frozen=True)
class Consumer:
    """A reaction to events of other domains.

    A plain one runs in a transaction of its own with the claim on its delivery; an `outbound` one
    is async, may call outside, and hears an event at least once.
    """

    name: str
    events: tuple[type[Event], ...]
    run: Callable[..., Any]
    outbound: bool
    backfill: bool
    heeds: Heeds
    within_s: float = OUTSIDE_WITHIN_S
    """How long an outbound one may take; one that may take longer waits in a line of its own."""
    formerly: tuple[str, ...] = ()
    """Full names that it had before; it goes on with what they have still to hear."""
    rebuild: Rebuild | None = None
    """What a backfill tells it, from its domain's tables; without it, the stored events."""

    @property
    def is_backfilled(self) -> bool:
        return self.backfill or self.rebuild is not None


@dataclass
class Domain:
    """One domain's name, namespace and what is registered on it.

    Two systems may each have a domain of one `name`; its `key` tells them apart.
    """

    name: str
    namespace: str | None = None
    visitors: bool = False
    rooms_of: RoomsOf = lambda tx, actor: []
    may_watch: MayWatch = lambda tx, actor, room: None
    whispers: dict[str, type[msgspec.Struct]] = field(default_factory=dict)
    roles: tuple[Role, ...] = ()
    commands: list[Command] = field(default_factory=list)
    consumers: list[Consumer] = field(default_factory=list)
    routes: list[Route] = field(default_factory=list)
    cards: list[CardKind[Any]] = field(default_factory=list)
    opens_filter: OpenFilter | None = None
    arrival: Device | None = None
    departure: Departure | None = None
    first_device: Device | None = None
    last_device: Device | None = None
    retell: Retell | None = None
    personal_data: PersonalData = field(default_factory=PersonalData)
    retentions: list[Retention] = field(default_factory=list)
    system: str = ""
    """The system that it is a part of, as the table of contents has it; "" in tests."""
    place: str = field(init=False)
    """Where it is declared, for errors."""

    def __post_init__(self) -> None:
        caller = sys._getframe(2)  # this function is called by the generated `__init__`
        self.place = f"{caller.f_globals['__name__']}:{caller.f_lineno}"

    messages: Translations = field(default_factory=Translations)
    notices: list[NoticeRule] = field(default_factory=list)
    mails: list[MailText] = field(default_factory=list)
    teller: Tell | None = None

    @property
    def key(self) -> str:
        """`platform.chat`."""
        return f"{self.system}.{self.name}" if self.system else self.name

    def command(
        self,
        *,
        name: str | None = None,
        namespace: str | None = None,
        roles: Iterable[str] = (),
        visitors: bool = False,
        rate: Rate = "commands",
        refuses: tuple[type[Refusal], ...] = (),
        costs: Cost = SMALL,
    ) -> Callable[[F], F]:
        """Register an `async def (ctx, request) -> view` as a command.

        `costs` says what one use may take at most; each use is charged for what it did take.
        `namespace` is for the rare door that stands in another domain's namespace.
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
        rate: Rate = "commands",
        cross_site: bool = False,
        streams: bool = False,
        takes: type[Request] | None = None,
        gives: type[View] | None = None,
        refuses: tuple[type[Refusal], ...] = (),
    ) -> Callable[[F], F]:
        """Register an `async def (ctx, request) -> response` of aiohttp as a REST endpoint.

        Only with `cross_site` may pages of other sites post to it. With `streams` the function
        reads the body itself. `takes` and `gives` are the
        JSON of its request and its answer, where it has any.
        """

        def register(run: F) -> F:
            kept = (frozenset(roles), visitors, rate, cross_site, streams, takes, gives, refuses)
            self.routes.append(Route(method, path, run, *kept))
            return run

        return register

    def consumer(
        self,
        *events: type[Event],
        outbound: bool = False,
        backfill: bool = False,
        heeds: Heeds = lambda rules, event: True,
        within_s: float = OUTSIDE_WITHIN_S,
        formerly: tuple[str, ...] = (),
        rebuild: Rebuild | None = None,
    ) -> Callable[[F], F]:
        """Register a reaction to `events`; with `backfill` a new one hears what is stored too.

        With `rebuild` it hears what its domain's tables say instead, however old that is. What it
        does not heed costs nothing: no delivery is made of it. Who renames a consumer or its domain
        declares the former name, `domain.function`, in `formerly`.
        """

        def register(run: F) -> F:
            name = f"{self.name}.{run.__name__}"
            kept = (outbound, backfill, heeds, within_s, formerly, rebuild)
            self.consumers.append(Consumer(name, events, run, *kept))
            return run

        return register

    def card(self, name: str, view: type[V]) -> CardKind[V]:
        """Register a kind of card that shows `view` in conversations (`handlers/kit/cards.py`)."""
        kind = CardKind(name, view)
        self.cards.append(kind)
        return kind

    def forgets(self, kept: str | timedelta) -> Callable[[F], F]:
        """Register what deletes rows older than `kept`, a rule's name or a fixed time (`Forget`).

        Housekeeping runs them in the order in which they are declared.
        """

        def register(run: F) -> F:
            name = f"{self.name}.{run.__name__}"
            if name in [one.name for one in self.retentions]:
                raise TypeError(f"{name} is declared twice")
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
        """Register a `def (tx, event)` that yields the notices of this kind.

        `says` are the names of their values. `text` is the prefix of the message ids, `kind` by
        default; a kind with several texts has a declaration for each.
        """

        def register(find: Find) -> Find:
            kept = (kind, text or kind, event, importance, frozenset(says), find, self.messages)
            self.notices.append(NoticeRule(*kept))
            return find

        return register

    def mail(self, kind: str, *, says: Iterable[str] = (), action: bool = False) -> MailText:
        """Declare an email of this kind; `says` are the names of its values."""
        mail = MailText(kind, frozenset(says), action, self.messages)
        self.mails.append(mail)
        return mail

    def tells(self, run: Tell) -> Tell:
        """Register what delivers the notices of all domains: `def (tx, rule, event)`.

        It becomes one consumer of all events with notices, which keeps each order key in order.
        """
        return self._hook("teller", run)

    def arrives(self, run: F) -> F:
        """Register what happens when a signed-in socket has entered its rooms here."""
        return self._hook("arrival", run)

    def departs(self, run: F) -> F:
        """Register what happens when a socket that attended something is gone."""
        return self._hook("departure", run)

    def arrives_first(self, run: F) -> F:
        """Register what happens when a person's first device on this instance is there."""
        return self._hook("first_device", run)

    def retells(self, run: F) -> F:
        """Register what whispers should have said since a moment: one may have been lost.

        It gives a page of them, and where the next one begins: the text that it is called with
        then; empty for the first page and after the last.
        """
        return self._hook("retell", run)

    def leaves_last(self, run: F) -> F:
        """Register what happens when a person's last device here stayed away for the grace."""
        return self._hook("last_device", run)

    def _hook(self, name: str, run: F) -> F:
        if (before := getattr(self, name)) is not None:
            places = f"{place_of(before)} and {place_of(run)}"
            raise WrongDeclaration(f"{name} of {self.name} is declared twice: {places}")
        setattr(self, name, run)
        return run


@dataclass(frozen=True)
class Registry:
    """All domains, and lookups over them. Raises WrongDeclaration when they do not fit."""

    domains: tuple[Domain, ...]

    def __post_init__(self) -> None:
        check_declarations(self)

    @property
    def by_key(self) -> dict[str, Domain]:
        return {d.key: d for d in self.domains}

    def serving(self, systems: Collection[str]) -> "Registry":
        """What an installation with these systems serves; the platform is always served."""
        served = {"", PLATFORM, *systems}
        return Registry(tuple(d for d in self.domains if d.system in served))

    @property
    def namespaces(self) -> dict[str, Domain]:
        return {d.namespace: d for d in self.domains if d.namespace is not None}

    @property
    def commands(self) -> dict[tuple[str, str], Command]:
        return {(c.namespace, c.name): c for d in self.domains for c in d.commands}

    @property
    def consumers(self) -> dict[str, Consumer]:
        tellers = [_consumer_of(d, d.teller, self.notices) for d in self.domains if d.teller]
        return {c.name: c for c in (*(c for d in self.domains for c in d.consumers), *tellers)}

    @property
    def notices(self) -> dict[type[Event], list[NoticeRule]]:
        """Event → the notices declared for it."""
        found: dict[type[Event], list[NoticeRule]] = {}
        for rule in (rule for domain in self.domains for rule in domain.notices):
            found.setdefault(rule.event, []).append(rule)
        return found

    @property
    def roles(self) -> dict[str, Role]:
        """By name, in the order of the domains."""
        return {role.name: role for d in self.domains for role in d.roles}

    @property
    def routes(self) -> list[Route]:
        return [route for d in self.domains for route in d.routes]

    @property
    def cards(self) -> dict[str, CardKind[Any]]:
        """By name."""
        return {kind.name: kind for d in self.domains for kind in d.cards}

    def open_filter(self, check: str, source: str) -> Filter:
        """The filter of the domain that answers, see `OpenFilter`; `NoFilter` when none does."""
        answers = [(d.name, d.opens_filter) for d in self.domains if d.opens_filter is not None]
        if len(answers) > 1:
            raise TypeError(f"{' and '.join(name for name, _ in answers)} all answer as the filter")
        return answers[0][1](check, source) if answers else NoFilter()

    @property
    def personal_data(self) -> AllPersonalData:
        """What these domains do about personal data; raises TypeError for a name given twice."""
        answers = {f"{c.namespace} {c.name}": c.view for c in self.commands.values()}
        cards = {name: kind.view for name, kind in self.cards.items()}
        return AllPersonalData(((d.name, d.personal_data) for d in self.domains), answers, cards)

    @property
    def retentions(self) -> tuple[Retention, ...]:
        return tuple(one for d in self.domains for one in d.retentions)

    def hearers(self) -> dict[str, tuple[Hearer, ...]]:
        """Event name → the consumers that hear it."""
        heard: dict[str, list[Hearer]] = {}
        for consumer in self.consumers.values():
            for event in consumer.events:
                hearer = Hearer(consumer.name, consumer.heeds)
                heard.setdefault(event.NAME, []).append(hearer)
        return {name: tuple(consumers) for name, consumers in heard.items()}


PARTS = (
    "contracts",
    "commands",
    "consumers",
    "routes",
    "personal",
    "retention",
    "notices",
    "mails",
)
"""The files of a domain in which something is registered."""


def _consumer_of(
    domain: Domain, tell: Tell, rules: dict[type[Event], list[NoticeRule]]
) -> Consumer:
    def run(tx: Transaction, event: Event) -> None:
        for rule in rules[type(event)]:
            tell(tx, rule, event)

    return Consumer(
        name=f"{domain.name}.{tell.__name__}",
        events=tuple(rules),
        run=run,
        outbound=False,
        backfill=False,
        heeds=lambda rules, event: True,
    )


def load_domains(systems: Mapping[str, Iterable[str]]) -> Registry:
    """Import the domains of `systems` (system → names) with whatever files they have."""
    return Registry(
        tuple(_load_domain(system, name) for system, names in systems.items() for name in names)
    )


def _load_domain(system: str, name: str) -> Domain:
    place = f"handlers.{system}.{name}"
    package = import_module(place)
    for part in PARTS:
        if find_spec(f"{place}.{part}"):
            _import_whole(f"{place}.{part}")
    domain: Domain = getattr(package, name)
    domain.system = system
    domain.messages.read(Path(package.__path__[0]) / "messages")
    return domain


def _import_whole(name: str) -> None:
    """Import a module; when it is a package, what is in it too."""
    module = import_module(name)
    for part in iter_modules(getattr(module, "__path__", [])):
        import_module(f"{name}.{part.name}")
