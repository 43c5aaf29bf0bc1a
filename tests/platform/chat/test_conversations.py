"""Conversations: one for each pair of users, groups of several, and the list of a user's own."""

import asyncio

import pytest

from handlers.kit.kernel import Actor
from handlers.kit.transaction import Transaction
from handlers.platform.chat import rooms_of
from handlers.platform.chat.contracts.conversations import ListConversations
from handlers.platform.chat.service import history, views
from tests.platform.chat.scenes import say, talk
from tests.wire_client import Refused
from tests.world import Person, World, both_databases, one_database

UNKNOWN_ID = "018f0000-0000-7000-8000-000000000000"
SHOWN = {"id", "kind", "name", "picture_id", "member_ids", "owner_ids"}
CONVERSATION = SHOWN | {"seq", "read", "delivered"}
LISTED = CONVERSATION | {"unread", "last_message", "muted_until", "archived", "draft"}


@pytest.fixture
async def people(world) -> list[Person]:
    return [await (await world.person(name)).enter("/chat") for name in ("ana", "ben", "cleo")]


async def test_two_users_have_one_direct_conversation_whoever_opens_it(world, people):
    ana, ben, cleo = people
    opened = await ana.call("/chat", "open", user_id=ben.id)
    assert opened == {
        "id": opened["id"],
        "kind": "direct",
        "picture_id": None,
        "owner_ids": [],
        "name": None,
        "member_ids": sorted([ana.id, ben.id]),
        "seq": 1,
        "read": {},
        "delivered": {},
    }
    assert await ben.call("/chat", "open", user_id=ana.id) == opened
    rooms = {f"chat:{opened['id']}", f"user:{ben.id}"}
    await ben.client.until(lambda: len(ben.events("CONVERSATION_OPENED")) == 2)
    for heard in ben.events("CONVERSATION_OPENED"):
        assert heard.data == {"conversation": opened, "user_id": ana.id}
        assert heard.meta["seq"] == 1
        rooms.remove(heard.meta["room"])
    assert not rooms
    assert cleo.client.heard == []
    assert len(await world.stored("CONVERSATION_OPENED")) == 1


@both_databases
async def test_opening_from_both_sides_at_once_creates_one_conversation(world, people):
    ana, ben, _ = people
    asks = [one.call("/chat", "open", user_id=other.id) for one, other in [(ana, ben), (ben, ana)]]
    first, second = await asyncio.gather(*asks)
    assert first == second
    assert len(await world.stored("CONVERSATION_OPENED")) == 1


async def test_a_conversation_with_oneself_or_an_unknown_user_is_refused(people):
    ana, *_ = people
    for user_id, code in [(ana.id, "INVALID"), (UNKNOWN_ID, "NOT_FOUND"), ("ben", "INVALID")]:
        with pytest.raises(Refused) as refused:
            await ana.call("/chat", "open", user_id=user_id)
        assert refused.value.code == code


async def test_the_members_of_a_direct_conversation_cannot_change(people):
    ana, ben, cleo = people
    chat = await talk(ana, ben)
    commands = [
        ("add_member", {"user_id": cleo.id}),
        ("remove_member", {"user_id": ben.id}),
        ("leave", {}),
    ]
    for command, more in commands:
        with pytest.raises(Refused) as refused:
            await ana.call("/chat", command, conversation_id=chat, **more)
        assert refused.value.code == "CONFLICT"
    assert (await ana.call("/chat", "open", user_id=ben.id))["seq"] == 1


async def test_a_new_group_has_its_creator_and_each_named_member_once(people):
    ana, ben, cleo = people
    named = [ben.id, ana.id, cleo.id, ben.id]
    made = await ana.call("/chat", "create_group", name="Friends", member_ids=named)
    assert made.keys() == CONVERSATION
    assert (made["kind"], made["name"], made["seq"]) == ("group", "Friends", 1)
    assert made["member_ids"] == sorted(one.id for one in people)
    for person in people:
        heard = await person.event("CONVERSATION_OPENED")
        assert heard.data == {"conversation": made, "user_id": ana.id}
        await person.client.until(lambda p=person: len(p.events("CONVERSATION_OPENED")) == 2)
    again = await ana.call("/chat", "create_group", name="Friends", member_ids=named)
    assert again["id"] != made["id"]


@one_database
@pytest.mark.settings(PARLEY_GROUP_MEMBERS_MAX="2")
async def test_a_group_needs_a_name_and_existing_members_up_to_a_limit(people):
    ana, ben, cleo = people
    wrong: list[tuple[dict, str]] = [
        ({"member_ids": [ben.id, cleo.id]}, "INVALID"),
        ({"member_ids": []}, "INVALID"),
        ({"member_ids": [UNKNOWN_ID]}, "NOT_FOUND"),
        ({"name": " "}, "INVALID"),
        ({"name": "x" * 101}, "INVALID"),
    ]
    for change, code in wrong:
        payload = {"name": "Two", "member_ids": [ben.id], **change}
        answer = await ana.client.ask("/chat", "create_group", payload)
        assert answer["error"]["code"] == code, change
    made = await ana.call("/chat", "create_group", name="Two", member_ids=[ben.id])
    with pytest.raises(Refused, match="CONFLICT"):
        await ana.call("/chat", "add_member", conversation_id=made["id"], user_id=cleo.id)
    assert cleo.client.heard == []


async def test_the_list_is_sorted_by_activity_with_unread_counts_and_last_messages(people):
    ana, ben, cleo = people
    with_ben, with_cleo = await talk(ana, ben), await talk(ana, cleo)
    await say(ben, with_ben, "one")
    last = await say(ben, with_ben, "two")
    await say(ana, with_ben, "my own")
    mine = await say(ben, with_ben, "taken back")
    await ben.call("/chat", "delete", message_id=mine["id"])
    page = await ana.call("/chat", "list")
    assert page.keys() == {"conversations", "next", "seq"}
    assert (page["next"], page["seq"]) == (None, 2), "two conversations opened, in one's own room"
    first, second = page["conversations"]
    assert first.keys() == LISTED
    assert (first["id"], first["unread"], first["seq"]) == (with_ben, 2, 6)
    assert first["last_message"]["deleted"]
    assert first["last_message"]["id"] == mine["id"]
    assert (second["id"], second["unread"], second["last_message"]) == (with_cleo, 0, None)
    await ana.call("/chat", "mark_read", conversation_id=with_ben, seq=last["seq"])
    await say(cleo, with_cleo, "me too")
    page = await ana.call("/chat", "list")
    assert [one["id"] for one in page["conversations"]] == [with_cleo, with_ben]
    assert [one["unread"] for one in page["conversations"]] == [1, 0]
    assert (await cleo.call("/chat", "list"))["conversations"][0]["unread"] == 0


async def test_the_list_has_pages_and_refuses_invalid_cursors(world, people):
    ana, ben, cleo = people
    ids = [await talk(ana, ben, cleo) for _ in range(5)]
    seen, before = [], None
    while True:
        page = await ana.call("/chat", "list", limit=2, before=before)
        seen += [one["id"] for one in page["conversations"]]
        if (before := page["next"]) is None:
            break
    assert seen == ids[::-1]
    id_ = ids[0]
    for cursor in ("yesterday", "0001-01-01T00:00:00+14:00 x", f"2999-01-01 {id_}", id_):
        with pytest.raises(Refused) as refused:
            await ana.call("/chat", "list", before=cursor)
        assert refused.value.code == "INVALID"


async def test_unread_counts_start_at_joining_and_have_a_maximum(people, monkeypatch):
    ana, ben, cleo = people
    monkeypatch.setattr(history, "UNREAD_MAX", 2)
    group = (await ana.call("/chat", "create_group", name="G", member_ids=[ben.id]))["id"]
    await say(ana, group, "before")
    await ana.call("/chat", "add_member", conversation_id=group, user_id=cleo.id)
    [listed] = (await cleo.call("/chat", "list"))["conversations"]
    assert (listed["unread"], listed["last_message"]["card"]["kind"]) == (0, "member_added")
    for number in range(3):
        await say(ana, group, str(number))
    [listed] = (await cleo.call("/chat", "list"))["conversations"]
    assert (listed["unread"], listed["last_message"]["text"]) == (2, "2")


def actor_of(person: Person) -> Actor:
    return Actor(person.id, "", frozenset())


async def count_queries_of_list(world: World, person: Person) -> int:
    """The number of statements that listing a user's conversations takes."""
    counted = []

    def list_counted(tx: Transaction) -> None:
        for name in ("one", "all", "scalar", "scalars"):
            ask = getattr(tx, name)
            setattr(tx, name, lambda *a, ask=ask, **values: counted.append(a) or ask(*a, **values))
        history.list_conversations(tx, ListConversations())

    await world.app.context(actor_of(person)).read(list_counted)
    return len(counted)


async def test_the_number_of_queries_does_not_grow_with_the_list(world, people, monkeypatch):
    monkeypatch.setattr(views, "MARKS_BY_PERSON_MAX", 2)
    ana, ben, cleo = people
    await say(ben, await talk(ana, ben, cleo), "a")
    few = await count_queries_of_list(world, ana)
    for _ in range(3):
        await say(ben, await talk(ana, ben, cleo), "a")
    assert await count_queries_of_list(world, ana) == few


async def test_new_messages_do_not_change_the_order_of_a_users_rooms(world, people):
    ana, ben, cleo = people
    first, second = await talk(ana, ben), await talk(ana, cleo)
    for chat in (first, second):
        await say(ana, chat, "a")
        rooms = await world.read(rooms_of, actor_of(ana))
        assert [one.room for one in rooms] == [f"user:{ana.id}", f"chat:{second}", f"chat:{first}"]
