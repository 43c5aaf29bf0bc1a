"""All lists have pages of the same kind, and accept only cursors that the server made."""

import base64
import json
import typing
from typing import Any

import pytest

from handlers import SYSTEMS
from handlers.kit.contract import Cursor
from handlers.kit.registry import load_domains
from tests.wire_client import Refused
from tests.world import Person, World, one_database

COMMANDS = load_domains(SYSTEMS).commands.values()
PAGED = sorted((c.namespace, c.name) for c in COMMANDS if "limit" in c.request.__struct_fields__)
OTHER_FIELDS: dict[tuple[str, str], dict[str, Any]] = {("/chat", "search"): {"text": "word"}}
AN_ID = "01a226ff-7091-7046-a033-09a49f14d7ef"
FORGED = base64.urlsafe_b64encode(json.dumps([AN_ID]).encode()).decode().rstrip("=")
GARBAGE = ["garbage", AN_ID, f"2026-11-29T10:00:00.000000Z {AN_ID}", ".", f"{FORGED}.{'0' * 32}"]


def test_every_list_with_pages_takes_a_cursor_and_answers_the_next() -> None:
    for command in COMMANDS:
        if (command.namespace, command.name) in PAGED:
            hints = typing.get_type_hints(command.request, include_extras=True)
            assert hints["before"] == Cursor | None, command.name
            assert "next" in command.view.__struct_fields__, command.name


@pytest.fixture
async def mo(world: World) -> Person:
    return await world.person("mo", "moderator")


@one_database
@pytest.mark.parametrize(("namespace", "command"), PAGED)
async def test_a_cursor_that_the_server_did_not_make_is_refused(
    world: World, mo: Person, namespace: str, command: str
) -> None:
    fields = OTHER_FIELDS.get((namespace, command), {})
    if command == "history":
        ben = await world.person("ben")
        fields = {"conversation_id": (await mo.call("/chat", "open", user_id=ben.id))["id"]}
    assert (await mo.call(namespace, command, **fields))["next"] is None
    for cursor in GARBAGE:
        with pytest.raises(Refused) as refused:
            await mo.call(namespace, command, before=cursor, **fields)
        assert refused.value.code == "INVALID"
        assert refused.value.details["path"] == "$.before"


@one_database
async def test_a_cursor_of_another_list_is_refused(world: World, mo: Person) -> None:
    for name in ("ben", "cleo"):
        await mo.call("/chat", "open", user_id=(await world.person(name)).id)
    cursor = (await mo.call("/chat", "list", limit=1))["next"]
    assert (await mo.call("/chat", "list", limit=1, before=cursor))["next"] is None
    with pytest.raises(Refused, match="INVALID"):
        await mo.call("/notifications", "list", before=cursor)


@one_database
async def test_the_pages_of_a_history_continue_by_cursor_and_by_number(
    world: World, mo: Person
) -> None:
    ben = await world.person("ben")
    chat = (await mo.call("/chat", "open", user_id=ben.id))["id"]
    for text in "abcde":
        await mo.call("/chat", "send", conversation_id=chat, client_id=text, text=text)
    pages, before = [], None
    while True:
        page = await mo.call("/chat", "history", conversation_id=chat, limit=2, before=before)
        pages.append([message["text"] for message in page["messages"]])
        assert page["has_more"] is (page["next"] is not None)
        if (before := page["next"]) is None:
            break
        seq = page["messages"][0]["seq"]
        by_number = await mo.call("/chat", "history", conversation_id=chat, limit=2, before_seq=seq)
        by_cursor = await mo.call("/chat", "history", conversation_id=chat, limit=2, before=before)
        assert by_number == by_cursor
    assert [text for page in pages[::-1] for text in page] == list("abcde")
    with pytest.raises(Refused, match="INVALID"):
        await mo.call("/chat", "history", conversation_id=chat, before="x", before_seq=1)


@one_database
async def test_ids_with_upper_case_digits_name_the_same_objects(world: World, mo: Person) -> None:
    ben = await world.person("ben")
    chat = (await mo.call("/chat", "open", user_id=ben.id.upper()))["id"]
    payload = {"conversation_id": chat.upper(), "client_id": "1", "text": "hello"}
    mentions = [ben.id.upper()]
    message = await mo.call("/chat", "send", **payload, mentions=mentions)
    assert (message["conversation_id"], message["mentions"]) == (chat, [ben.id])
    payload = {"name": "G", "member_ids": [ben.id.upper()], "request_id": "one"}
    group = await mo.call("/chat", "create_group", **payload)
    assert ben.id in group["member_ids"]
    payload["member_ids"] = [ben.id]
    assert await mo.call("/chat", "create_group", **payload) == group, "the same request"
