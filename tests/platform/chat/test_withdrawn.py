"""What a message caused follows the message when it is deleted, hidden, edited or shown again."""

import pytest

from handlers.platform.chat.public import hide, restore
from handlers.platform.chat.service.erasure import wipe_messages
from tests.platform.chat.scenes import say, talk
from tests.world import Person, World

MENTIONED = "mentioned"


@pytest.fixture
async def people(world: World) -> list[Person]:
    """Three users who have read the notifications that welcome them."""
    people = [await world.person(name) for name in ("ana", "ben", "cleo")]
    await world.settle()
    for one in people:
        await one.enter("/chat", "/notifications")
        page = await one.call("/notifications", "list")
        ids = [notice["id"] for notice in page["notifications"]]
        await one.call("/notifications", "mark_read", ids=ids)
        one.client.heard.clear()
    return people


async def mention(by: Person, chat: str, *who: Person, text: str = "see this") -> dict:
    asked = {"conversation_id": chat, "client_id": text, "text": text}
    return await by.call("/chat", "send", **asked, mentions=[one.id for one in who])


async def inbox(world: World, person: Person) -> tuple[list[bool], int]:
    """Of each mention in the list, whether it was read; and the unread count."""
    await world.settle()
    page = await person.call("/notifications", "list")
    listed = [one for one in page["notifications"] if one["kind"] == MENTIONED]
    return [one["read_at"] is not None for one in listed], page["unread"]


async def id_of_the_mention(world: World, person: Person) -> str:
    await world.settle()
    page = await person.call("/notifications", "list")
    [notice] = [one for one in page["notifications"] if one["kind"] == MENTIONED]
    return notice["id"]


async def unread(person: Person) -> int:
    [listed] = (await person.call("/chat", "list"))["conversations"]
    return listed["unread"]


def reads(person: Person) -> list[dict]:
    return [one.data for one in person.events("NOTIFICATION_READ")]


async def test_deleting_a_message_withdraws_its_mention_on_every_device(world, people):
    ana, ben, _ = people
    phone = await (await ben.device()).enter("/notifications")
    said = await mention(ana, await talk(ana, ben), ben)
    assert await inbox(world, ben) == ([False], 1)
    notice = await id_of_the_mention(world, ben)
    await ana.call("/chat", "delete", message_id=said["id"])
    assert await inbox(world, ben) == ([], 0)
    for device in (ben.client, phone):
        heard = await device.event("NOTIFICATION_READ")
        assert heard.data == {"ids": [notice], "unread": 0, "withdrawn": True}


async def test_a_mention_that_was_read_is_withdrawn_too(world, people):
    ana, ben, _ = people
    said = await mention(ana, await talk(ana, ben), ben)
    notice = await id_of_the_mention(world, ben)
    await ben.call("/notifications", "mark_read", ids=[notice])
    await ana.call("/chat", "delete", message_id=said["id"])
    assert await inbox(world, ben) == ([], 0)
    answer = await ben.call("/notifications", "mark_read", ids=[notice])
    assert answer == {"unread": 0}
    assert reads(ben) == [
        {"ids": [notice], "unread": 0},
        {"ids": [notice], "unread": 0, "withdrawn": True},
    ]


async def test_an_edit_withdraws_the_mentions_that_it_removes(world, people):
    ana, ben, cleo = people
    group = await talk(ana, ben, cleo)
    said = await mention(ana, group, ben, cleo)
    await ana.call("/chat", "edit", message_id=said["id"], text="see", mentions=[cleo.id])
    assert await inbox(world, ben) == ([], 0)
    assert await inbox(world, cleo) == ([False], 1)
    named = [ben.id, cleo.id]
    await ana.call("/chat", "edit", message_id=said["id"], text="see it", mentions=named)
    assert await inbox(world, ben) == await inbox(world, cleo) == ([False], 1)


async def test_a_hidden_message_takes_its_mentions_and_brings_them_back_as_they_were(world, people):
    ana, ben, cleo = people
    said = await mention(ana, await talk(ana, ben, cleo), ben, cleo)
    notice = await id_of_the_mention(world, ben)
    await ben.call("/notifications", "mark_read", ids=[notice])
    await world.transact(hide, said["id"])
    assert await inbox(world, ben) == await inbox(world, cleo) == ([], 0)
    await world.transact(restore, said["id"])
    assert await inbox(world, ben) == ([True], 0)
    assert await inbox(world, cleo) == ([False], 1)
    assert [one.data["notification"]["id"] for one in ben.events("NOTIFICATION_DISPATCHED")] == [
        notice
    ] * 2
    assert reads(ben)[-1] == {"ids": [notice], "unread": 0}


async def test_a_message_that_is_hidden_at_once_never_notifies_before_it_is_shown(world, people):
    ana, ben, _ = people
    said = await mention(ana, await talk(ana, ben), ben)
    await world.transact(hide, said["id"])
    assert await inbox(world, ben) == ([], 0)
    await world.transact(restore, said["id"])
    assert await inbox(world, ben) == ([False], 1)
    await world.transact(hide, said["id"])
    await ana.call("/chat", "delete", message_id=said["id"])
    assert await inbox(world, ben) == ([], 0)


async def test_deleting_a_message_for_oneself_withdraws_only_ones_own_mention(world, people):
    ana, ben, cleo = people
    said = await mention(ana, await talk(ana, ben, cleo), ben, cleo)
    await ben.call("/chat", "delete_for_me", message_id=said["id"])
    assert await inbox(world, ben) == ([], 0)
    assert await inbox(world, cleo) == ([False], 1)
    await world.transact(hide, said["id"])
    await world.transact(restore, said["id"])
    assert await inbox(world, ben) == ([], 0), "the message stays away for this user"
    assert await inbox(world, cleo) == ([False], 1)


async def test_erasing_an_account_withdraws_the_mentions_in_its_messages(world, people):
    ana, ben, _ = people
    chat = await talk(ana, ben)
    for number in range(3):
        await mention(ana, chat, ben, text=f"number {number}")
    assert await inbox(world, ben) == ([False] * 3, 3)
    assert await world.transact(wipe_messages, ana.id, "", 100) is None
    assert await inbox(world, ben) == ([], 0)
    assert await unread(ben) == 0


async def test_withdrawn_messages_are_not_unread(world, people):
    ana, ben, _ = people
    chat = await talk(ana, ben)
    said = [await say(ana, chat, str(number)) for number in range(4)]
    await ana.call("/chat", "delete", message_id=said[0]["id"])
    await ben.call("/chat", "delete_for_me", message_id=said[1]["id"])
    await world.transact(hide, said[2]["id"])
    assert await unread(ben) == 1
    await world.transact(restore, said[2]["id"])
    assert await unread(ben) == 2
    await ben.call("/chat", "mark_read", conversation_id=chat, seq=said[2]["seq"])
    assert await unread(ben) == 1


async def test_one_conversation_can_be_listed_by_its_members_only(people):
    ana, ben, cleo = people
    with_ben, with_cleo = await talk(ana, ben), await talk(ana, cleo)
    await ana.call("/chat", "archive", conversation_id=with_ben)
    page = await ana.call("/chat", "list", only=with_ben)
    away = await ana.call("/chat", "list", archived=True)
    assert page == {**away, "conversations": away["conversations"]}
    assert [one["id"] for one in page["conversations"]] == [with_ben]
    for nowhere in (with_cleo, ben.id):
        assert (await ben.client.ask("/chat", "list", {"only": nowhere}))["error"]["code"] == (
            "NOT_FOUND"
        )
    assert (await cleo.call("/chat", "list", only=with_cleo))["conversations"]


async def test_a_list_is_in_the_order_of_what_its_user_sees(world, people):
    ana, ben, cleo = people
    with_ben, with_cleo = await talk(ana, ben), await talk(ana, cleo)

    async def order() -> list[str]:
        return [one["id"] for one in (await ana.call("/chat", "list"))["conversations"]]

    world.clock.advance(60)
    await say(cleo, with_cleo, "first")
    world.clock.advance(60)
    last = await say(ben, with_ben, "last")
    assert await order() == [with_ben, with_cleo]
    await ana.call("/chat", "delete_for_me", message_id=last["id"])
    assert await order() == [with_cleo, with_ben]
    world.clock.advance(60)
    group = await ana.call("/chat", "create_group", name="New", member_ids=[ben.id])
    assert await order() == [group["id"], with_cleo, with_ben]
