"""Checks that each name is declared once: a duplicate stops the start."""

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from msgspec import NODEFAULT

from handlers.kit.contract import ChangeOnce, Event, declared_events, stored_name
from handlers.kit.errors import ALWAYS_POSSIBLE, Refusal
from handlers.kit.rates import KIT_RATES

if TYPE_CHECKING:
    from handlers.kit.command import Command, Route
    from handlers.kit.domain import Domain
    from handlers.kit.registry import Registry

SOCKET_IO_NAMES = ("connect", "connect_error", "disconnect", "disconnecting")
"""Names that Socket.IO reserves: clients cannot send them."""
SERVER_NAMES = (*SOCKET_IO_NAMES, "synced", "session_ended")
"""Names that the server sends in every namespace."""
LENGTHS_MAX = {"event": 64, "command": 80, "consumer": 100, "kind of notice": 40}
LENGTHS_MAX |= {"kind of mail": 40}
"""Maximum lengths of names that have a column; the databases would refuse a longer one too late."""
LENGTH_MAX = 100
"""The maximum length of all other names, for logs and metrics."""
METHODS = ("GET", "POST", "PUT", "PATCH", "DELETE")


class WrongDeclaration(TypeError):
    """The declarations of domains contradict each other; the text names the places."""


class Names:
    """The names of one kind, each with the place of its declaration."""

    def __init__(self, kind: str) -> None:
        self._kind = kind
        self._places: dict[Any, str] = {}

    def take(self, name: Any, place: str) -> None:
        """Record a name; raises WrongDeclaration when it is taken or too long."""
        text = " ".join(name) if isinstance(name, tuple) else name
        check_length(self._kind, text, place)
        if name in self._places:
            raise WrongDeclaration(
                f"{self._kind} {text} is declared twice: {self._places[name]} and {place}"
            )
        self._places[name] = place

    def reserve(self, names: Iterable[Any], place: str) -> None:
        self._places |= dict.fromkeys(names, place)

    def __contains__(self, name: object) -> bool:
        return name in self._places


def check_length(kind: str, name: str, place: str) -> None:
    """Raises WrongDeclaration when the name is too long to be kept."""
    most = LENGTHS_MAX.get(kind, LENGTH_MAX)
    if len(name) > most:
        raise WrongDeclaration(f"{place}: {kind} {name} is longer than {most} characters")


def check_declarations(registry: "Registry") -> None:
    """Raises WrongDeclaration for the first name that is declared twice or not declared."""
    namespaces = _check_domains(registry)
    roles, rates = _check_roles(registry), _check_rates(registry)
    _check_settings(registry)
    _check_commands(registry, namespaces, roles, rates)
    _check_routes(registry, roles, rates)
    _check_consumers(registry)
    _check_retentions(registry)
    _check_measures(registry)
    _check_lengths(registry)
    _check_client_names(registry, _check_events(registry))
    _check_refusals(registry)
    _check_cards(registry)
    _check_filter(registry)


def _check_domains(registry: "Registry") -> Names:
    domains, namespaces = Names("domain"), Names("namespace")
    for domain in registry.domains:
        domains.take(domain.key, domain.place)
        if domain.namespace is not None:
            namespaces.take(domain.namespace, domain.place)
    return namespaces


def _check_roles(registry: "Registry") -> Names:
    roles = Names("role")
    for domain in registry.domains:
        for role in domain.roles:
            roles.take(role.name, domain.place)
    return roles


def _check_rates(registry: "Registry") -> Names:
    rates = Names("rate")
    rates.reserve([rate.name for rate in KIT_RATES], "the kit")
    for domain in registry.domains:
        for rate in domain.rates:
            rates.take(rate.name, domain.place)
            if fault := rate.fault:
                raise WrongDeclaration(f"{domain.place}: rate {rate.name!r}: {fault}")
    _check_shared_limits(registry)
    return rates


def _check_shared_limits(registry: "Registry") -> None:
    declared = registry.rates
    for domain in registry.domains:
        for rate in domain.rates:
            if rate.like and declared.get(rate.like.name) != rate.like:
                raise WrongDeclaration(f"{domain.place}: no domain declares {rate.like}")


def _check_settings(registry: "Registry") -> None:
    settings = Names("setting")
    for place, setting in registry.placed_settings:
        settings.take(setting.name, place)
        if setting.default is NODEFAULT:
            raise WrongDeclaration(f"{place}: setting {setting.name} has no default")
        if not setting.description:
            raise WrongDeclaration(f"{place}: setting {setting.name} has no description")


def _check_commands(registry: "Registry", namespaces: Names, roles: Names, rates: Names) -> None:
    commands = Names("command")
    for namespace in registry.namespaces:
        commands.reserve([(namespace, name) for name in SOCKET_IO_NAMES], "Socket.IO itself")
    for command in (command for domain in registry.domains for command in domain.commands):
        place = place_of(command.run)
        commands.take((command.namespace, command.name), place)
        if command.namespace not in namespaces:
            raise WrongDeclaration(f"{place}: no domain has the namespace {command.namespace!r}")
        if command.visitors and issubclass(command.request, ChangeOnce):
            raise WrongDeclaration(f"{place}: commands for visitors cannot require a request id")
        _check_access(command, roles, rates, place)
        _check_use_by_clients(registry.namespaces[command.namespace], command, place)


def _check_use_by_clients(domain: "Domain", command: "Command", place: str) -> None:
    if domain.anonymous and not command.visitors:
        raise WrongDeclaration(f"{place}: clients enter {domain.namespace} without a token")
    if command.changes and not command.repeatable:
        raise WrongDeclaration(f"{place}: with its request id it can be repeated")
    follows = command.name == "watch" and "seq" in command.view.__struct_fields__
    if follows != (command.watches is not None):
        raise WrongDeclaration(f"{place}: `watches` is for a `watch` whose answer has a seq")
    if follows and len(command.request.__struct_fields__) != 1:
        raise WrongDeclaration(f"{place}: its request needs one field, the id of what it watches")


def _check_routes(registry: "Registry", roles: Names, rates: Names) -> None:
    routes = Names("route")
    for route in registry.routes:
        place = place_of(route.run)
        routes.take((route.method, route.pattern), place)
        if route.method not in METHODS:
            raise WrongDeclaration(f"{place}: {route.method!r} is not one of {', '.join(METHODS)}")
        _check_access(route, roles, rates, place)


def _check_access(endpoint: "Command | Route", roles: Names, rates: Names, place: str) -> None:
    if endpoint.visitors and endpoint.roles:
        raise WrongDeclaration(f"{place}: it cannot have both visitors and roles")
    for role in sorted(endpoint.roles):
        if role not in roles:
            raise WrongDeclaration(f"{place}: no domain declares the role {role!r}")
    if endpoint.rate not in rates:
        raise WrongDeclaration(f"{place}: no domain declares the rate {endpoint.rate!r}")


def _check_consumers(registry: "Registry") -> None:
    consumers = Names("consumer")
    for domain in registry.domains:
        for consumer in domain.consumers:
            consumers.take(consumer.name, place_of(consumer.run))
        if domain.teller is not None:  # it becomes a consumer
            consumers.take(f"{domain.key}.{domain.teller.__name__}", place_of(domain.teller))


def _check_retentions(registry: "Registry") -> None:
    """Their names must be unique for housekeeping, and the rules that they name must be
    declared."""
    retentions = Names("retention")
    rules = {name for declared in registry.rules for name in declared.__struct_fields__}
    for retention in registry.retentions:
        place = place_of(retention.forget)
        retentions.take(retention.name, place)
        if isinstance(retention.kept, str) and retention.kept not in rules:
            raise WrongDeclaration(f"{place}: no domain declares the rule {retention.kept!r}")


def _check_measures(registry: "Registry") -> None:
    measures = Names("metric")
    for domain in registry.domains:
        names = [one.name for one in domain.counters] + [one.name for one in domain.gauges]
        for name in names:
            measures.take(name, domain.place)


def _check_lengths(registry: "Registry") -> None:
    """Of names that may be declared more than once, or that are checked elsewhere."""
    for domain in registry.domains:
        for rule in domain.notices:
            check_length("kind of notice", rule.kind, place_of(rule.find))
        for mail in domain.mails:
            check_length("kind of mail", mail.kind, domain.place)
        for command in domain.commands:
            for step in command.steps:
                check_length("step", step, place_of(command.run))
        for _, run in (*domain.personal_data.withdrawals, *domain.personal_data.erasures):
            check_length("step", f"{domain.key}.{run.__name__}", place_of(run))


def _check_events(registry: "Registry") -> set[type[Event]]:
    """The events of domains and those with a consumer; tests declare further events."""
    heard = {event for consumer in registry.consumers.values() for event in consumer.events}
    served = {event for event in declared_events() if event.__module__.startswith("handlers.")}
    events = Names("event")
    for event in sorted(heard | served, key=place_of):
        events.take(stored_name(event), place_of(event))
    return heard | served


def _check_client_names(registry: "Registry", events: set[type[Event]]) -> None:
    """Clients distinguish events and ephemeral events of a namespace by name only."""
    heard = Names("event or ephemeral event")
    for namespace in registry.namespaces:
        heard.reserve([(namespace, name) for name in SERVER_NAMES], "the server itself")
    for event in sorted(events, key=place_of):
        if event.NAMESPACE is not None:
            heard.take((event.NAMESPACE, event.NAME), place_of(event))
    for domain in registry.domains:
        for name, data in domain.ephemeral_events.items():
            heard.take((domain.namespace or "", name), place_of(data))


def _check_refusals(registry: "Registry") -> None:
    """Clients distinguish refusals by code only, across all commands."""
    endpoints: list[Command | Route] = [*registry.commands.values(), *registry.routes]
    refusals: set[type[Refusal]] = {*ALWAYS_POSSIBLE}.union(
        *(endpoint.refuses for endpoint in endpoints)
    )
    codes = Names("refusal")
    for refusal in sorted(refusals, key=place_of):
        codes.take(refusal.CODE, place_of(refusal))


def _check_cards(registry: "Registry") -> None:
    cards = Names("card")
    for kind in (kind for domain in registry.domains for kind in domain.cards):
        cards.take(kind.name, place_of(kind.view))


def _check_filter(registry: "Registry") -> None:
    filters = Names("filter")
    for domain in registry.domains:
        if domain.opens_filter is not None:
            filters.take("of what people write", domain.place)


def place_of(declared: Any) -> str:
    """Where a function or class is declared: `module.name`, and the line of a function."""
    code = getattr(declared, "__code__", None)
    line = f":{code.co_firstlineno}" if code else ""
    return f"{declared.__module__}.{declared.__qualname__}{line}"
