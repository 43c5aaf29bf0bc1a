"""Pages follow what was deleted, hidden, edited or read elsewhere, without a reload."""

from typing import Any

import pytest
from playwright.async_api import expect

from handlers.platform.chat.public import hide, restore
from tests.browser.test_groups import expect_no_errors, open_chat
from tests.browser.viewer import new_viewer
from tests.platform.chat.scenes import say, talk
from tests.world import World, one_database

pytestmark = [one_database, pytest.mark.timeout(120)]


async def test_badges_follow_what_was_withdrawn_and_what_was_read_elsewhere(
    world: World, browser: Any
) -> None:
    ada, ben = await world.person("ada"), await world.person("ben")
    chat = await talk(ada, ben)
    early = await say(ben, chat, "early")
    ada_tab = await new_viewer(browser, world.url, ada)
    await ada_tab.open("chats")
    badge, notices = ada_tab.part("chats-badge"), ada_tab.part("notifications-badge")
    await expect(badge).to_have_text("1")
    await ben.call("/chat", "delete", message_id=early["id"])
    await expect(badge).to_have_count(0)
    said = [await say(ben, chat, f"number {number}") for number in range(6)]
    await expect(badge).to_have_text("6")
    await ada.call("/chat", "mark_read", conversation_id=chat, seq=said[4]["seq"])
    await expect(badge).to_have_text("1")
    await world.transact(hide, said[5]["id"])
    await expect(badge).to_have_count(0)
    await world.transact(restore, said[5]["id"])
    await expect(badge).to_have_text("1")
    await world.settle()
    await expect(notices).to_have_text("1")  # the welcome
    mention = {"conversation_id": chat, "client_id": "m", "text": "@Ada", "mentions": [ada.id]}
    named = await ben.call("/chat", "send", **mention)
    await expect(notices).to_have_text("2")
    await expect(ada_tab.part("new-notification")).to_be_visible()
    await ben.call("/chat", "delete", message_id=named["id"])
    await expect(notices).to_have_text("1")
    await expect(ada_tab.part("new-notification")).to_have_count(0)
    await ada_tab.open("notifications")
    await expect(ada_tab.part("notification")).to_have_count(1)
    await expect_no_errors(ada_tab)


async def test_quotes_replies_and_search_results_follow_their_message(
    world: World, browser: Any
) -> None:
    ada, ben = await world.person("ada"), await world.person("ben")
    chat = await talk(ada, ben)
    old = await say(ben, chat, "Tulips, a long time ago")
    for number in range(50):
        await say(ben, chat, f"number {number}")
    reply = {"conversation_id": chat, "client_id": "a", "text": "Yes!", "reply_to": old["id"]}
    answer = await ben.call("/chat", "send", **reply)
    chat_tab = await open_chat(world, browser, ada, chat)
    list_tab = await new_viewer(browser, world.url, ada)
    await list_tab.open("chats")
    await list_tab.field("Search in messages").fill("tulip")
    await list_tab.button("Search").click()
    await expect(list_tab.part("found")).to_contain_text("Tulips")
    await expect(chat_tab.part("quote")).to_have_text("Tulips, a long time ago")
    await ben.call("/chat", "edit", message_id=old["id"], text="Tulips and roses")
    await expect(chat_tab.part("quote")).to_have_text("Tulips and roses")
    await expect(list_tab.part("found")).to_contain_text("roses")
    await world.transact(hide, old["id"])
    await expect(chat_tab.part("quote")).to_have_text("a hidden message")
    await expect(list_tab.part("found")).to_have_count(0)
    await world.transact(restore, old["id"])
    await expect(chat_tab.part("quote")).to_have_text("Tulips and roses")
    await expect(list_tab.part("found")).to_contain_text("roses")
    await chat_tab.part("message", id=answer["id"]).get_by_role("button", name="Reply").click()
    await expect(chat_tab.part("answering")).to_contain_text("Yes!")
    for message in (old, answer):
        await ben.call("/chat", "delete", message_id=message["id"])
    await expect(chat_tab.part("quote")).to_have_count(0)
    await expect(chat_tab.part("answering")).to_have_count(0)
    await expect(list_tab.part("found")).to_have_count(0)
    await expect_no_errors(chat_tab, list_tab)


async def test_an_empty_group_has_the_same_place_on_the_page_and_on_the_server(
    world: World, browser: Any
) -> None:
    ada, ben = await world.person("ada"), await world.person("ben")
    chat = await talk(ada, ben)
    await say(ben, chat, "Hello")
    ada_tab = await new_viewer(browser, world.url, ada)
    await ada_tab.open("chats")
    await expect(ada_tab.part("conversation")).to_have_count(1)
    group = await ada.call("/chat", "create_group", name="New", member_ids=[ben.id])
    listed = ada_tab.part("conversation")
    await expect(listed).to_have_count(2)
    await expect(listed.first).to_have_attribute("data-id", group["id"])
    page = await ada.call("/chat", "list")
    assert [one["id"] for one in page["conversations"]] == [group["id"], chat]
    await say(ben, chat, "Hello?")
    await expect(listed.first).to_have_attribute("data-id", chat)
    await expect_no_errors(ada_tab)
