"""Groups: owners, names and pictures, and the system notes about their changes."""

import asyncio

import pytest

from tests.platform.chat.scenes import notes, refused, say, talk
from tests.world import Person, both_databases


@pytest.fixture
async def people(world) -> list[Person]:
    return [await (await world.person(name)).enter("/chat") for name in ("ana", "ben", "cleo")]


@pytest.fixture
async def group(people):
    """A group that Ana owns, with Ben and Cleo as members."""
    return await talk(*people)


async def set_role(by: Person, group: str, who: Person, role: str = "owner"):
    return await by.call("/chat", "set_role", conversation_id=group, user_id=who.id, role=role)


async def test_only_owners_can_change_a_group_and_remove_members(people, group):
    ana, ben, cleo = people
    there = {"conversation_id": group}
    for command, more in (
        ("rename", {"name": "Ours"}),
        ("set_picture", {}),
        ("set_role", {"user_id": cleo.id, "role": "owner"}),
        ("remove_member", {"user_id": cleo.id}),
        ("remove_member", {"user_id": ana.id}),
    ):
        assert await refused(ben, command, **there, **more) == "FORBIDDEN", command
    renamed = await ana.call("/chat", "rename", **there, name="Ours")
    assert (renamed["name"], renamed["owner_ids"]) == ("Ours", [ana.id])
    heard = await ben.event("CONVERSATION_CHANGED")
    assert heard.data["conversation"] == renamed
    assert heard.data["message"]["seq"] == heard.meta["seq"] == renamed["seq"]
    assert await ana.call("/chat", "rename", **there, name="Ours") == renamed, "nothing changed"
    await ana.call("/chat", "remove_member", **there, user_id=cleo.id)
    assert await notes(ben, group) == [
        ("renamed", ana.id, {"name": "Ours"}),
        ("member_removed", cleo.id, {}),
    ]


async def test_a_group_with_members_always_has_an_owner(people, group):
    ana, ben, cleo = people
    there = {"conversation_id": group}
    assert await refused(ana, "leave", **there) == "LAST_OWNER"
    assert await refused(ana, "remove_member", **there, user_id=ana.id) == "LAST_OWNER"
    assert await refused(ana, "set_role", **there, user_id=ana.id, role="member") == "LAST_OWNER"
    shared = await set_role(ana, group, ben)
    assert shared["owner_ids"] == sorted([ana.id, ben.id])
    left = await ana.call("/chat", "leave", **there)
    assert (left["owner_ids"], left["member_ids"]) == ([ben.id], sorted([ben.id, cleo.id]))
    assert await refused(ben, "leave", **there) == "LAST_OWNER"
    await cleo.call("/chat", "leave", **there)
    assert (await ben.call("/chat", "leave", **there))["member_ids"] == [], "nobody is left behind"


async def test_a_returning_owner_is_an_ordinary_member(people, group):
    ana, ben, _ = people
    await set_role(ana, group, ben)
    await ben.call("/chat", "leave", conversation_id=group)
    back = await ana.call("/chat", "add_member", conversation_id=group, user_id=ben.id)
    assert back["owner_ids"] == [ana.id]


@both_databases
async def test_the_last_two_owners_cannot_both_leave_at_once(people, group):
    ana, ben, cleo = people
    await set_role(ana, group, ben)
    leaving = [refused(one, "leave", conversation_id=group) for one in (ana, ben)]
    assert sorted(map(str, await asyncio.gather(*leaving))) == ["LAST_OWNER", "None"]
    [listed] = (await cleo.call("/chat", "list"))["conversations"]
    assert len(listed["owner_ids"]) == 1


async def test_a_direct_conversation_has_no_owners_and_no_name(people):
    ana, ben, _ = people
    chat = await talk(ana, ben)
    for command, more in (
        ("rename", {"name": "Us"}),
        ("set_picture", {}),
        ("set_role", {"user_id": ben.id, "role": "owner"}),
    ):
        assert await refused(ana, command, conversation_id=chat, **more) == "CONFLICT"


async def test_strangers_and_removed_members_cannot_change_a_group(people, group, world):
    ana, ben, _ = people
    eve = await world.person("eve")
    await ana.call("/chat", "remove_member", conversation_id=group, user_id=ben.id)
    for person in (eve, ben):
        for command, more in (
            ("rename", {"name": "Mine"}),
            ("set_picture", {}),
            ("set_role", {"user_id": person.id, "role": "owner"}),
            ("add_member", {"user_id": person.id}),
        ):
            assert await refused(person, command, conversation_id=group, **more) == "NOT_FOUND"
    assert await refused(ana, "set_role", conversation_id=group, user_id=eve.id, role="owner") == (
        "NOT_FOUND"
    )


async def test_system_notes_are_not_unread_and_cannot_be_edited_deleted_or_pinned(people, group):
    ana, ben, _ = people
    await ana.call("/chat", "rename", conversation_id=group, name="Ours")
    [listed] = (await ben.call("/chat", "list"))["conversations"]
    assert (listed["unread"], listed["last_message"]["card"]["kind"]) == (0, "renamed")
    note = listed["last_message"]["id"]
    assert await refused(ana, "edit", message_id=note, text="no") == "NOT_FOUND"
    assert await refused(ana, "delete", message_id=note) == "NOT_FOUND"
    assert await refused(ana, "pin", message_id=note) == "NOT_FOUND"


async def test_a_new_member_sees_the_note_about_joining(people, world, group):
    ana, *_ = people
    eve = await world.person("eve")
    await say(ana, group, "before")
    await ana.call("/chat", "add_member", conversation_id=group, user_id=eve.id)
    assert await notes(eve, group) == [("member_added", eve.id, {})]
