"""Moderation on the page: a flag, the queue, a decision and its undoing, as everybody sees them."""

from typing import Any

import pytest
from playwright.async_api import expect

from tests.browser.furnished import poison
from tests.browser.viewer import new_viewer
from tests.platform.moderation.scenes import moderator
from tests.world import World, one_database

pytestmark = [one_database, pytest.mark.timeout(120)]


async def test_a_message_is_flagged_hidden_and_shown_again(world: World, browser: Any) -> None:
    ada, ben, mo = (
        await world.person("ada"),
        await world.person("ben"),
        await moderator(world, "mo"),
    )
    chat = (await ada.call("/chat", "open", user_id=ben.id))["id"]
    said = {"conversation_id": chat, "client_id": "one", "text": poison("text")}
    message = await ada.call("/chat", "send", **said)
    his = await new_viewer(browser, world.url, ben)
    await his.open(f"chats/{chat}")
    theirs = await new_viewer(browser, world.url, mo)
    await theirs.open()
    await theirs.link("Moderation").click()
    await expect(theirs.page.get_by_text("No open cases.")).to_be_visible()

    shown = his.part("message", id=message["id"])
    await shown.get_by_role("button", name="Flag").click()
    await his.field("Reason").select_option("hate")
    await his.field("What is wrong with this message?").fill(poison("note"))
    await his.dialog.get_by_role("button", name="Flag").click()
    await expect(his.dialog).to_have_count(0)

    case = theirs.part("case")
    await expect(case).to_contain_text("Hate speech: 1")
    await case.get_by_role("button", name="Review").click()
    await expect(theirs.part("flagged")).to_contain_text(poison("text"))
    await expect(theirs.dialog.get_by_text(poison("note"))).to_be_visible()
    await theirs.field("Decision").select_option("hide")
    await theirs.button("Decide").click()
    await expect(case).to_have_count(0)
    await expect(shown).to_contain_text("This message is hidden.")
    await expect(shown.get_by_role("button", name="Flag")).to_have_count(0)

    await theirs.button("Audit log").click()
    await theirs.part("act", act="hide").get_by_role("button", name="Review").click()
    await theirs.button("Undo the decision").click()
    await expect(shown).to_contain_text(poison("text"))
    await theirs.button("Audit log").click()
    await expect(case).to_contain_text("Hate speech: 1")
    for viewer in (his, theirs):
        assert await viewer.violations() == []
        assert viewer.mistakes == []


async def test_the_page_of_moderators_is_for_them_alone(world: World, browser: Any) -> None:
    hers = await new_viewer(browser, world.url, await world.person("ada"))
    await hers.open("moderation")
    await expect(hers.part("error", code="FORBIDDEN")).to_be_visible()
    await expect(hers.link("Moderation")).to_have_count(0)
