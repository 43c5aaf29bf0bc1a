"""Who may use the commands and routes of each domain, as the domain's tests declare it.

`tests/<system>/<domain>/access.py` defines `ACCESS`. `tests/test_roles.py` fails for a domain that
has commands or routes but no such file, and for a command, route or object id missing in it.
"""

from collections.abc import Awaitable, Callable, Iterator, Mapping
from dataclasses import dataclass, field
from importlib import import_module
from importlib.util import find_spec
from typing import Any

from handlers import SYSTEMS
from handlers.kit.domain import Domain
from handlers.kit.registry import load_domains
from tests.world import Person, World

REGISTRY = load_domains(SYSTEMS)
SIGNED_IN = frozenset(REGISTRY.roles)
ANYBODY = SIGNED_IN | {"visitor"}

Roles = frozenset[str]
Key = tuple[str, str]
"""A namespace and a command."""


def only(*roles: str) -> Roles:
    return frozenset(roles)


@dataclass(frozen=True, kw_only=True)
class Access:
    """The declarations of one domain for the tests of roles and of strangers."""

    commands: Mapping[str, Mapping[str, Roles]] = field(default_factory=dict)
    """The roles that may use each command, by namespace and command."""

    routes: Mapping[str, Roles] = field(default_factory=dict)
    """The roles that may use each route, by method and pattern."""

    taken: Mapping[str, str] = field(default_factory=dict)
    """`namespace command field` → why a client may set a field that elsewhere the server sets."""

    theirs: Mapping[Key, tuple[str, Mapping[str, Any]]] = field(default_factory=dict)
    """By command: the field with the id of a user's object, and the rest of the payload.

    A value that is the name of a sample object is replaced by its id.
    """

    anybodys: Mapping[Key, str] = field(default_factory=dict)
    """Commands whose ids refer to public objects, each with the reason."""

    elsewhere: Mapping[Key, str] = field(default_factory=dict)
    """Commands that answer a stranger differently, each with the reason."""

    make_objects: Callable[[World, Person], Awaitable[Mapping[str, str]]] | None = None
    """Creates objects of the domain for this user; returns their ids by the names of fields."""


def access_of(domain: Domain) -> Access:
    """The declarations of a domain's tests; empty without an `access.py`."""
    name = f"tests.{domain.system}.{domain.name}"
    if find_spec(name) is None or find_spec(f"{name}.access") is None:
        return Access()
    access: Access = import_module(f"{name}.access").ACCESS
    return access


def each_access() -> Iterator[Access]:
    """The declarations of each domain, in the order of the registry."""
    yield from map(access_of, REGISTRY.domains)
