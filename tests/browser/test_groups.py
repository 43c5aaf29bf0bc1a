"""Groups and conversations on pages of several users or devices, which update each other."""

from typing import Any

import pytest
from playwright.async_api import expect

from tests.browser.populated import xss_text
from tests.browser.viewer import Viewer, new_viewer
from tests.platform.chat.scenes import say, talk
from tests.platform.uploads.uploading import picture
from tests.world import Person, World, one_database

pytestmark = [one_database, pytest.mark.timeout(120)]


async def open_chat(world: World, browser: Any, person: Person, chat: str) -> Viewer:
    viewer = await new_viewer(browser, world.url, person)
    await viewer.open(f"chats/{chat}")
    await expect(viewer.button("Attach a file")).to_be_visible()
    return viewer


async def expect_no_errors(*viewers: Viewer) -> None:
    for viewer in viewers:
        assert viewer.errors == []
        assert await viewer.violations() == []


async def test_changes_of_a_group_by_its_owners_appear_in_its_history(
    world: World, browser: Any
) -> None:
    ada, ben, cleo = [await world.person(name) for name in ("ada", "ben", "cleo")]
    await talk(ada, cleo)
    group = await ada.call("/chat", "create_group", name="Walks", member_ids=[ben.id])
    ada_tab, ben_tab = [
        await open_chat(world, browser, person, group["id"]) for person in (ada, ben)
    ]
    log = ben_tab.page.get_by_role("log")
    await ben_tab.button("Members (2)").click()
    await expect(ben_tab.part("member", id=ada.id)).to_contain_text("Owner")
    await expect(ben_tab.button("Rename")).to_have_count(0)
    await ada_tab.button("Members (2)").click()
    await ada_tab.page.get_by_label("Name", exact=True).fill("<b>Long</b> walks")
    await ada_tab.button("Rename").click()
    await expect(ben_tab.page.locator("h1")).to_have_text("<b>Long</b> walks")
    await expect(log).to_contain_text("Ada Example named the group “<b>Long</b> walks”")
    png = {"name": "us.png", "mimeType": "image/png", "buffer": picture("PNG")}
    await ada_tab.page.get_by_label("Picture file").set_input_files(
        [png]  # type: ignore[list-item]
    )
    await expect(ben_tab.part("group-picture")).to_be_visible()
    await ada_tab.button("Make Ben Example an owner").click()
    await expect(log).to_contain_text("Ada Example made you an owner")
    await expect(ben_tab.button("Rename")).to_be_visible()
    await ben_tab.button("Make Ada Example a regular member").click()
    await expect(ada_tab.button("Rename")).to_have_count(0)
    await ben_tab.button("Make yourself a regular member").click()
    await expect(ben_tab.dialog).to_contain_text("A group needs an owner.")
    await ada_tab.field("Person").select_option(cleo.id)
    await ada_tab.button("Add member").click()
    await expect(log).to_contain_text("Ada Example added Cleo Example")
    await ben_tab.button("Remove Cleo Example").click()
    await expect(log).to_contain_text("You removed Cleo Example")
    await ben_tab.page.keyboard.press("Escape")
    await expect(ben_tab.button("Members (2)")).to_be_visible()
    await expect_no_errors(ada_tab, ben_tab)


async def test_messages_mention_members_and_can_be_pinned_and_deleted(
    world: World, browser: Any
) -> None:
    ada, ben, cleo = [await world.person(name) for name in ("ada", "ben", "cleo")]
    chat = await talk(ada, ben, cleo)
    ada_tab, ben_tab = [await open_chat(world, browser, person, chat) for person in (ada, ben)]
    composer = ada_tab.page.get_by_placeholder("Message")
    await composer.press_sequentially("Hello @be")
    await ada_tab.button("@Ben Example").click()
    await expect(composer).to_have_value("Hello @Ben Example ")
    await composer.press_sequentially("and all")
    await ada_tab.button("Send").click()
    ben_message = ben_tab.part("message")
    await expect(ben_message).to_contain_text("Hello @Ben Example and all")
    await expect(ben_message.locator("[data-test=mentioned]")).to_be_visible()
    await expect(ada_tab.part("mentioned")).to_have_count(0)
    await expect(ada_tab.part("mark")).to_have_text("Read by 1")
    await ada.call("/profile", "update", settings={"read_receipts": False})
    await expect(ada_tab.part("mark")).to_have_text("Delivered")
    await ada.call("/profile", "update", settings={"read_receipts": True})
    await expect(ada_tab.part("mark")).to_have_text("Read by 1")
    await ada_tab.button("More").click()
    await ada_tab.button("Seen by").click()
    await expect(ada_tab.part("receipt").first).to_contain_text("Ben Example")
    await ada_tab.page.keyboard.press("Escape")
    await ben_tab.button("More").click()
    await expect(ben_tab.button("Delete for me")).to_be_visible()
    await expect(ben_tab.page.get_by_role("button", name="Pin")).to_have_count(0)
    await ada_tab.page.get_by_role("button", name="Pin", exact=True).click()
    await expect(ben_tab.part("pinned")).to_contain_text("Hello @Ben Example and all")
    await ben_tab.button("Delete for me").click()
    await expect(ben_message).to_have_count(0)
    await expect(ben_tab.part("pinned")).to_have_count(0)
    await ada_tab.part("pinned").get_by_role("button").click()
    await expect(ada_tab.part("pinned")).to_have_count(0)
    await ada_tab.button("Delete for everyone").click()
    await expect(ada_tab.part("message")).to_contain_text("This message was deleted.")
    await expect_no_errors(ada_tab, ben_tab)


async def test_messages_are_marked_as_unread_on_all_devices(world: World, browser: Any) -> None:
    ada, ben = await world.person("ada"), await world.person("ben")
    chat = await talk(ada, ben)
    for text in ("one", "two", "three"):
        await say(ben, chat, text)
    ada_tab = await open_chat(world, browser, ada, chat)
    phone = await new_viewer(browser, world.url, ada)
    await phone.open("chats")
    await ben.event("MESSAGE_READ", lambda data: data["user_id"] == ada.id)
    await expect(phone.heading("Chats")).to_be_visible()
    await expect(phone.part("unread")).to_have_count(0)
    await ada_tab.part("message").nth(1).get_by_role("button", name="More").click()
    await ada_tab.button("Mark as unread from here").click()
    for tab in (ada_tab, phone):
        await expect(tab.part("unread")).to_have_text("2")
    await phone.part("conversation").get_by_role("link").click()
    await expect(ada_tab.part("unread")).to_have_count(0)
    await phone.button("Mark as unread").click()
    for tab in (ada_tab, phone):
        await expect(tab.part("unread")).to_have_text("1")
    await expect_no_errors(ada_tab, phone)


async def test_the_readers_of_a_message_to_a_larger_group_are_counted(
    world: World, browser: Any
) -> None:
    people = [await world.person(name) for name in ("ada", "ben", "cleo", "dan", "eve", "finn")]
    ada, *others = people
    chat = await talk(*people)
    said = await say(ada, chat, "Who reads this?")
    ada_tab = await open_chat(world, browser, ada, chat)
    await expect(ada_tab.part("mark")).to_have_text("Sent")
    for count, reader in enumerate(others[:2], 1):
        await reader.call("/chat", "mark_read", conversation_id=chat, seq=said["seq"])
        world.clock.advance(5)
        await world.settle()
        await expect(ada_tab.part("mark")).to_have_text(f"Read by {count}")
    await expect_no_errors(ada_tab)


async def test_a_conversation_can_be_muted_blocked_and_archived(world: World, browser: Any) -> None:
    ada, ben = await world.person("ada"), await world.person("ben")
    chat = await talk(ada, ben)
    ada_tab = await open_chat(world, browser, ada, chat)
    await ada_tab.open("chats")
    await expect(ada_tab.heading("Chats")).to_be_visible()
    await say(ben, chat, "one")
    await expect(ada_tab.part("chats-badge")).to_have_text("1")
    await ada.call("/chat", "mute", conversation_id=chat, until="2999-01-01T00:00:00Z")
    await expect(ada_tab.part("conversation").locator("[data-test=muted]")).to_be_visible()
    await expect(ada_tab.part("chats-badge")).to_have_count(0)
    await expect(ada_tab.part("unread")).to_have_text("1")
    await ada_tab.part("conversation").get_by_role("link").click()
    await expect(ada_tab.part("muted")).to_have_text("Muted")
    await ada_tab.button("Unmute").click()
    await ada_tab.button("Mute").click()
    await ada_tab.button("For a week").click()
    await expect(ada_tab.part("muted")).to_contain_text("Muted until")
    await ada_tab.button("Block").click()
    await expect(ada_tab.part("blocked")).to_be_visible()
    await ada_tab.page.get_by_placeholder("Message").fill("Hello")
    await ada_tab.button("Send").click()
    await expect(ada_tab.part("outgoing")).to_contain_text("One of you has blocked the other.")
    await ada_tab.button("Unblock").click()
    await expect(ada_tab.part("blocked")).to_have_count(0)
    await ada_tab.button("Send again").click()
    await expect(ada_tab.part("message")).to_have_count(2)
    await ada_tab.button("Archive").click()
    await expect(ada_tab.button("Unarchive")).to_be_visible()
    await ada_tab.open("chats")
    await expect(ada_tab.page.get_by_text("No conversations yet.")).to_be_visible()
    await ada.call("/chat", "mute", conversation_id=chat)
    await say(ben, chat, "two")
    await expect(ada_tab.part("archived-unread")).to_have_text("1")
    await ada_tab.button("Archived").click()
    await expect(ada_tab.part("conversation")).to_have_count(1)
    await expect_no_errors(ada_tab)


async def test_a_draft_is_synced_to_all_devices_until_it_is_sent(
    world: World, browser: Any
) -> None:
    ada, ben = await world.person("ada"), await world.person("ben")
    chat = await talk(ada, ben)
    desktop_tab, phone_tab = [await open_chat(world, browser, ada, chat) for _ in range(2)]
    desktop_composer, phone_composer = [
        one.page.get_by_placeholder("Message") for one in (desktop_tab, phone_tab)
    ]
    await desktop_composer.fill("I have <b>begun")
    await expect(phone_composer).to_have_value("I have <b>begun")
    await phone_composer.fill("I have <b>begun</b> and left")
    await phone_tab.open("chats")
    await expect(desktop_composer).to_have_value("I have <b>begun</b> and left")
    await expect(phone_tab.part("conversation")).to_contain_text(
        "Draft: I have <b>begun</b> and left"
    )
    await desktop_tab.button("Send").click()
    await expect(desktop_composer).to_have_value("")
    await expect(phone_tab.part("conversation")).not_to_contain_text("Draft")
    await phone_tab.open(f"chats/{chat}")
    await expect(phone_tab.part("message")).to_contain_text("I have <b>begun</b> and left")
    await expect(phone_composer).to_have_value("")
    await expect_no_errors(desktop_tab, phone_tab)


async def test_message_search_shows_results_page_by_page(world: World, browser: Any) -> None:
    ada, ben = await world.person("ada"), await world.person("ben")
    chat = await talk(ada, ben)
    for number in range(22):
        await say(ben, chat, f"{'so ' * 100} {number} {xss_text('garden')}", f"g{number}")
    ada_tab = await new_viewer(browser, world.url, ada)
    await ada_tab.open("chats")
    await ada_tab.field("Search in messages").fill("gard")
    await ada_tab.button("Search").click()
    results = ada_tab.part("found")
    await expect(results).to_have_count(20)
    await expect(results.first).to_contain_text(f"21 {xss_text('garden')}")
    await ada_tab.button("Show more").click()
    await expect(results).to_have_count(22)
    await expect(ada_tab.button("Show more")).to_have_count(0)
    await ada_tab.field("Search in messages").fill("nowhere")
    await ada_tab.button("Search").click()
    await expect(ada_tab.page.get_by_text("No messages found.")).to_be_visible()
    await ada_tab.field("Search in messages").fill("garden")
    await ada_tab.button("Search").click()
    await results.first.get_by_role("link", name="Ben Example").click()
    await expect(ada_tab.heading("Ben Example")).to_be_visible()
    await expect_no_errors(ada_tab)


async def test_search_results_and_quotes_link_to_the_message_in_context(
    world: World, browser: Any
) -> None:
    ada, ben = await world.person("ada"), await world.person("ben")
    chat = await talk(ada, ben)
    old = await say(ben, chat, "Tulips, a long time ago")
    for number in range(60):
        await say(ben, chat, f"{'and ' * 40} {number}", f"m{number}")
    reply = {"conversation_id": chat, "client_id": "a", "text": "Yes!", "reply_to": old["id"]}
    await ben.call("/chat", "send", **reply)
    ada_tab = await new_viewer(browser, world.url, ada)
    await ada_tab.open("chats")
    await ada_tab.field("Search in messages").fill("tulip")
    await ada_tab.button("Search").click()
    await ada_tab.part("found").get_by_role("link", name="Ben Example").click()
    target = ada_tab.part("message", id=old["id"])
    await expect(target).to_be_in_viewport()
    await ben.call("/chat", "edit", message_id=old["id"], text="Roses, a long time ago")
    await expect(target).to_contain_text("Roses")
    await say(ben, chat, "Today")
    await ada_tab.link("Show the newest messages").click()
    await expect(ada_tab.part("message").last).to_contain_text("Today")
    await expect(target).to_have_count(0)
    await ada_tab.part("quote").get_by_role("link", name="Roses").click()
    await expect(target).to_be_in_viewport()
    await expect_no_errors(ada_tab)


async def test_seen_by_explains_that_read_receipts_are_turned_off(
    world: World, browser: Any
) -> None:
    ada, ben = await world.person("ada"), await world.person("ben")
    chat = await talk(ada, ben)
    ben_tab = await new_viewer(browser, world.url, ben)
    await ben_tab.open("profile")
    await ben_tab.field("Send read receipts").uncheck()
    await ben.call("/profile", "update", language="de")  # on another device
    await expect(ben_tab.field("Language")).to_have_value("de")
    await ben_tab.button("Save").click()
    await expect(ben_tab.page.get_by_text("Saved.")).to_be_visible()
    await say(ben, chat, "Hello")
    await ben_tab.open(f"chats/{chat}")
    await ben_tab.button("More").click()
    await ben_tab.button("Seen by").click()
    await expect(ben_tab.dialog).to_contain_text("Your read receipts are off")
    await ben_tab.page.keyboard.press("Escape")
    await ben_tab.open("profile")
    await expect(ben_tab.field("Send read receipts")).not_to_be_checked()
    await expect_no_errors(ben_tab)
