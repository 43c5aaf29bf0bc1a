"""Group membership: users never read messages that were sent while they were not members."""

import asyncio

import pytest

from handlers.platform.chat.rules import ChatRules
from tests.platform.chat.scenes import notes, rows_with, say, talk, texts
from tests.wire_client import Client, Refused
from tests.world import Person, both_databases


@pytest.fixture
async def people(world) -> list[Person]:
    return [await (await world.person(name)).enter("/chat") for name in ("ana", "ben", "cleo")]


async def change_member(by: Person, command: str, conversation_id: str, who: Person):
    return await by.call("/chat", command, conversation_id=conversation_id, user_id=who.id)


async def code_of(person: Person, command: str, **payload):
    return (await person.client.ask("/chat", command, payload))["error"]["code"]


def numbers_received(client: Client, conversation_id: str) -> list[int]:
    """The numbers of the events received in a conversation's room, in order of arrival."""
    metas = [heard.meta for heard in client.heard if heard.meta.get("seq")]
    return [meta["seq"] for meta in metas if meta["room"] == f"chat:{conversation_id}"]


def texts_received(client: Client) -> list[str]:
    sent = [heard for heard in client.heard if heard.name.startswith("MESSAGE_")]
    return [heard.data["message"]["text"] for heard in sent]


async def test_a_removed_member_is_notified_on_all_devices_and_receives_nothing_later(people):
    ana, ben, cleo = people
    group = await talk(ana, ben, cleo)
    phone = await (await ben.device()).enter("/chat")
    await say(ana, group, "with Ben")
    left = await change_member(ana, "remove_member", group, ben)
    assert left["member_ids"] == sorted([ana.id, cleo.id])
    assert left["seq"] == 3
    for device in (ben.client, phone):
        await device.until(lambda d=device: len(d.events("MEMBER_REMOVED")) == 2)
        rooms = {heard.meta["room"] for heard in device.events("MEMBER_REMOVED")}
        assert rooms == {f"chat:{group}", f"user:{ben.id}"}
        for heard in device.events("MEMBER_REMOVED"):
            message = heard.data.pop("message")
            assert (message["seq"], message["card"]["kind"]) == (3, "member_removed")
            assert heard.data == {"conversation": left, "user_id": ben.id}
    secret = await say(ana, group, "without Ben")
    await ana.call("/chat", "typing", conversation_id=group)
    await cleo.call("/chat", "mark_read", conversation_id=group, seq=secret["seq"])
    await ana.event("MESSAGE_READ")
    assert await texts(ben, group) == ["with Ben"]
    for device in (ben.client, phone):
        assert numbers_received(device, group)[-1] == 3
        assert texts_received(device) == ["with Ben"]
        assert device.events("typing") == []
    assert (await ben.call("/chat", "history", conversation_id=group))["seq"] == 3
    assert (await ben.call("/chat", "list"))["conversations"] == []


@pytest.mark.parametrize("way", ["leave", "removed"])
async def test_former_members_can_delete_their_messages_but_receive_no_event(world, people, way):
    ana, ben, cleo = people
    group = await talk(ana, ben, cleo)
    mine, late = await say(ben, group, "zanzibar", "c1"), await say(ben, group, "too late")
    theirs = await say(ana, group, "of ana")
    await ana.call("/chat", "react", message_id=mine["id"], emoji="\U0001f44d")
    if way == "leave":
        await ben.call("/chat", "leave", conversation_id=group)
    else:
        await change_member(ana, "remove_member", group, ben)
    await ben.client.until(lambda: len(ben.events("MEMBER_REMOVED")) == 2)
    heard = len(numbers_received(ben.client, group))
    answer = await ben.call("/chat", "delete", message_id=mine["id"])
    assert (answer["deleted"], answer["text"], answer["reactions"]) == (True, "", [])
    for one in (ana, cleo):
        assert (await one.event("MESSAGE_DELETED")).data["message"] == answer
        assert await texts(one, group) == ["", "too late", "of ana"]
    assert await rows_with(world, "zanzibar") == []
    assert await texts(ben, group) == ["", "too late", "of ana"]
    assert await code_of(ben, "delete", message_id=mine["id"]) == "NOT_FOUND"
    assert await code_of(ben, "delete", message_id=theirs["id"]) == "NOT_FOUND"
    world.clock.advance(world.app.kernel.rules.of(ChatRules).message_delete_s + 1)
    assert await code_of(ben, "delete", message_id=late["id"]) == "TOO_LATE"
    await say(ana, group, "without Ben")
    assert len(numbers_received(ben.client, group)) == heard


async def test_former_members_can_do_nothing_else_in_the_group(people):
    ana, ben, cleo = people
    group = await talk(ana, ben, cleo)
    mine = (await say(ben, group, "mine"))["id"]
    await ben.call("/chat", "leave", conversation_id=group)
    head = (await ana.event("MEMBER_REMOVED")).meta["seq"]
    there = {"conversation_id": group}
    assert await code_of(ben, "send", **there, client_id="c", text="t") == "NOT_FOUND"
    assert await code_of(ben, "edit", message_id=mine, text="t") == "NOT_FOUND"
    assert await code_of(ben, "pin", message_id=mine) == "NOT_FOUND"
    assert await code_of(ben, "react", message_id=mine, emoji="\U0001f44d") == "NOT_FOUND"
    assert await code_of(ben, "mark_read", **there, seq=1) == "NOT_FOUND"
    assert await code_of(ben, "typing", **there) == "NOT_FOUND"
    assert await code_of(ben, "leave", **there) == "NOT_FOUND"
    assert await code_of(ben, "add_member", **there, user_id=ben.id) == "NOT_FOUND"
    assert await code_of(ana, "remove_member", **there, user_id=ben.id) == "NOT_FOUND"
    assert (await say(ana, group, "on"))["seq"] == head + 1


async def test_an_added_member_receives_events_on_every_device_without_reconnecting(people):
    ana, ben, cleo = people
    group = await talk(ana, cleo, ben)
    await change_member(ana, "remove_member", group, ben)
    await say(ana, group, "too early for Ben")
    phone = await (await ben.device()).enter("/chat")
    added = await change_member(cleo, "add_member", group, ben)
    assert (ben.id in added["member_ids"], added["seq"]) == (True, 4)
    await say(ana, group, "welcome")
    for device in (ben.client, phone):
        heard = await device.event("MESSAGE_SENT")
        assert (heard.data["message"]["text"], heard.meta["seq"]) == ("welcome", 5)
        await device.until(lambda d=device: len(d.events("MEMBER_ADDED")) == 2)
        for event in device.events("MEMBER_ADDED"):
            message = event.data.pop("message")
            assert (message["seq"], message["card"]["kind"]) == (4, "member_added")
            assert event.data == {"conversation": added, "user_id": ben.id}
    assert numbers_received(phone, group) == [4, 5]
    again = await change_member(ana, "add_member", group, ben)
    assert again == added | {"seq": 5}, "who is in already stays as they are"


async def test_a_returning_member_reads_only_messages_sent_during_membership(people):
    ana, ben, cleo = people
    group = await talk(ana, ben, cleo)  # 1
    await say(ana, group, "in")  # 2
    await change_member(ana, "remove_member", group, ben)  # 3
    await say(ana, group, "out")  # 4
    await say(cleo, group, "out too")  # 5
    await change_member(ana, "add_member", group, ben)  # 6
    await say(cleo, group, "in again")  # 7
    assert await texts(ben, group) == ["in", "in again"]
    assert await texts(ben, group, limit=1) == ["in again"]
    assert await texts(ben, group, before_seq=7, limit=3) == ["in"]
    expected = [("member_removed", ben.id, {}), ("member_added", ben.id, {})]
    assert await notes(ben, group) == expected
    assert await texts(ben, group, before_seq=6, limit=5) == ["in"]
    listed = (await ben.call("/chat", "list"))["conversations"][0]
    assert (listed["unread"], listed["last_message"]["text"]) == (1, "in again")
    for since, recovered, heard in [
        (7, True, []),
        (5, True, [6, 7]),
        (4, False, []),
        (2, False, []),
        (0, False, []),
    ]:
        back = await (await ben.device()).enter("/chat", since={f"chat:{group}": since})
        entry = back.synced["/chat"]["rooms"][f"chat:{group}"]
        assert entry == {"seq": 7, "recovered": recovered}
        assert numbers_received(back, group) == heard
        assert "out" not in texts_received(back)
        await back.close()


async def test_a_reconnecting_device_learns_of_its_removal_and_gets_no_room_events(people):
    ana, ben, cleo = people
    group = await talk(ana, ben, cleo)
    await ben.client.until(lambda: numbers_received(ben.client, group) == [1])
    await ben.client.close()
    await say(ana, group, "while away")
    await change_member(ana, "remove_member", group, ben)
    await say(ana, group, "when out")
    since = {f"chat:{group}": 1, f"user:{ben.id}": 1}
    back = await (await ben.device()).enter("/chat", since=since)
    assert [heard.name for heard in back.heard] == ["MEMBER_REMOVED"]
    assert back.synced["/chat"]["rooms"] == {f"user:{ben.id}": {"seq": 2, "recovered": True}}
    assert await texts(await people[1].host.another_session(ben), group) == ["while away"]


async def test_former_members_do_not_see_later_edits_of_old_messages(people):
    ana, ben, cleo = people
    group = await talk(ana, ben, cleo)
    old = await say(ana, group, "as Ben read it")
    kept = await say(ana, group, "as it stays")
    await change_member(ana, "remove_member", group, ben)
    await ana.call("/chat", "edit", message_id=old["id"], text="not for Ben")
    shown = (await ben.call("/chat", "history", conversation_id=group))["messages"]
    assert [message["text"] for message in shown[:2]] == ["", "as it stays"]
    assert [message["id"] for message in shown[:2]] == [old["id"], kept["id"]]
    assert [message["card"]["kind"] for message in shown[2:]] == ["member_removed"]
    await change_member(ana, "add_member", group, ben)
    assert await texts(ben, group) == ["", "as it stays"]
    assert await texts(cleo, group) == ["not for Ben", "as it stays"]
    await ana.call("/chat", "edit", message_id=old["id"], text="for all again")
    assert await texts(ben, group) == ["for all again", "as it stays"]


@both_databases
async def test_messages_sent_during_a_removal_come_before_it_or_are_refused(world, people):
    ana, ben, cleo = people
    group = await talk(ana, ben, cleo)
    for round_ in range(5):
        said = [
            await ben.client.begin(
                "/chat",
                "send",
                {"conversation_id": group, "client_id": f"{round_}.{number}", "text": "quick"},
            )
            for number in range(4)
        ]
        async with asyncio.timeout(5):  # PostgreSQL would take longer to detect a deadlock
            removed = await change_member(ana, "remove_member", group, ben)
            answers = [await one for one in said]
        numbers_sent = [answer["data"]["seq"] for answer in answers if answer["ok"]]
        assert all(seq < removed["seq"] for seq in numbers_sent)
        refused = {answer["error"]["code"] for answer in answers if not answer["ok"]}
        assert refused <= {"NOT_FOUND"}
        await change_member(ana, "add_member", group, ben)
    with pytest.raises(Refused):
        await cleo.call("/chat", "remove_member", conversation_id=group, user_id=ana.id)
