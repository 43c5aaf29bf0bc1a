"""The HTML page of `/docs`: every namespace with its commands and events, then their types."""

import re
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup, escape
from msgspec import inspect

from handlers.kit.command import Command, Route
from handlers.kit.errors import ALWAYS_POSSIBLE, Refusal
from server.catalog.audience import audience_of
from server.catalog.shapes import Member
from server.catalog.typescript import spell, spell_any, spell_inline, spell_values, structs
from server.catalog.vocabulary import (
    CONNECT_REFUSALS,
    NOTICES,
    Vocabulary,
    purpose_in,
    refusals_of,
)

TOKEN = re.compile(r'("(?:[^"\\]|\\.)*"|\b[A-Za-z_]\w*\b)')
_templates = Environment(
    loader=FileSystemLoader(Path(__file__).parent),
    autoescape=True,
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)


def write_page(vocabulary: Vocabulary) -> str:
    """The page as HTML."""
    return _templates.get_template("page.html").render(page=Page(vocabulary))


class Page:
    """The data and functions that the template uses."""

    def __init__(self, vocabulary: Vocabulary) -> None:
        self._shapes = vocabulary.shapes
        self._rate_of = vocabulary.rate_of
        self.namespaces = vocabulary.namespaces
        self.routes = vocabulary.routes
        self.types = [cls for cls in structs(self._shapes) if cls not in self._shown_elsewhere()]
        self.choices = {
            name: [value.strip('"') for value in spell_values(values)]
            for values, name in sorted(self._shapes.choices.items(), key=lambda pair: pair[1])
            if name != "ErrorCode"
        } | ({"RoleName": list(vocabulary.roles)} if vocabulary.roles else {})
        self._anchors = {self._shapes.names[cls] for cls in self.types} | set(self.choices)
        self.always = meanings(ALWAYS_POSSIBLE)
        self.at_connect = meanings(CONNECT_REFUSALS)
        self.notices = NOTICES

    purpose = staticmethod(purpose_in)
    refusals = staticmethod(refusals_of)
    audience = staticmethod(audience_of)

    def _shown_elsewhere(self) -> set[type]:
        asked: set[type] = {c.request for n in self.namespaces for c in n.commands}
        asked |= {route.takes for route in self.routes if route.takes}
        return asked | {data for n in self.namespaces for data in n.heard.values()}

    def name(self, cls: type) -> str:
        return self._shapes.names[cls]

    def members(self, cls: type) -> list[Member]:
        return self._shapes.members(cls)

    def spelled(self, member: Member) -> Markup:
        return self._linked(spell(self._shapes, member.type))

    def answer(self, command: Command) -> Markup:
        return self._linked(spell_any(self._shapes, command.view))

    def path(self, route: Route) -> str:
        """A route's path without the patterns of its parameters."""
        return re.sub(r":[^{}]*(?:\{[^{}]*\})?[^{}]*\}", "}", route.path)

    def given(self, route: Route) -> Markup:
        assert route.gives is not None
        return self._linked(spell_any(self._shapes, route.gives))

    def data(self, cls: type) -> Markup:
        return self._linked(spell_inline(self._shapes, cls))

    def _linked(self, spelled: str) -> Markup:
        """A type in which known names are links to their descriptions."""
        pieces = [
            Markup('<a href="#{0}">{0}</a>').format(piece) if piece in self._anchors else piece
            for piece in TOKEN.split(spelled)
        ]
        return Markup().join(escape(piece) for piece in pieces)

    def limits(self, member: Member) -> str:
        return "; ".join(limits_of(member.type))

    def who(self, endpoint: Command | Route) -> str:
        """Who may use a command or a route, in words."""
        if endpoint.roles:
            return " or ".join(sorted(endpoint.roles))
        return "users and visitors" if endpoint.visitors else "signed-in users"

    def cost(self, command: Command) -> str:
        """The maximum cost of a command, in words."""
        cost = command.costs
        return (
            f"{cost.reads:,} rows read, {cost.writes:,} written, "
            f"{cost.kept_kib:,} KiB of events and answer stored, {cost.answer_kib:,} KiB of answer"
        )

    def rate(self, command: Command) -> str:
        """A command's rate, in words."""
        rate = self._rate_of(command)
        texts = {
            "burst": "{} at once",
            "per_s": "then {:g} per second",
            "per_minute": "{} per minute",
        }
        sizes = [text.format(rate[name]) for name, text in texts.items() if name in rate]
        return f"{rate['name']}: {', '.join(sizes)}" if sizes else rate["name"]


def meanings(refusals: tuple[type[Refusal], ...]) -> dict[str, str]:
    return {r.CODE: purpose_in(r) for r in sorted(refusals, key=lambda r: r.CODE)}


def limits_of(kind: inspect.Type) -> list[str]:
    """The constraints on a value beyond its type, in words."""
    match kind:
        case inspect.StrType() | inspect.BytesType():
            pattern = getattr(kind, "pattern", None)
            matches = [f"matches {pattern}"] if pattern else []
            return between(kind.min_length, kind.max_length, "characters") + matches
        case inspect.IntType() | inspect.FloatType():
            least = kind.ge if kind.ge is not None else kind.gt
            return between(least, kind.le if kind.le is not None else kind.lt, "")
        case inspect.DateTimeType():
            return ["a moment with its offset, ISO 8601"]
        case inspect.Metadata():
            return limits_of(kind.type)
        case inspect.UnionType():
            return [limit for inner in kind.types for limit in limits_of(inner)]
        case inspect.DictType():
            inner = limits_of(kind.key_type) + limits_of(kind.value_type)
            return between(kind.min_length, kind.max_length, "entries") + each(inner)
        case inspect.CollectionType():
            inner = limits_of(kind.item_type)
            return between(kind.min_length, kind.max_length, "items") + each(inner)
    return []


def each(limits: list[str]) -> list[str]:
    return [f"each {limit}" for limit in limits]


def between(least: float | None, most: float | None, unit: str) -> list[str]:
    """`1 to 100 characters`, `at most 5`, or nothing."""
    if least is None and most is None:
        return []
    if least == most:
        text = f"exactly {least}"
    elif most is None:
        text = f"at least {least}"
    else:
        text = f"at most {most}" if least is None else f"{least} to {most}"
    return [f"{text} {unit}".strip()]
