"""A hidden message is hidden from everyone everywhere, and restored unchanged."""

import asyncio

import pytest

from handlers.platform.chat.contracts.messages import LinkPreview
from handlers.platform.chat.public import hide, lock_text, restore, show_preview
from tests.parts.ports import free_port
from tests.platform.chat.scenes import say, talk, texts
from tests.platform.chat.test_messages import rows_with
from tests.platform.moderation.scenes import code_of, flag, get_message, group_of
from tests.platform.uploads.uploading import PDF, uploader
from tests.world import both_databases, with_server

THUMB, PARTY = "\U0001f44d", "\U0001f389"


@pytest.fixture
async def people(world):
    ana, ben, cleo = [await world.person(name) for name in ("ana", "ben", "cleo")]
    return ana, ben, cleo


async def test_a_hidden_text_is_stored_only_in_its_message_row(world, people):
    ana, ben, cleo = people
    group = await talk(*people)
    ask = {"conversation_id": group, "client_id": "one", "text": "rotten", "request_id": "r1"}
    said = await ana.client.call("/chat", "send", **ask)
    await ben.call("/chat", "react", message_id=said["id"], emoji=THUMB)
    await say(ben, group, "fine")
    await world.settle()
    await world.transact(hide, said["id"])
    hidden = (await ben.event("MESSAGE_HIDDEN")).data["message"]
    assert hidden == said | {"text": "", "hidden": True}
    for one in people:  # including its sender
        assert await texts(one, group) == ["", "fine"]
        assert await get_message(one, said["id"]) == hidden
    assert await ana.client.call("/chat", "send", **ask) == hidden
    assert (await say(ana, group, "rotten", "one")) == hidden
    late = await (await cleo.device()).enter("/chat", since={f"chat:{group}": 0})
    assert "rotten" not in "".join(late.frames)
    assert await rows_with(world, "rotten") == ["messages"]


async def test_a_hidden_message_is_hidden_in_the_list_of_conversations(world, people):
    ana, ben, _ = people
    chat = await talk(ana, ben)
    said = await say(ana, chat, "rotten", "c1")
    await world.transact(hide, said["id"])
    (listed,) = (await ben.call("/chat", "list"))["conversations"]
    assert (listed["last_message"]["text"], listed["last_message"]["hidden"]) == ("", True)


async def test_the_preview_of_a_hidden_message_is_hidden_and_restored(world, people):
    ana, ben, _ = people
    said = await say(ana, await talk(ana, ben), "https://page.example")
    page = {"title": "A rotten page", "description": None, "site_name": None}

    def look_up(tx):
        message = lock_text(tx, said["id"])
        if message is not None:
            show_preview(tx, message, LinkPreview(url="https://page.example", **page))
        return message is not None

    assert await world.transact(look_up)
    before = await get_message(ben, said["id"])
    assert before["preview"]["title"] == "A rotten page"
    await world.transact(hide, said["id"])
    assert (await get_message(ben, said["id"]))["preview"] is None
    assert await rows_with(world, "A rotten page") == ["messages"]
    assert not await world.transact(look_up), "nothing is shown with what is hidden"
    await world.transact(restore, said["id"])
    assert await get_message(ben, said["id"]) == before


async def test_a_hidden_message_is_not_searchable_and_its_pin_shows_no_text(world, people):
    ana, ben, _ = people
    chat = await talk(ana, ben)
    there, name = {"conversation_id": chat}, {"mentions": [ben.id]}
    said = await ana.call("/chat", "send", **there, **name, client_id="c1", text="rotten apples")
    await ana.call("/chat", "pin", message_id=said["id"])
    await world.transact(hide, said["id"])
    for one in (ana, ben):
        assert (await one.call("/chat", "search", text="apples"))["messages"] == []
        (pinned,) = (await one.call("/chat", "pins", **there))["messages"]
        assert (pinned["text"], pinned["mentions"], pinned["hidden"]) == ("", [], True)
    await world.transact(restore, said["id"])
    for one in (ana, ben):
        assert (await one.call("/chat", "search", text="apples"))["messages"] == [said]
        assert (await one.call("/chat", "pins", **there))["messages"] == [said]


async def test_a_restored_message_is_unchanged_and_its_event_has_no_text(world, people):
    ana, ben, _ = people
    chat = await talk(ana, ben)
    said = await ana.client.call(
        "/chat", "send", conversation_id=chat, client_id="c", text="fine", request_id="r1"
    )
    await ben.call("/chat", "react", message_id=said["id"], emoji=THUMB)
    before = await get_message(ben, said["id"])
    await world.transact(hide, said["id"])
    await world.transact(restore, said["id"])
    back = await ben.event("MESSAGE_RESTORED")
    assert back.data == {"conversation_id": chat, "message_id": said["id"]}
    assert await get_message(ben, said["id"]) == before
    again = {"conversation_id": chat, "client_id": "c", "text": "fine", "request_id": "r1"}
    assert await ana.client.call("/chat", "send", **again) == before


async def test_a_restored_message_is_not_shown_to_members_absent_when_it_was_sent(world, people):
    ana, ben, cleo = people
    group = await talk(*people)
    here = {"conversation_id": group}
    early = await say(ana, group, "early")
    await ana.call("/chat", "remove_member", **here, user_id=ben.id)
    said = await say(ana, group, "secret")
    await world.transact(hide, early["id"])
    await world.transact(hide, said["id"])
    await ana.call("/chat", "add_member", **here, user_id=ben.id)
    await ana.call("/chat", "remove_member", **here, user_id=cleo.id)
    for one in (early, said):
        await world.transact(restore, one["id"])
    await ben.event("MESSAGE_RESTORED", lambda data: data["message_id"] == said["id"])
    assert await code_of(ben, "/chat", "get", message_id=said["id"]) == "NOT_FOUND"
    assert await texts(ben, group) == ["early"]
    assert "secret" not in "".join(ben.client.frames)
    # members who left after it was sent can read it again
    assert await texts(cleo, group) == ["early", "secret"]
    assert cleo.events("MESSAGE_RESTORED") == []


async def test_a_hidden_message_can_be_deleted_but_not_edited_or_reacted_to(world, people):
    ana, ben, _ = people
    chat = await talk(ana, ben)
    said = await say(ana, chat, "rotten", "c1")
    await world.transact(hide, said["id"])
    this = {"message_id": said["id"]}
    assert await code_of(ana, "/chat", "edit", **this, text="better") == "CONFLICT"
    assert await code_of(ben, "/chat", "react", **this, emoji=PARTY) == "NOT_FOUND"
    assert await code_of(ben, "/chat", "edit", **this, text="better") == "NOT_FOUND"
    gone = await ana.call("/chat", "delete", **this)
    assert (gone["deleted"], gone["hidden"]) == (True, False)
    assert await rows_with(world, "rotten") == []
    await world.transact(restore, said["id"])
    assert await world.stored("MESSAGE_RESTORED") == []
    assert (await get_message(ben, said["id"]))["deleted"]


@both_databases
async def test_concurrent_hides_and_restores_each_take_effect_once(world, people):
    ana, ben, _ = people
    said = await say(ana, await talk(ana, ben), "rotten")
    for change, name in ((hide, "MESSAGE_HIDDEN"), (restore, "MESSAGE_RESTORED")):
        await asyncio.gather(*(world.transact(change, said["id"]) for _ in range(5)))
        assert len(await world.stored(name)) == 1
    assert (await get_message(ben, said["id"]))["text"] == "rotten"


@both_databases
async def test_a_message_hidden_while_it_is_deleted_ends_up_deleted(world, people):
    ana, ben, _ = people
    chat = await talk(ana, ben)
    for number in range(5):
        said = await say(ana, chat, f"rotten {number}", f"c{number}")
        await asyncio.gather(
            world.transact(hide, said["id"]),
            ana.call("/chat", "delete", message_id=said["id"]),
            world.transact(restore, said["id"]),
        )
        last = await get_message(ben, said["id"])
        assert (last["deleted"], last["hidden"], last["text"]) == (True, False, "")
    assert await rows_with(world, "rotten") == []


@with_server
async def test_members_cannot_fetch_a_hidden_file_until_it_is_restored(make_world):
    port = free_port()
    world = await make_world(port=port, PARLEY_PUBLIC_URL=f"http://127.0.0.1:{port}")
    group, (ana, ben) = await group_of(world, "ana", "ben")
    async with uploader(world, ana) as files:
        upload = await files.upload(PDF, "application/pdf", name="rotten.pdf")
    ask = {"conversation_id": group, "client_id": "one", "upload_id": upload["id"]}
    sent = await ana.call("/chat", "send_media", **ask)
    await flag(ben, sent["id"])
    await world.transact(hide, sent["id"])
    hidden = await get_message(ben, sent["id"])
    assert (hidden["kind"], hidden["media"]) == ("media", None)
    for one in (ana, ben):
        assert await code_of(one, "/chat", "media", message_id=sent["id"]) == "NOT_FOUND"
    mo = await world.person("mo", "moderator")
    (case,) = (await mo.call("/moderation", "queue"))["cases"]
    assert (await mo.call("/moderation", "media", case_id=case["id"]))["url"]
    opened = await mo.call("/moderation", "case", case_id=case["id"])
    assert opened["message"]["media"] == sent["media"]
    await world.transact(restore, sent["id"])
    assert (await get_message(ben, sent["id"]))["media"] == sent["media"]
    assert (await ben.call("/chat", "media", message_id=sent["id"]))["url"]
