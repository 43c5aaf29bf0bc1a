"""Which role may use which command, and which fields no client may set, for every command."""

from collections.abc import Iterator
from typing import Any

import msgspec
import pytest
from msgspec import inspect

from handlers.kit.command import Route
from handlers.kit.domain import Domain
from handlers.kit.errors import Forbidden
from handlers.kit.kernel import Actor
from handlers.platform.profile.public import add_role
from server.dispatch import authorise
from tests.access import ANYBODY, REGISTRY, SIGNED_IN, Roles, access_of, each_access
from tests.wire_client import Client, Refused
from tests.world import Person, World, one_database

COMMANDS = REGISTRY.commands


def merged() -> dict[str, dict[str, Roles]]:
    """The roles that may use each command, from all domains, by namespace and command."""
    found: dict[str, dict[str, Roles]] = {}
    for access in each_access():
        for namespace, commands in access.commands.items():
            found.setdefault(namespace, {}).update(commands)
    return found


MAY_USE = merged()

THE_SERVERS = (
    *("role", "roles", "entitlements", "actor_id", "sender_id", "student_id", "created_at"),
    *("status", "state", "active", "taken", "version", "seq", "id", "session_id", "is_admin"),
    *("price", "amount", "currency", "hourly_rate", "talked_s", "email_verified"),
    *("hold_expires_at", "expires_at", "starts_at", "ends_at", "position", "ahead"),
)
"""Fields that clients may try to send, but only the server sets."""


def each_command() -> Iterator[tuple[str, str, Roles]]:
    for namespace, commands in MAY_USE.items():
        for name, roles in commands.items():
            yield namespace, name, roles


@pytest.mark.parametrize("domain", REGISTRY.domains, ids=lambda domain: domain.key)
def test_every_domain_declares_who_may_use_its_commands_and_routes(domain: Domain):
    """In its own `access.py` (see `tests/access.py`), which must not list commands of others."""
    access = access_of(domain)
    said = {(space, name) for space, names in access.commands.items() for name in names}
    assert said == {(command.namespace, command.name) for command in domain.commands}
    assert set(access.routes) == {f"{route.method} {route.pattern}" for route in domain.routes}
    of_others = {*access.theirs, *access.anybodys, *access.elsewhere} - said
    assert of_others == set()


def test_each_route_allows_exactly_the_declared_roles():
    found = {
        f"{route.method} {route.pattern}": frozenset(
            role
            for role in ANYBODY
            if is_let_in(route, Actor("u", "s", frozenset({role})) if role != "visitor" else None)
        )
        for route in REGISTRY.routes
    }
    assert found == {k: roles for one in each_access() for k, roles in one.routes.items()}


def is_let_in(route: Route, actor: Actor | None) -> bool:
    try:
        authorise(route, actor)
    except Forbidden:
        return False
    return True


async def codes(client: Client, namespace: str, payload: dict[str, Any]) -> dict[str, str]:
    """The answers of each command of a namespace to a payload that none of them accepts."""
    answers = {}
    for name in MAY_USE[namespace]:
        answer = await client.ask(namespace, name, payload)
        answers[name] = answer["error"]["code"]
    return answers


def expected_codes(namespace: str, role: str) -> dict[str, str]:
    """Without the role, a client learns nothing about the payload."""
    return {
        name: "INVALID" if role in roles else "FORBIDDEN"
        for name, roles in MAY_USE[namespace].items()
    }


@one_database
@pytest.mark.parametrize("role", sorted(SIGNED_IN))
async def test_a_role_is_let_in_where_the_table_says_so(world: World, role: str):
    person = await world.person(role, role)
    await person.enter(*MAY_USE)
    for namespace in MAY_USE:
        found = await codes(person.client, namespace, {"nobody_takes_this": 1})
        assert found == expected_codes(namespace, role), namespace


@one_database
async def test_a_visitor_may_use_exactly_the_declared_commands(world: World):
    for namespace, commands in MAY_USE.items():
        visitor = await world.connect()
        if not any("visitor" in roles for roles in commands.values()):
            with pytest.raises(Refused) as refused:
                await visitor.enter(namespace)
            assert refused.value.code == "TOKEN_MISSING"
            continue
        await visitor.enter(namespace)
        found = await codes(visitor, namespace, {"nobody_takes_this": 1})
        assert found == expected_codes(namespace, "visitor"), namespace


async def test_each_command_looks_at_the_role_anew(world: World):
    person = await world.person("ana")
    await person.enter("/booking")
    assert (await codes(person.client, "/booking", {"x": 1}))["approve"] == "FORBIDDEN"
    await world.transact(add_role, person.id, "consultant")
    await person.client.until(lambda: True)
    assert (await codes(person.client, "/booking", {"x": 1}))["approve"] == "INVALID"


# Fields that no client may set.


@one_database
async def test_no_command_takes_a_field_that_it_does_not_know(world: World):
    person: Person = await world.person("ana", *SIGNED_IN - {"student"})
    await person.enter(*MAY_USE)
    taken = set()
    for namespace, name, _ in each_command():
        for field in ("nobody_takes_this", *THE_SERVERS):
            answer = await person.client.ask(namespace, name, {field: "x"})
            assert answer["ok"] is False
            error = answer["error"]
            assert error["code"] == "INVALID", (namespace, name, field, error)
            if f"unknown field `{field}`" not in error["details"]["expected"]:
                taken.add(f"{namespace} {name} {field}")
    assert taken == {field for access in each_access() for field in access.taken}


def structs_in(kind: inspect.Type) -> Iterator[type]:
    """Every struct in a request's type."""
    if isinstance(kind, inspect.StructType):
        yield kind.cls
        for field in kind.fields:
            yield from structs_in(field.type)
    for inner in (getattr(kind, name, ()) for name in ("types", "item_types")):
        for one in inner:
            yield from structs_in(one)
    for name in ("item_type", "key_type", "value_type", "type"):
        one = getattr(kind, name, None)
        if isinstance(one, inspect.Type):
            yield from structs_in(one)


def test_nested_structs_refuse_unknown_fields_too():
    for command in COMMANDS.values():
        for struct in structs_in(inspect.type_info(command.request)):
            assert issubclass(struct, msgspec.Struct)
            assert struct.__struct_config__.forbid_unknown_fields, (command.name, struct)
