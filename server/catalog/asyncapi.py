"""The AsyncAPI 3.0 document: a channel for each namespace, an operation for each message."""

from typing import Any

from handlers.kit.command import Command, Route
from handlers.kit.contract import Event
from handlers.kit.errors import ALWAYS_POSSIBLE
from server.catalog.audience import audience_of
from server.catalog.shapes import REF
from server.catalog.vocabulary import (
    CONNECT_REFUSALS,
    NOTICES,
    EphemeralMeta,
    Meta,
    Namespace,
    Vocabulary,
    purpose_in,
    refusals_of,
)

Json = dict[str, Any]
DESCRIPTION = """\
Socket.IO 4 on `/socket.io/`, over WebSocket or polling; each channel is a namespace.

- A *received* message is a command: `socket.emit(name, payload, ack)`. Its reply is the one \
acknowledgement, `{ok: true, data}` or `{ok: false, error}`.
- A *sent* message is an event: `socket.on(name, (data, meta) => …)`; its payload is `data`, its \
headers are `meta`. An ephemeral event's `meta` has no `seq`; a notice has no `meta`.
"""


def describe(vocabulary: Vocabulary) -> Json:
    """The whole document."""
    return {
        "asyncapi": "3.0.0",
        "info": {
            "title": "Parley",
            "version": "1.0.0",
            "description": DESCRIPTION,
            "x-always-possible": {r.CODE: purpose_in(r) for r in ALWAYS_POSSIBLE},
            "x-connect-refusals": {r.CODE: purpose_in(r) for r in CONNECT_REFUSALS},
            "x-granted-by": {role.name: role.granted_by for role in vocabulary.roles.values()},
        },
        "x-routes": [route_facts(vocabulary, route) for route in vocabulary.routes],
        "defaultContentType": "application/json",
        "servers": {"this": server()},
        "channels": {key_of(n): channel(vocabulary, n) for n in vocabulary.namespaces},
        "operations": {
            name: operation
            for namespace in vocabulary.namespaces
            for name, operation in operations(vocabulary, namespace).items()
        },
        "components": {"schemas": vocabulary.shapes.schemas(), "securitySchemes": {"token": TOKEN}},
    }


def list_schemas(vocabulary: Vocabulary) -> Json:
    """JSON Schema of every request, reply and event, by namespace and name."""
    return {
        "commands": {
            n.name: {
                c.name: {"request": ref(vocabulary, c.request), "reply": ref(vocabulary, c.view)}
                for c in n.commands
            }
            for n in vocabulary.namespaces
        },
        "events": {
            n.name: {name: ref(vocabulary, data) for name, data in n.heard.items()}
            for n in vocabulary.namespaces
        },
        "components": {"schemas": vocabulary.shapes.schemas()},
    }


TOKEN: Json = {
    "type": "http",
    "scheme": "bearer",
    "description": "The access token, as `auth.token` when the namespace connects.",
}


def server() -> Json:
    return {
        "host": "{host}",
        "pathname": "/socket.io/",
        "protocol": "ws",
        "description": "Socket.IO 4 (Engine.IO 4).",
        "variables": {"host": {"default": "localhost:8000"}},
    }


def channel(vocabulary: Vocabulary, namespace: Namespace) -> Json:
    """A namespace, with its messages in both directions."""
    messages: Json = {}
    for command in namespace.commands:
        messages |= command_messages(vocabulary, command)
    for name, data in (namespace.heard | NOTICES).items():
        messages[name] = heard_message(vocabulary, namespace, name, data)
    return {
        "address": namespace.name,
        "title": namespace.name,
        "description": namespace.purpose,
        "messages": messages,
        "x-visitors": namespace.visitors,
    }


def command_messages(vocabulary: Vocabulary, command: Command) -> Json:
    """A command's payload, and the two shapes of its answer."""
    codes = sorted({r.CODE for r in ALWAYS_POSSIBLE} | {r.CODE for r in command.refuses})
    error = {
        "allOf": [
            ref(vocabulary, vocabulary.failure),
            {"type": "object", "properties": {"code": {"enum": codes}}},
        ]
    }
    return {
        f"{command.name}.asked": {
            "name": command.name,
            "summary": purpose_in(command.request) or command.purpose,
            "payload": ref(vocabulary, command.request),
        },
        f"{command.name}.done": {
            "summary": "The command succeeded.",
            "payload": envelope(ok=True, data=ref(vocabulary, command.view)),
        },
        f"{command.name}.refused": {
            "summary": "The command was refused.",
            "payload": envelope(ok=False, error=error),
        },
    }


def envelope(*, ok: bool, **content: Json) -> Json:
    """An acknowledgement around `data` or `error`."""
    return {
        "type": "object",
        "properties": {"ok": {"const": ok}, **content},
        "required": ["ok", *content],
    }


def heard_message(vocabulary: Vocabulary, namespace: Namespace, name: str, data: type) -> Json:
    message: Json = {
        "name": name,
        "summary": purpose_in(data),
        "payload": ref(vocabulary, data),
    }
    if name not in NOTICES:
        message["headers"] = ref(
            vocabulary, EphemeralMeta if name in namespace.ephemeral_events else Meta
        )
    return message


def operations(vocabulary: Vocabulary, namespace: Namespace) -> Json:
    """The messages that the server receives and sends in a namespace.

    An ephemeral event may have the name of the command that causes it (`typing`), so the keys of
    sent messages contain `on`.
    """
    key = key_of(namespace)
    return {
        **{f"{key}.{c.name}": receive(vocabulary, key, c) for c in namespace.commands},
        **{f"{key}.on.{e.NAME}": send(key, e.NAME) | facts_of(e) for e in namespace.events},
        **{
            f"{key}.on.{n}": send(key, n) | {"x-ephemeral": True}
            for n in namespace.ephemeral_events
        },
        **{f"{key}.on.{name}": send(key, name) for name in NOTICES},
    }


def receive(vocabulary: Vocabulary, key: str, command: Command) -> Json:
    operation = {
        "action": "receive",
        "channel": {"$ref": f"#/channels/{key}"},
        "summary": command.purpose,
        "messages": [message_ref(key, f"{command.name}.asked")],
        "reply": {
            "channel": {"$ref": f"#/channels/{key}"},
            "messages": [message_ref(key, f"{command.name}.{how}") for how in ("done", "refused")],
        },
        "x-visitors": command.visitors,
        "x-roles": sorted(command.roles),
        "x-rate": vocabulary.rate_of(command),
        "x-cost": command.costs._asdict(),
        "x-takes-request-id": command.changes,
        "x-refusals": refusals_of(command),
    }
    if not command.visitors:
        operation["security"] = [{"$ref": "#/components/securitySchemes/token"}]
    return operation


def route_facts(vocabulary: Vocabulary, route: Route) -> Json:
    """A REST endpoint, for which AsyncAPI has no standard place."""
    return {
        "method": route.method,
        "path": route.path,
        "summary": route.purpose,
        "x-visitors": route.visitors,
        "x-roles": sorted(route.roles),
        "x-rate": vocabulary.rate_of(route),
        "x-refusals": refusals_of(route),
    }


def send(key: str, name: str) -> Json:
    return {
        "action": "send",
        "channel": {"$ref": f"#/channels/{key}"},
        "messages": [message_ref(key, name)],
    }


def facts_of(event: type[Event]) -> Json:
    """The summary, rooms and version of a stored event."""
    return {
        "summary": purpose_in(event),
        "x-rooms": list(audience_of(event)),
        "x-version": event.VERSION,
    }


def key_of(namespace: Namespace) -> str:
    """The channel key of a namespace: `waiting-room` for `/waiting-room`."""
    return namespace.name.strip("/").replace("/", "_")


def message_ref(key: str, name: str) -> Json:
    return {"$ref": f"#/channels/{key}/messages/{name}"}


def ref(vocabulary: Vocabulary, kind: Any) -> Json:
    """The JSON Schema of `kind`, as a reference if it has a name."""
    name = vocabulary.shapes.names.get(kind)
    return {"$ref": REF.format(name=name)} if name else vocabulary.shapes.schema_of(kind)
