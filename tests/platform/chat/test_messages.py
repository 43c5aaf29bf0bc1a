"""Messages: sent once, edited, deleted, and delivered only to members of the conversation."""

import asyncio
from datetime import datetime

import pytest

from tests.platform.chat.scenes import refused, rows_with, say, talk, texts
from tests.wire_client import Refused
from tests.world import both_databases, one_database

UNKNOWN_ID = "018f0000-0000-7000-8000-000000000000"
MESSAGE = {
    "id",
    "conversation_id",
    "seq",
    "sender_id",
    "client_id",
    "kind",
    "text",
    "card",
    "sent_at",
    "edited_at",
    "deleted",
    "media",
    "reply_to",
    "mentions",
    "reactions",
    "preview",
    "hidden",
}


@pytest.fixture
async def ana(world):
    return await world.person("ana")


@pytest.fixture
async def ben(world):
    return await world.person("ben")


@pytest.fixture
async def eva(world):
    """A user without conversations."""
    return await (await world.person("eva")).enter("/chat")


@pytest.fixture
async def chat(ana, ben):
    """The conversation of Ana and Ben; its opening is event number 1."""
    return await talk(ana, ben)


async def test_a_message_reaches_every_device_of_both_users_and_no_one_else(ana, ben, eva, chat):
    phone = await (await ana.device()).enter("/chat")
    sent = await say(ana, chat, "Hello <b>Ben</b> \U0001f44b", "c1")
    assert sent.keys() == MESSAGE
    assert sent | {"id": "", "sent_at": ""} == {
        "id": "",
        "conversation_id": chat,
        "seq": 2,
        "sender_id": ana.id,
        "client_id": "c1",
        "kind": "text",
        "text": "Hello <b>Ben</b> \U0001f44b",
        "card": None,
        "sent_at": "",
        "edited_at": None,
        "deleted": False,
        "media": None,
        "reply_to": None,
        "mentions": [],
        "reactions": [],
        "preview": None,
        "hidden": False,
    }
    assert datetime.fromisoformat(sent["sent_at"]).utcoffset() is not None
    for device in (ana.client, phone, ben.client):
        heard = await device.event("MESSAGE_SENT")
        assert (heard.namespace, heard.data) == ("/chat", {"message": sent})
        assert heard.meta.keys() == {"room", "seq", "id", "at"}
        assert (heard.meta["room"], heard.meta["seq"]) == (f"chat:{chat}", 2)
    await say(ben, chat, "Hello Ana")
    assert (await ana.event("MESSAGE_SENT", lambda d: d["message"]["seq"] == 3)).meta["seq"] == 3
    await eva.call("/chat", "list")  # any event for Eva would arrive before this answer
    assert eva.client.heard == []


async def test_a_client_id_identifies_one_message_per_sender_and_conversation(
    world, ana, ben, eva, chat
):
    first = await say(ana, chat, "once", "same")
    assert await say(ana, chat, "once", "same") == first
    other = await say(ben, chat, "mine", "same")
    assert other["id"] != first["id"]
    assert (await say(ana, await talk(ana, eva), "there", "same"))["id"] != first["id"]
    assert await texts(ana, chat) == ["once", "mine"]
    assert len(await world.stored("MESSAGE_SENT")) == 3
    await ana.call("/chat", "edit", message_id=first["id"], text="changed")
    assert (await say(ana, chat, "once", "same"))["id"] == first["id"]


@pytest.mark.parametrize("change", ["text", "reply_to", "mentions"])
async def test_a_client_id_cannot_be_used_with_another_message(world, ana, ben, chat, change):
    question = await say(ben, chat, "?")
    sending = {"conversation_id": chat, "client_id": "c", "text": "Yes", "request_id": "first"}
    sent = await ana.call("/chat", "send", **sending)
    to = {"text": "No", "reply_to": question["id"], "mentions": [ben.id]}
    other = {**sending, change: to[change], "request_id": "second"}
    assert await refused(ana, "send", **other) == "CONFLICT"
    again = {**sending, "request_id": "third", "mentions": []}
    assert await ana.call("/chat", "send", **again) == sent
    assert await texts(ana, chat) == ["?", "Yes"]


async def test_a_client_id_is_compared_with_what_was_sent_also_after_an_edit(ana, ben, chat):
    sent = await say(ana, chat, "Helo", "c")
    await ana.call("/chat", "edit", message_id=sent["id"], text="Hello")
    assert (await say(ana, chat, "Helo", "c"))["text"] == "Hello"
    sending = {"conversation_id": chat, "client_id": "c", "text": "Hello"}
    assert await refused(ana, "send", **sending) == "CONFLICT"
    await ana.call("/chat", "delete", message_id=sent["id"])
    assert (await say(ana, chat, "Helo", "c"))["deleted"]
    assert await refused(ana, "send", **sending) == "CONFLICT"


async def test_an_edit_to_the_same_text_changes_nothing(world, ana, ben, chat):
    sent = await say(ana, chat, "Hello")
    await ben.call("/chat", "react", message_id=sent["id"], emoji="\U0001f44d")
    before = await ana.call("/chat", "get", message_id=sent["id"])
    for more in ({}, {"mentions": []}):
        edited = await ana.call("/chat", "edit", message_id=sent["id"], text="Hello", **more)
        assert edited == before
        assert edited["edited_at"] is None
    assert await world.stored("MESSAGE_EDITED") == []
    named = {"text": "Hello", "mentions": [ben.id]}
    assert (await ana.call("/chat", "edit", message_id=sent["id"], **named))["mentions"] == [ben.id]


async def test_a_removed_member_who_repeats_a_send_gets_the_same_answer(ana, ben):
    group = await ana.call("/chat", "create_group", name="Group", member_ids=[ben.id])
    sent = await say(ben, group["id"], "before", "first")
    await ana.call("/chat", "remove_member", conversation_id=group["id"], user_id=ben.id)
    assert await say(ben, group["id"], "before", "first") == sent
    with pytest.raises(Refused) as refused:
        await say(ben, group["id"], "after", "second")
    assert refused.value.code == "NOT_FOUND"


async def test_an_edited_message_keeps_its_number(ana, ben, chat):
    sent = await say(ana, chat, "Helo")
    await say(ben, chat, "?")
    edited = await ana.call("/chat", "edit", message_id=sent["id"], text="Hello")
    assert edited == sent | {"text": "Hello", "edited_at": edited["edited_at"]}
    assert edited["edited_at"] >= sent["sent_at"]
    heard = await ben.event("MESSAGE_EDITED")
    assert (heard.data, heard.meta["seq"]) == ({"message": edited}, 4)
    assert heard.meta["room"] == f"chat:{chat}"
    history = await ben.call("/chat", "history", conversation_id=chat)
    assert history["messages"][0] == edited
    assert (history["seq"], history["has_more"]) == (4, False)


async def test_only_the_sender_can_change_a_message_until_it_is_deleted(ana, ben, eva, chat):
    mine = (await say(ana, chat, "mine"))["id"]
    gone = (await say(ana, chat, "gone"))["id"]
    await ana.call("/chat", "delete", message_id=gone)
    answers = []
    for person, message_id in [(ben, mine), (eva, mine), (ana, gone), (ana, UNKNOWN_ID)]:
        for command, more in [("edit", {"text": "x"}), ("delete", {})]:
            payload = {"message_id": message_id, **more}
            answers.append(await person.client.ask("/chat", command, payload))
    assert {answer["error"]["code"] for answer in answers} == {"NOT_FOUND"}
    assert all(answer["error"] == answers[0]["error"] for answer in answers), "nothing told apart"
    assert await texts(ana, chat) == ["mine", ""]
    assert len(ben.events("MESSAGE_DELETED")) == 1
    assert ben.events("MESSAGE_EDITED") == []


async def test_a_deleted_text_is_erased_from_history_replay_and_every_table(world, ana, ben, chat):
    sent = await say(ana, chat, "zanzibar", "c1")
    await ana.call("/chat", "edit", message_id=sent["id"], text="zanzibar again")
    assert set(await rows_with(world, "zanzibar")) == {"messages", "events"}
    deleted = await ana.call("/chat", "delete", message_id=sent["id"])
    assert (deleted["deleted"], deleted["text"], deleted["card"]) == (True, "", None)
    assert (deleted["seq"], deleted["id"]) == (sent["seq"], sent["id"])
    heard = await ben.event("MESSAGE_DELETED")
    assert (heard.data, heard.meta["seq"]) == ({"message": deleted}, 4)
    assert await rows_with(world, "zanzibar") == []
    back = await (await ben.device()).enter("/chat", since={f"chat:{chat}": 0})
    names = [event.name for event in back.heard]
    assert names == ["CONVERSATION_OPENED", "MESSAGE_SENT", "MESSAGE_EDITED", "MESSAGE_DELETED"]
    assert [event.meta["seq"] for event in back.heard] == [1, 2, 3, 4]
    assert all(event.data["message"] == deleted for event in back.heard[1:])
    history = await ben.call("/chat", "history", conversation_id=chat)
    assert history["messages"] == [deleted]
    assert await say(ana, chat, "zanzibar", "c1") == deleted, "its client id brings it not back"


async def test_a_deleted_text_is_erased_from_the_stored_answer_of_a_request_id(
    world, ana, ben, chat
):
    sent = await say(ana, chat, "before")
    payload = {"message_id": sent["id"], "request_id": "r1"}
    await ana.call("/chat", "edit", text="zanzibar", **payload)
    await ana.call("/chat", "delete", message_id=sent["id"])
    assert await rows_with(world, "zanzibar") == []


@one_database
async def test_malformed_messages_are_invalid(ana, chat):
    right: dict = {"conversation_id": chat, "client_id": "c", "text": "t"}
    wrong: list[tuple[dict, str]] = [
        ({"text": ""}, "$.text"),
        ({"text": " \n"}, "$.text"),
        ({"text": "\u200b \u2800\u3164\ufe0f"}, "$.text"),
        ({"text": "x" * 8_001}, "$.text"),
        ({"text": None}, "$.text"),
        ({"client_id": ""}, "$.client_id"),
        ({"client_id": "x" * 65}, "$.client_id"),
        ({"conversation_id": "1"}, "$.conversation_id"),
        ({"sender_id": ana.id}, "$"),
        ({"kind": "system"}, "$"),
        ({"request_id": "x" * 65}, "$.request_id"),
    ]
    for change, path in wrong:
        answer = await ana.client.ask("/chat", "send", right | change)
        assert answer["error"]["code"] == "INVALID", change
        assert answer["error"]["details"]["path"] == path
    for missing in right:
        payload = {name: value for name, value in right.items() if name != missing}
        assert (await ana.client.ask("/chat", "send", payload))["error"]["code"] == "INVALID"
    assert (await say(ana, chat, "x" * 8_000, "long"))["seq"] == 2, "nothing else took a number"


async def test_conversations_of_other_users_look_nonexistent(ana, ben, eva, chat):
    commands: dict[str, dict] = {
        "send": {"client_id": "c", "text": "t"},
        "mark_read": {"seq": 1},
        "mark_delivered": {"seq": 1},
        "typing": {},
        "history": {},
        "leave": {},
        "add_member": {"user_id": eva.id},
        "remove_member": {"user_id": ben.id},
        "request_booking": {"block_id": UNKNOWN_ID, "topic_id": UNKNOWN_ID},
    }
    for command, payload in commands.items():
        theirs = await eva.client.ask("/chat", command, {"conversation_id": chat, **payload})
        nobodys = await eva.client.ask("/chat", command, {"conversation_id": UNKNOWN_ID, **payload})
        assert theirs == nobodys, command
        assert theirs["error"]["code"] == "NOT_FOUND"
    assert {heard.name for heard in ana.client.heard} == {"CONVERSATION_OPENED"}


@one_database
@pytest.mark.settings(PARLEY_LIMITS="default", PARLEY_MESSAGES_BURST="3")
async def test_a_rate_limited_sender_gets_the_time_to_wait(ana, chat):
    answers = [
        await ana.client.begin("/chat", "send", message(chat, f"m{number}")) for number in range(5)
    ]
    said = [await answer for answer in answers]
    assert [answer["ok"] for answer in said] == [True, True, True, False, False]
    assert said[3]["error"]["code"] == "RATE_LIMITED"
    assert 0 < said[3]["error"]["retry_after_s"] <= 0.5


def message(conversation_id: str, text: str) -> dict[str, str]:
    return {"conversation_id": conversation_id, "client_id": text, "text": text}


async def test_typing_reaches_the_other_devices_and_is_not_stored(world, ana, ben, eva, chat):
    phone = await (await ana.device()).enter("/chat")
    head = (await ana.call("/chat", "history", conversation_id=chat))["seq"]
    assert await ana.call("/chat", "typing", conversation_id=chat) == {}
    for device in (ben.client, phone):
        heard = await device.event("typing")
        assert heard.data == {"conversation_id": chat, "user_id": ana.id}
        assert heard.meta == {"room": f"chat:{chat}"}
    await say(ben, chat, "I see you type")
    assert (await ana.event("MESSAGE_SENT")).meta["seq"] == head + 1
    assert ana.events("typing") == []
    assert eva.client.heard == []
    back = await (await ben.device()).enter("/chat", since={f"chat:{chat}": 0})
    assert "typing" not in [event.name for event in back.heard]


@one_database
@pytest.mark.parametrize("number", [-1, 2**53, 2**63, 2**70])
async def test_impossible_sequence_numbers_are_invalid(ana, chat, number):
    there = {"conversation_id": chat}
    for command, payload in [("history", {"before_seq": number}), ("mark_read", {"seq": number})]:
        answer = await ana.client.ask("/chat", command, there | payload)
        assert answer["error"]["code"] == "INVALID"


async def test_history_pages_go_from_the_newest_to_the_first_message(ana, ben, chat):
    for number in range(7):
        await say(ana, chat, str(number))
    seen: list[str] = []
    before = None
    while True:
        page = await ben.call("/chat", "history", conversation_id=chat, limit=3, before_seq=before)
        seen = [message["text"] for message in page["messages"]] + seen
        before = page["messages"][0]["seq"]
        if not page["has_more"]:
            break
    assert seen == [str(number) for number in range(7)]
    assert await texts(ben, chat, before_seq=2) == []
    for limit in (0, 101):
        with pytest.raises(Refused, match="INVALID"):
            await ben.call("/chat", "history", conversation_id=chat, limit=limit)


@both_databases
async def test_concurrent_repeats_of_a_send_create_one_message(world, ana, ben, chat):
    devices = [await (await ana.device()).enter("/chat") for _ in range(5)]
    answers = await asyncio.gather(
        *[device.ask("/chat", "send", message(chat, "at once")) for device in devices * 2]
    )
    assert answers[0]["ok"]
    assert all(answer == answers[0] for answer in answers)
    assert await texts(ben, chat) == ["at once"]
    await say(ana, chat, "next")
    heard = await ben.event("MESSAGE_SENT", lambda data: data["message"]["text"] == "next")
    assert heard.meta["seq"] == 3, "the repeats took no numbers"
