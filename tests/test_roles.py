"""Who may use which command at all, and what nobody may set: every command × every role."""

from collections.abc import Iterator
from typing import Any

import msgspec
import pytest
from msgspec import inspect

from handlers import SYSTEMS
from handlers.kit.command import Route
from handlers.kit.errors import Forbidden
from handlers.kit.kernel import Actor
from handlers.kit.registry import load_domains
from handlers.platform.profile.public import add_role
from server.dispatch import authorise
from tests.wire_client import Client, Refused
from tests.world import Person, World, one_database

REGISTRY = load_domains(SYSTEMS)
COMMANDS = REGISTRY.commands
SIGNED_IN = frozenset(REGISTRY.roles)
ANYBODY = SIGNED_IN | {"visitor"}
CONSULTANTS = frozenset({"consultant"})
MODERATORS = frozenset({"moderator"})

MAY_USE = {
    "/signup": {"start": ANYBODY, "complete": ANYBODY},
    "/auth": {
        "login": ANYBODY,
        "refresh": ANYBODY,
        "logout": ANYBODY,
        "forgot": ANYBODY,
        "reset": ANYBODY,
        "providers": ANYBODY,
        "oauth": ANYBODY,
    },
    "/profile": {
        "me": SIGNED_IN,
        "update": SIGNED_IN,
        "people": SIGNED_IN,
        "change_password": SIGNED_IN,
        "sign_in_methods": SIGNED_IN,
        "link": SIGNED_IN,
        "unlink": SIGNED_IN,
        "remove_password": SIGNED_IN,
        "sessions": SIGNED_IN,
        "end_session": SIGNED_IN,
        "end_other_sessions": SIGNED_IN,
        "set_password": SIGNED_IN,
        "change_email": SIGNED_IN,
        "confirm_email": SIGNED_IN,
        "set_picture": SIGNED_IN,
        "send_proof": SIGNED_IN,
        "prove": SIGNED_IN,
    },
    "/consultants": {
        "become": SIGNED_IN,
        "update": SIGNED_IN,
        "stop": SIGNED_IN,
        "get": ANYBODY,
        "watch": ANYBODY,
        "unwatch": ANYBODY,
        "list": ANYBODY,
        "add_topic": SIGNED_IN,
        "update_topic": SIGNED_IN,
        "remove_topic": SIGNED_IN,
    },
    "/availability": {
        "set_default_schedule": CONSULTANTS,
        "override_week": CONSULTANTS,
        "clear_override": CONSULTANTS,
        "get_schedule": CONSULTANTS,
        "set_available_now": CONSULTANTS,
        "list_blocks": ANYBODY,
        "check": ANYBODY,
        "watch": ANYBODY,
        "unwatch": ANYBODY,
        "join_waiting_list": SIGNED_IN,
        "leave_waiting_list": SIGNED_IN,
    },
    "/booking": {
        "request": SIGNED_IN,
        "request_now": SIGNED_IN,
        "approve": CONSULTANTS,
        "reject": CONSULTANTS,
        "cancel": SIGNED_IN,
        "reschedule": SIGNED_IN,
        "get": SIGNED_IN,
        "list": SIGNED_IN,
    },
    "/chat": {
        "open": SIGNED_IN,
        "create_group": SIGNED_IN,
        "add_member": SIGNED_IN,
        "remove_member": SIGNED_IN,
        "leave": SIGNED_IN,
        "send": SIGNED_IN,
        "send_media": SIGNED_IN,
        "media": SIGNED_IN,
        "get": SIGNED_IN,
        "react": SIGNED_IN,
        "edit": SIGNED_IN,
        "delete": SIGNED_IN,
        "mark_read": SIGNED_IN,
        "mark_delivered": SIGNED_IN,
        "typing": SIGNED_IN,
        "history": SIGNED_IN,
        "list": SIGNED_IN,
        "request_booking": SIGNED_IN,
        "rename": SIGNED_IN,
        "set_picture": SIGNED_IN,
        "set_role": SIGNED_IN,
        "pin": SIGNED_IN,
        "pins": SIGNED_IN,
        "receipts": SIGNED_IN,
        "search": SIGNED_IN,
        "mute": SIGNED_IN,
        "archive": SIGNED_IN,
        "draft": SIGNED_IN,
        "delete_for_me": SIGNED_IN,
        "block": SIGNED_IN,
        "blocked": SIGNED_IN,
    },
    "/moderation": {
        "flag": SIGNED_IN,
        "queue": MODERATORS,
        "case": MODERATORS,
        "media": MODERATORS,
        "decide": MODERATORS,
        "undo": MODERATORS,
        "audit": MODERATORS,
    },
    "/waiting-room": {
        "enter": SIGNED_IN,
        "leave": SIGNED_IN,
        "queue": SIGNED_IN,
        "admit": SIGNED_IN,
    },
    "/call": {
        "current": SIGNED_IN,
        "join": SIGNED_IN,
        "signal": SIGNED_IN,
        "leave": SIGNED_IN,
        "end": SIGNED_IN,
    },
    "/presence": {"watch": SIGNED_IN, "unwatch": SIGNED_IN, "set_status": SIGNED_IN},
    "/notifications": {
        "list": SIGNED_IN,
        "mark_read": SIGNED_IN,
        "register_device": SIGNED_IN,
        "unregister_device": SIGNED_IN,
    },
    "/account": {
        "export": SIGNED_IN,
        "get": SIGNED_IN,
        "delete": SIGNED_IN,
        "restore": SIGNED_IN,
    },
}
"""By namespace and command: the roles that are let in. A new command fails until it is here."""

THE_SERVERS = (
    *("role", "roles", "entitlements", "actor_id", "sender_id", "student_id", "created_at"),
    *("status", "state", "active", "taken", "version", "seq", "id", "session_id", "is_admin"),
    *("price", "amount", "currency", "hourly_rate", "talked_s", "email_verified"),
    *("hold_expires_at", "expires_at", "starts_at", "ends_at", "position", "ahead"),
)
"""What clients like to send and only the server decides."""

ASKED_FOR = {
    "/profile end_session session_id",  # one's own
    "/booking approve version",  # the one that the client has seen
    "/booking reject version",
    "/booking cancel version",
    "/booking reschedule version",
    "/booking list status",  # a filter
    "/moderation decide version",
    "/moderation undo version",
    "/chat mark_read seq",  # one's own marks
    "/chat mark_delivered seq",
    "/chat set_role role",  # a member's, by an owner of their group
    "/consultants add_topic hourly_rate",  # one's own price
    "/consultants update_topic hourly_rate",
    "/presence set_status status",  # one's own
}
"""The few of these names that a command takes, and why that is right."""


def each_command() -> Iterator[tuple[str, str, frozenset[str]]]:
    for namespace, commands in MAY_USE.items():
        for name, roles in commands.items():
            yield namespace, name, roles


def test_every_command_is_in_the_table_and_the_table_knows_no_others():
    assert {(namespace, name) for namespace, name, _ in each_command()} == set(COMMANDS)


MAY_REQUEST = {
    "GET /oauth/{}/start": ANYBODY,
    "GET /oauth/{}/callback": ANYBODY,
    "POST /oauth/{}/callback": ANYBODY,
    "POST /uploads": SIGNED_IN,
    "GET /uploads/{}": SIGNED_IN,
    "POST /uploads/{}/parts/{:[0-9]{1,5}}": SIGNED_IN,
    "POST /uploads/{}/complete": SIGNED_IN,
    "DELETE /uploads/{}": SIGNED_IN,
    "GET /pictures/{}": ANYBODY,
    "PUT /files/{:[a-z]+/.+}": ANYBODY,  # by a signed address
    "GET /files/{:[a-z]+/.+}": ANYBODY,
}
"""By route: the roles that are let in. A new route fails until it is here."""


def test_each_route_lets_in_whom_the_table_says():
    found = {
        f"{route.method} {route.pattern}": frozenset(
            role
            for role in ANYBODY
            if is_let_in(route, Actor("u", "s", frozenset({role})) if role != "visitor" else None)
        )
        for route in REGISTRY.routes
    }
    assert found == MAY_REQUEST


def is_let_in(route: Route, actor: Actor | None) -> bool:
    try:
        authorise(route, actor)
    except Forbidden:
        return False
    return True


async def codes(client: Client, namespace: str, payload: dict[str, Any]) -> dict[str, str]:
    """What each command of a namespace answers to a payload that none of them takes."""
    answers = {}
    for name in MAY_USE[namespace]:
        answer = await client.ask(namespace, name, payload)
        answers[name] = answer["error"]["code"]
    return answers


def expected_codes(namespace: str, role: str) -> dict[str, str]:
    """Who lacks the role is told nothing of the payload."""
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
async def test_a_visitor_is_let_in_where_the_table_says_so(world: World):
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


# What nobody may set.


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
    assert taken == ASKED_FOR


def structs_in(kind: inspect.Type) -> Iterator[type]:
    """Every struct that a request's JSON is made of."""
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


def test_what_is_nested_in_a_request_refuses_unknown_fields_too():
    for command in COMMANDS.values():
        for struct in structs_in(inspect.type_info(command.request)):
            assert issubclass(struct, msgspec.Struct)
            assert struct.__struct_config__.forbid_unknown_fields, (command.name, struct)
