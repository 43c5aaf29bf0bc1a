"""All loaded domains, and what is derived from their declarations."""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from pkgutil import iter_modules
from typing import Any

import msgspec

from handlers.kit.cards import CardKind
from handlers.kit.command import Command, Consumer, Route
from handlers.kit.contract import Event
from handlers.kit.domain import Domain, Tell
from handlers.kit.filter import Filter, NoFilter
from handlers.kit.kernel import EventConsumer
from handlers.kit.notices import NoticeRule
from handlers.kit.personal_data import AllPersonalData
from handlers.kit.rates import KIT_RATES, Rate
from handlers.kit.retention import Retention
from handlers.kit.roles import Role
from handlers.kit.rules import KitRules, Rules
from handlers.kit.settings import Setting, fill, settings_of
from handlers.kit.transaction import Transaction
from handlers.kit.uniqueness import check_declarations

KIT_SETTINGS = (*(one for rate in KIT_RATES for one in rate.settings), *settings_of(KitRules))
PLATFORM = "platform"
"""The system that all other systems may import."""
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
"""The modules of a domain that register something."""
DEMO = "demo"
"""The module of a domain with its part of the demo; only `run.py demo` imports it."""


@dataclass(frozen=True)
class Registry:
    """All domains, with lookups. Raises WrongDeclaration when the declarations contradict."""

    domains: tuple[Domain, ...]
    off: tuple[Domain, ...] = ()
    """Domains that are loaded and not served. Their pending notices are still delivered."""

    def __post_init__(self) -> None:
        check_declarations(self)

    @property
    def by_key(self) -> dict[str, Domain]:
        return {d.key: d for d in self.domains}

    def serving(self, systems: Collection[str]) -> "Registry":
        """The registry of an installation with these systems; the platform is always served."""
        served = {"", PLATFORM, *systems}
        on = tuple(d for d in self.domains if d.system in served)
        if len(on) == len(self.domains):
            return self
        return Registry(on, tuple(d for d in self.domains if d.system not in served))

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
        """Maps each event to the notices that are declared for it."""
        found: dict[type[Event], list[NoticeRule]] = {}
        for rule in (rule for domain in (*self.domains, *self.off) for rule in domain.notices):
            found.setdefault(rule.event, []).append(rule)
        return found

    @property
    def roles(self) -> dict[str, Role]:
        """All roles by name, in the order of the domains."""
        return {role.name: role for d in self.domains for role in d.roles}

    @property
    def rates(self) -> dict[str, Rate]:
        """All rates by name: those of the kit, then those of the domains."""
        return {
            rate.name: rate for rate in (*KIT_RATES, *(r for d in self.domains for r in d.rates))
        }

    @property
    def settings(self) -> tuple[Setting, ...]:
        """The settings of the kit and of these domains."""
        return tuple(setting for _, setting in self.placed_settings)

    @property
    def placed_settings(self) -> tuple[tuple[str, Setting], ...]:
        """Each setting with the place of its declaration."""
        kit = [("the kit", setting) for setting in KIT_SETTINGS]
        return (*kit, *((d.place, setting) for d in self.domains for setting in d.settings))

    @property
    def rules(self) -> tuple[type[msgspec.Struct], ...]:
        """The structs that declare the rules of the kit and of these domains."""
        return (KitRules, *(d.rules for d in self.domains if d.rules))

    def make_rules(self, values: Mapping[str, Any]) -> Rules:
        """All rules, from the values of all settings."""
        return Rules(*(fill(declared, values) for declared in self.rules))

    @property
    def default_rules(self) -> Rules:
        """All rules with their defaults."""
        return Rules(*(declared() for declared in self.rules))

    @property
    def routes(self) -> list[Route]:
        return [route for d in self.domains for route in d.routes]

    @property
    def cards(self) -> dict[str, CardKind[Any]]:
        """All kinds of cards by name."""
        return {kind.name: kind for d in self.domains for kind in d.cards}

    def open_filter(self, rules: Rules) -> Filter:
        """The filter of the domain that provides one (`OpenFilter`), or `NoFilter`."""
        opens = next((d.opens_filter for d in self.domains if d.opens_filter is not None), None)
        return opens(rules) if opens else NoFilter()

    @property
    def personal_data(self) -> AllPersonalData:
        """The personal data rules of these domains; raises WrongDeclaration for a repeated name."""
        answers = {f"{c.namespace} {c.name}": c.view for c in self.commands.values()}
        cards = {name: kind.view for name, kind in self.cards.items()}
        steps = {f"{c.namespace} {c.name}": c.steps for c in self.commands.values()}
        parts = ((d.key, d.personal_data) for d in self.domains)
        return AllPersonalData(parts, answers, cards, steps)

    @property
    def retentions(self) -> tuple[Retention, ...]:
        return tuple(one for d in self.domains for one in d.retentions)

    def hearers(self) -> dict[type[Event], tuple[EventConsumer, ...]]:
        """Maps each event to its consumers."""
        found: dict[type[Event], list[EventConsumer]] = {}
        for consumer in self.consumers.values():
            for event in consumer.events:
                entry = EventConsumer(consumer.name, consumer.filter)
                found.setdefault(event, []).append(entry)
        return {event: tuple(consumers) for event, consumers in found.items()}


def _consumer_of(
    domain: Domain, tell: Tell, rules: dict[type[Event], list[NoticeRule]]
) -> Consumer:
    def run(tx: Transaction, event: Event) -> None:
        for rule in rules[type(event)]:
            tell(tx, rule, event)

    return Consumer(
        name=f"{domain.key}.{tell.__name__}",
        events=tuple(rules),
        run=run,
        outbound=False,
        backfill=False,
        filter=lambda rules, event: True,
    )


def load_domains(systems: Mapping[str, Iterable[str]]) -> Registry:
    """The domains of `systems` (system → names), with all their modules; imported only once."""
    return _load(tuple((system, name) for system, names in systems.items() for name in names))


@cache
def _load(named: tuple[tuple[str, str], ...]) -> Registry:
    return Registry(tuple(_load_domain(system, name) for system, name in named))


@cache
def _load_domain(system: str, name: str) -> Domain:
    place = f"handlers.{system}.{name}"
    package = import_module(place)
    for part in PARTS:
        if find_spec(f"{place}.{part}"):
            _import_whole(f"{place}.{part}")
    domain: Domain = getattr(package, name)
    domain.messages.read(Path(package.__path__[0]) / "messages")
    return domain


def _import_whole(name: str) -> None:
    """Import a module; if it is a package, import its modules too."""
    module = import_module(name)
    for part in iter_modules(getattr(module, "__path__", [])):
        import_module(f"{name}.{part.name}")
