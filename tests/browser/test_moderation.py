"""Moderation on the page: flagging a message, deciding on it and undoing the decision."""

from typing import Any

import pytest
from playwright.async_api import expect

from tests.browser.populated import xss_text
from tests.browser.viewer import new_viewer
from tests.platform.moderation.scenes import moderator
from tests.world import World, one_database

pytestmark = [one_database, pytest.mark.timeout(120)]


async def test_a_flagged_message_is_hidden_and_restored(world: World, browser: Any) -> None:
    ada, ben, mo = (
        await world.person("ada"),
        await world.person("ben"),
        await moderator(world, "mo"),
    )
    chat = (await ada.call("/chat", "open", user_id=ben.id))["id"]
    fields = {"conversation_id": chat, "client_id": "one", "text": xss_text("text")}
    message = await ada.call("/chat", "send", **fields)
    ben_tab = await new_viewer(browser, world.url, ben)
    await ben_tab.open(f"chats/{chat}")
    mo_tab = await new_viewer(browser, world.url, mo)
    await mo_tab.open()
    await mo_tab.link("Moderation").click()
    await expect(mo_tab.page.get_by_text("No open cases.")).to_be_visible()

    shown = ben_tab.part("message", id=message["id"])
    await shown.get_by_role("button", name="Flag").click()
    await ben_tab.field("Reason").select_option("hate")
    await ben_tab.field("What is wrong with this message?").fill(xss_text("note"))
    await ben_tab.dialog.get_by_role("button", name="Flag").click()
    await expect(ben_tab.dialog).to_have_count(0)

    case = mo_tab.part("case")
    await expect(case).to_contain_text("Hate speech: 1")
    await case.get_by_role("button", name="Review").click()
    await expect(mo_tab.part("flagged")).to_contain_text(xss_text("text"))
    await expect(mo_tab.dialog.get_by_text(xss_text("note"))).to_be_visible()
    await mo_tab.field("Decision").select_option("hide")
    await mo_tab.button("Decide").click()
    await expect(case).to_have_count(0)
    await expect(shown).to_contain_text("This message is hidden.")
    await expect(shown.get_by_role("button", name="Flag")).to_have_count(0)

    await mo_tab.button("Audit log").click()
    await mo_tab.part("act", act="hide").get_by_role("button", name="Review").click()
    await mo_tab.button("Undo the decision").click()
    await expect(shown).to_contain_text(xss_text("text"))
    await mo_tab.button("Audit log").click()
    await expect(case).to_contain_text("Hate speech: 1")
    for viewer in (ben_tab, mo_tab):
        assert await viewer.violations() == []
        assert viewer.errors == []


async def test_the_moderation_page_is_only_for_moderators(world: World, browser: Any) -> None:
    ada_tab = await new_viewer(browser, world.url, await world.person("ada"))
    await ada_tab.open("moderation")
    await expect(ada_tab.part("error", code="FORBIDDEN")).to_be_visible()
    await expect(ada_tab.link("Moderation")).to_have_count(0)
