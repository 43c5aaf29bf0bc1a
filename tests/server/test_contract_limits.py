"""What the contracts allow is possible, in every script, from every official client."""

import json
import typing
from collections.abc import Iterator
from typing import Any

import aiohttp
import msgspec
import pytest
from msgspec import inspect

from handlers import SYSTEMS
from handlers.kit.bounds import most_of
from handlers.kit.command import Command
from handlers.kit.registry import load_domains
from handlers.platform.chat.contracts.conversations import CreateGroup
from server.posts import FRAME_MAX
from server.wire import ID_DIGITS_MAX
from tests.server.official import javascript, python
from tests.world import Person, World, both_databases, one_database

REGISTRY = load_domains(SYSTEMS)
RULES = REGISTRY.default_rules
SCRIPTS = {"ascii": "x", "cjk": "語", "emoji": "😀"}
UNBOUNDED = {("/call", "signal", "data"): '"' + "x" * 16_384 + '"'}
"""Fields whose maximum is not in their type, with their largest value."""
CHAT = "/chat"


def largest(kind: inspect.Type, letter: str) -> Any:
    """The largest value of a type, with texts of `letter` where no pattern forbids it."""
    match kind:
        case inspect.Metadata():
            return largest(kind.type, letter)
        case inspect.StrType():
            free = kind.pattern is None or kind.pattern == r"\S"
            return (letter if free else "0") * (kind.max_length or 32)
        case inspect.IntType() | inspect.FloatType():
            return 2**53
        case inspect.DateTimeType():
            return "2026-12-31T23:59:59.999999+00:00"
        case inspect.EnumType() | inspect.LiteralType():
            return "x" * 30
        case inspect.ListType():
            assert kind.max_length is not None
            return [largest(kind.item_type, letter)] * kind.max_length
        case inspect.UnionType():
            return max((largest(one, letter) for one in kind.types), key=lambda v: len(str(v)))
        case inspect.StructType():
            return {one.encode_name: largest(one.type, letter) for one in kind.fields}
    return False


def request_of(command: Command, letter: str) -> Any:
    shape = inspect.type_info(command.request)
    assert isinstance(shape, inspect.StructType)
    return {
        field.encode_name: UNBOUNDED.get((command.namespace, command.name, field.name))
        or largest(field.type, letter)
        for field in shape.fields
    }


@pytest.mark.parametrize("letter", SCRIPTS.values(), ids=list(SCRIPTS))
def test_the_largest_request_of_every_command_fits_a_packet(letter: str) -> None:
    sizes = {}
    for command in REGISTRY.commands.values():
        event = json.dumps([command.name, request_of(command, letter)])  # escaped in ASCII
        head = f"42{command.namespace},{'9' * ID_DIGITS_MAX}"
        sizes[command.namespace, command.name] = len(head) + len(event)
    assert {name: size for name, size in sizes.items() if size > FRAME_MAX} == {}


def texts_of_requests() -> Iterator[tuple[str, Any, int]]:
    """Each free text in a request: its name, its type and its maximum length."""
    for request in {command.request for command in REGISTRY.commands.values()}:
        hints = typing.get_type_hints(request, include_extras=True)
        shape = inspect.type_info(request)
        assert isinstance(shape, inspect.StructType)
        for field in shape.fields:
            for kind in getattr(field.type, "types", (field.type,)):
                bare = kind.type if isinstance(kind, inspect.Metadata) else kind
                if isinstance(bare, inspect.StrType) and bare.pattern in (None, r"\S"):
                    assert bare.max_length is not None, field.name
                    yield f"{request.__name__}.{field.name}", hints[field.name], bare.max_length


@pytest.mark.parametrize("letter", SCRIPTS.values(), ids=list(SCRIPTS))
def test_every_text_may_have_its_maximum_of_characters_in_every_script(letter: str) -> None:
    for name, kind, most in texts_of_requests():
        decoder = msgspec.json.Decoder(kind)
        for encoded in (json.dumps(letter * most), json.dumps(letter * most, ensure_ascii=False)):
            assert decoder.decode(encoded) == letter * most, name
        with pytest.raises(msgspec.ValidationError):
            decoder.decode(json.dumps(letter * (most + 1)))


def test_every_bound_names_a_field_and_a_rule_within_the_maximum_of_its_type() -> None:
    requests = {c.request for c in REGISTRY.commands.values()}
    requests |= {route.takes for route in REGISTRY.routes if route.takes}
    bounded = [(request, field) for request in requests for field in request.BOUNDS]
    assert len(bounded) == 2
    for request, field in bounded:
        assert field in request.__struct_fields__
        assert most_of(request, field, RULES) > 0


# From a socket.


@pytest.fixture
async def chat(world: World, ana: Person) -> str:
    ben = await world.person("ben")
    conversation_id: str = (await ana.call(CHAT, "open", user_id=ben.id))["id"]
    return conversation_id


@one_database
@pytest.mark.parametrize("run", [javascript, python])
@pytest.mark.parametrize("transport", ["polling", "websocket"])
async def test_the_longest_messages_arrive_and_longer_ones_are_refused(
    world: World, ana: Person, chat: str, run: Any, transport: str
) -> None:
    texts = [letter * length for letter in SCRIPTS.values() for length in (8_000, 8_001)]
    commands = [
        ("send", {"conversation_id": chat, "client_id": str(number), "text": text})
        for number, text in enumerate(texts)
    ]
    auth = {"token": ana.token}
    told = await run(world, namespace=CHAT, auth=auth, commands=commands, transports=[transport])
    assert [answer["ok"] for answer in told["answers"]] == [True, False] * len(SCRIPTS)
    kept = [answer["data"]["text"] for answer in told["answers"] if answer["ok"]]
    assert kept == texts[::2]
    codes = {answer["error"]["code"] for answer in told["answers"] if not answer["ok"]}
    assert codes == {"INVALID"}


@one_database
@pytest.mark.settings(PARLEY_GROUP_MEMBERS_MAX="4", PARLEY_LIMITS="default")
async def test_the_catalog_has_the_maximum_of_the_settings_and_more_costs_one_command(
    world: World, ana: Person
) -> None:
    async with aiohttp.ClientSession() as http:
        schemas = (await (await http.get(f"{world.url}/docs/asyncapi.json")).json())["components"]
    requests = schemas["schemas"]
    assert requests["CreateGroup"]["properties"]["member_ids"]["maxItems"] == 3
    assert requests["StartUpload"]["properties"]["size"]["maximum"] == 512 * 1024**2
    await ana.enter(CHAT)
    others = [(await world.person(name)).id for name in ("ben", "cleo", "dora", "emil")]
    payload = {"name": "G", "member_ids": others}
    for _ in range(40):  # more than the burst of `contact`
        answer = await ana.client.ask(CHAT, "create_group", payload)
        assert answer["error"]["code"] == "INVALID"
    assert answer["error"]["details"]["path"] == "$.member_ids"
    payload["member_ids"] = others[:-1]
    assert (await ana.client.ask(CHAT, "create_group", payload))["ok"]


def test_the_default_maximum_of_a_group_counts_its_creator() -> None:
    assert most_of(CreateGroup, "member_ids", RULES) == 999


@both_databases
@pytest.mark.parametrize("letter", SCRIPTS.values(), ids=list(SCRIPTS))
async def test_the_longest_texts_of_profiles_topics_groups_and_drafts_are_stored(
    world: World, ana: Person, letter: str
) -> None:
    ben, name = await world.person("ben"), letter * 100
    long = letter * 8_000
    me = await ana.call("/profile", "update", first_name=name)
    assert me["first_name"] == name
    group = await ana.call(CHAT, "create_group", name=name, member_ids=[ben.id])
    assert group["name"] == name
    draft = await ana.call(CHAT, "draft", conversation_id=group["id"], text=long)
    assert draft["draft"] == long
    about = {"about_me": long, "languages": ["en"], "country": "DE", "time_zone": "Europe/Berlin"}
    assert (await ana.call("/consultants", "become", **about))["about_me"] == long
    rate = {"amount": 1, "currency": "EUR"}
    topic = await ana.call(
        *("/consultants", "add_topic"),
        name=name,
        description=long,
        hourly_rate=rate,
        minimal_duration_minutes=15,
    )
    assert (topic["name"], topic["description"]) == (name, long)
    note = {"message_id": await message_in(ana, ben, group["id"]), "reason": "other"}
    await ana.call("/moderation", "flag", **note, note=letter * 500)


async def message_in(reader: Person, sender: Person, conversation_id: str) -> str:
    """The id of a message that `reader` can flag."""
    sent = {"conversation_id": conversation_id, "client_id": "1", "text": "hello"}
    message_id: str = (await sender.call(CHAT, "send", **sent))["id"]
    return message_id
