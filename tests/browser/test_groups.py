"""Groups and what one makes of conversations, on two pages that keep up with each other."""

from typing import Any

import pytest
from playwright.async_api import expect

from tests.browser.furnished import poison
from tests.browser.viewer import Viewer, new_viewer
from tests.platform.chat.scenes import say, talk
from tests.platform.uploads.bringing import picture
from tests.world import Person, World, one_database

pytestmark = [one_database, pytest.mark.timeout(120)]


async def at_chat(world: World, browser: Any, person: Person, chat: str) -> Viewer:
    viewer = await new_viewer(browser, world.url, person)
    await viewer.open(f"chats/{chat}")
    await expect(viewer.button("Attach a file")).to_be_visible()
    return viewer


async def check_nothing_went_wrong(*viewers: Viewer) -> None:
    for viewer in viewers:
        assert viewer.mistakes == []
        assert await viewer.violations() == []


async def test_owners_change_a_group_and_its_history_says_so(world: World, browser: Any) -> None:
    ada, ben, cleo = [await world.person(name) for name in ("ada", "ben", "cleo")]
    await talk(ada, cleo)
    group = await ada.call("/chat", "create_group", name="Walks", member_ids=[ben.id])
    hers, his = [await at_chat(world, browser, who, group["id"]) for who in (ada, ben)]
    log = his.page.get_by_role("log")
    await his.button("Members (2)").click()
    await expect(his.part("member", id=ada.id)).to_contain_text("Owner")
    await expect(his.button("Rename")).to_have_count(0)
    await hers.button("Members (2)").click()
    await hers.page.get_by_label("Name", exact=True).fill("<b>Long</b> walks")
    await hers.button("Rename").click()
    await expect(his.page.locator("h1")).to_have_text("<b>Long</b> walks")
    await expect(log).to_contain_text("Ada Example named the group “<b>Long</b> walks”")
    file = {"name": "us.png", "mimeType": "image/png", "buffer": picture("PNG")}
    await hers.page.get_by_label("Picture file").set_input_files([file])  # type: ignore[list-item]
    await expect(his.part("group-picture")).to_be_visible()
    await hers.button("Make Ben Example an owner").click()
    await expect(log).to_contain_text("Ada Example made you an owner")
    await expect(his.button("Rename")).to_be_visible()
    await his.button("Make Ada Example a regular member").click()
    await expect(hers.button("Rename")).to_have_count(0)
    await his.button("Make yourself a regular member").click()
    await expect(his.dialog).to_contain_text("A group needs an owner.")
    await hers.field("Person").select_option(cleo.id)
    await hers.button("Add member").click()
    await expect(log).to_contain_text("Ada Example added Cleo Example")
    await his.button("Remove Cleo Example").click()
    await expect(log).to_contain_text("You removed Cleo Example")
    await his.page.keyboard.press("Escape")
    await expect(his.button("Members (2)")).to_be_visible()
    await check_nothing_went_wrong(hers, his)


async def test_messages_mention_are_pinned_seen_and_removed(world: World, browser: Any) -> None:
    ada, ben, cleo = [await world.person(name) for name in ("ada", "ben", "cleo")]
    chat = await talk(ada, ben, cleo)
    hers, his = [await at_chat(world, browser, who, chat) for who in (ada, ben)]
    written = hers.page.get_by_placeholder("Message")
    await written.press_sequentially("Hello @be")
    await hers.button("@Ben Example").click()
    await expect(written).to_have_value("Hello @Ben Example ")
    await written.press_sequentially("and all")
    await hers.button("Send").click()
    his_message = his.part("message")
    await expect(his_message).to_contain_text("Hello @Ben Example and all")
    await expect(his_message.locator("[data-test=mentioned]")).to_be_visible()
    await expect(hers.part("mentioned")).to_have_count(0)
    await expect(hers.part("mark")).to_have_text("Read by 1")
    await ada.call("/profile", "update", settings={"read_receipts": False})
    await expect(hers.part("mark")).to_have_text("Delivered")
    await ada.call("/profile", "update", settings={"read_receipts": True})
    await expect(hers.part("mark")).to_have_text("Read by 1")
    await hers.button("More").click()
    await hers.button("Seen by").click()
    await expect(hers.part("receipt").first).to_contain_text("Ben Example")
    await hers.page.keyboard.press("Escape")
    await his.button("More").click()
    await expect(his.button("Delete for me")).to_be_visible()
    await expect(his.page.get_by_role("button", name="Pin")).to_have_count(0)
    await hers.page.get_by_role("button", name="Pin", exact=True).click()
    await expect(his.part("pinned")).to_contain_text("Hello @Ben Example and all")
    await his.button("Delete for me").click()
    await expect(his_message).to_have_count(0)
    await expect(his.part("pinned")).to_have_count(0)
    await hers.part("pinned").get_by_role("button").click()
    await expect(hers.part("pinned")).to_have_count(0)
    await hers.button("Delete for everyone").click()
    await expect(hers.part("message")).to_contain_text("This message was deleted.")
    await check_nothing_went_wrong(hers, his)


async def test_a_conversation_is_muted_put_away_and_blocked(world: World, browser: Any) -> None:
    ada, ben = await world.person("ada"), await world.person("ben")
    chat = await talk(ada, ben)
    hers = await at_chat(world, browser, ada, chat)
    await hers.open("chats")
    await expect(hers.heading("Chats")).to_be_visible()
    await say(ben, chat, "one")
    await expect(hers.part("chats-badge")).to_have_text("1")
    await ada.call("/chat", "mute", conversation_id=chat, until="2999-01-01T00:00:00Z")
    await expect(hers.part("conversation").locator("[data-test=muted]")).to_be_visible()
    await expect(hers.part("chats-badge")).to_have_count(0)
    await expect(hers.part("unread")).to_have_text("1")
    await hers.part("conversation").get_by_role("link").click()
    await expect(hers.part("muted")).to_have_text("Muted")
    await hers.button("Unmute").click()
    await hers.button("Mute").click()
    await hers.button("For a week").click()
    await expect(hers.part("muted")).to_contain_text("Muted until")
    await hers.button("Block").click()
    await expect(hers.part("blocked")).to_be_visible()
    await hers.page.get_by_placeholder("Message").fill("Hello")
    await hers.button("Send").click()
    await expect(hers.part("outgoing")).to_contain_text("One of you has blocked the other.")
    await hers.button("Unblock").click()
    await expect(hers.part("blocked")).to_have_count(0)
    await hers.button("Send again").click()
    await expect(hers.part("message")).to_have_count(2)
    await hers.button("Archive").click()
    await expect(hers.button("Unarchive")).to_be_visible()
    await hers.open("chats")
    await expect(hers.page.get_by_text("No conversations yet.")).to_be_visible()
    await ada.call("/chat", "mute", conversation_id=chat)
    await say(ben, chat, "two")
    await expect(hers.part("archived-unread")).to_have_text("1")
    await hers.button("Archived").click()
    await expect(hers.part("conversation")).to_have_count(1)
    await check_nothing_went_wrong(hers)


async def test_a_draft_is_on_all_devices_until_it_is_sent(world: World, browser: Any) -> None:
    ada, ben = await world.person("ada"), await world.person("ben")
    chat = await talk(ada, ben)
    desk, phone = [await at_chat(world, browser, ada, chat) for _ in range(2)]
    at_desk, at_phone = [one.page.get_by_placeholder("Message") for one in (desk, phone)]
    await at_desk.fill("I have <b>begun")
    await expect(at_phone).to_have_value("I have <b>begun")
    await at_phone.fill("I have <b>begun</b> and left")
    await phone.open("chats")
    await expect(at_desk).to_have_value("I have <b>begun</b> and left")
    await expect(phone.part("conversation")).to_contain_text("Draft: I have <b>begun</b> and left")
    await desk.button("Send").click()
    await expect(at_desk).to_have_value("")
    await expect(phone.part("conversation")).not_to_contain_text("Draft")
    await phone.open(f"chats/{chat}")
    await expect(phone.part("message")).to_contain_text("I have <b>begun</b> and left")
    await expect(at_phone).to_have_value("")
    await check_nothing_went_wrong(desk, phone)


async def test_what_was_said_is_found(world: World, browser: Any) -> None:
    ada, ben = await world.person("ada"), await world.person("ben")
    chat = await talk(ada, ben)
    for number in range(22):
        await say(ben, chat, f"{'so ' * 100} {number} {poison('garden')}", f"g{number}")
    hers = await new_viewer(browser, world.url, ada)
    await hers.open("chats")
    await hers.field("Search in messages").fill("gard")
    await hers.button("Search").click()
    found = hers.part("found")
    await expect(found).to_have_count(20)
    await expect(found.first).to_contain_text(f"21 {poison('garden')}")
    await hers.button("Show more").click()
    await expect(found).to_have_count(22)
    await expect(hers.button("Show more")).to_have_count(0)
    await hers.field("Search in messages").fill("nowhere")
    await hers.button("Search").click()
    await expect(hers.page.get_by_text("No messages found.")).to_be_visible()
    await hers.field("Search in messages").fill("garden")
    await hers.button("Search").click()
    await found.first.get_by_role("link", name="Ben Example").click()
    await expect(hers.heading("Ben Example")).to_be_visible()
    await check_nothing_went_wrong(hers)


async def test_what_was_found_is_shown_where_it_was_said(world: World, browser: Any) -> None:
    ada, ben = await world.person("ada"), await world.person("ben")
    chat = await talk(ada, ben)
    old = await say(ben, chat, "Tulips, a long time ago")
    for number in range(60):
        await say(ben, chat, f"{'and ' * 40} {number}", f"m{number}")
    answer = {"conversation_id": chat, "client_id": "a", "text": "Yes!", "reply_to": old["id"]}
    await ben.call("/chat", "send", **answer)
    hers = await new_viewer(browser, world.url, ada)
    await hers.open("chats")
    await hers.field("Search in messages").fill("tulip")
    await hers.button("Search").click()
    await hers.part("found").get_by_role("link", name="Ben Example").click()
    sought = hers.part("message", id=old["id"])
    await expect(sought).to_be_in_viewport()
    await ben.call("/chat", "edit", message_id=old["id"], text="Roses, a long time ago")
    await expect(sought).to_contain_text("Roses")
    await say(ben, chat, "Today")
    await hers.link("Show the newest messages").click()
    await expect(hers.part("message").last).to_contain_text("Today")
    await expect(sought).to_have_count(0)
    await hers.part("quote").get_by_role("link", name="Roses").click()
    await expect(sought).to_be_in_viewport()
    await check_nothing_went_wrong(hers)


async def test_who_tells_nobody_what_they_read_says_so(world: World, browser: Any) -> None:
    ada, ben = await world.person("ada"), await world.person("ben")
    chat = await talk(ada, ben)
    his = await new_viewer(browser, world.url, ben)
    await his.open("profile")
    await his.field("Send read receipts").uncheck()
    await ben.call("/profile", "update", language="de")  # on another device
    await expect(his.field("Language")).to_have_value("de")
    await his.button("Save").click()
    await expect(his.page.get_by_text("Saved.")).to_be_visible()
    await say(ben, chat, "Hello")
    await his.open(f"chats/{chat}")
    await his.button("More").click()
    await his.button("Seen by").click()
    await expect(his.dialog).to_contain_text("Your read receipts are off")
    await his.page.keyboard.press("Escape")
    await his.open("profile")
    await expect(his.field("Send read receipts")).not_to_be_checked()
    await check_nothing_went_wrong(his)
