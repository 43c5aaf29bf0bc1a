"""Who may use what each domain offers, as each declares it in its own tests.

`tests/<system>/<domain>/access.py` has `ACCESS`. A domain with a command or a route and without
that file fails `tests/test_roles.py`, and so does a command, a route or an object's id that the
file leaves out.
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
    """What the tests of roles and of strangers know of one domain."""

    commands: Mapping[str, Mapping[str, Roles]] = field(default_factory=dict)
    """By namespace and command: the roles that are let in."""

    routes: Mapping[str, Roles] = field(default_factory=dict)
    """By method and pattern: the roles that are let in."""

    taken: Mapping[str, str] = field(default_factory=dict)
    """`namespace command field` → why a client may set what only the server decides elsewhere."""

    theirs: Mapping[Key, tuple[str, Mapping[str, Any]]] = field(default_factory=dict)
    """By command: the field that names somebody's object, and what else the command takes.

    A value that is the name of a sample object stands for its id.
    """

    anybodys: Mapping[Key, str] = field(default_factory=dict)
    """Commands whose ids name what everybody may know of, each with the reason."""

    elsewhere: Mapping[Key, str] = field(default_factory=dict)
    """Commands that answer a stranger in another way, each with the reason."""

    make_objects: Callable[[World, Person], Awaitable[Mapping[str, str]]] | None = None
    """Make objects of the domain that are this person's; gives their ids by the names of fields."""


def access_of(domain: Domain) -> Access:
    """What the tests of a domain declare; nothing when they have no `access.py`."""
    name = f"tests.{domain.system}.{domain.name}"
    if find_spec(name) is None or find_spec(f"{name}.access") is None:
        return Access()
    access: Access = import_module(f"{name}.access").ACCESS
    return access


def each_access() -> Iterator[Access]:
    """That of each domain, in the order of the table of contents."""
    yield from map(access_of, REGISTRY.domains)
