"""Link previews: plain text with a safe link, removed when the message loses its link."""

from typing import Any

from playwright.async_api import expect

from handlers.kit.transaction import Transaction
from handlers.platform.chat import public as chats
from handlers.platform.chat.contracts.messages import LinkPreview
from tests.browser.viewer import new_viewer
from tests.platform.chat.scenes import say
from tests.world import World, one_database

pytestmark = [one_database]
LINK = "https://xn--bcher-kva.example/a?b=c"


def add_preview(tx: Transaction, message_id: str) -> None:
    message = chats.lock_text(tx, message_id)
    assert message is not None
    preview = LinkPreview(LINK, "<b>Books</b>", "Read\nthem", "Your bank")
    chats.show_preview(tx, message, preview)


async def test_a_link_preview_appears_and_disappears_with_its_link(
    world: World, browser: Any
) -> None:
    ada, ben = await world.person("ada"), await world.person("ben")
    chat = (await ada.call("/chat", "open", user_id=ben.id))["id"]
    sent = await say(ada, chat, f"Look: {LINK}", "c1")
    viewer = await new_viewer(browser, world.url, ben)
    await viewer.open(f"chats/{chat}")
    await expect(viewer.part("message")).to_be_visible()
    await expect(viewer.part("preview")).to_have_count(0)
    await world.transact(add_preview, sent["id"])
    link = viewer.part("preview").get_by_role("link", name="<b>Books</b>")
    await expect(link).to_have_attribute("href", LINK)
    await expect(link).to_have_attribute("rel", "noopener noreferrer nofollow")
    await expect(viewer.part("preview")).to_contain_text("Your bank · xn--bcher-kva.example")
    await expect(viewer.part("preview").locator("img, iframe, video")).to_have_count(0)
    await ada.call("/chat", "edit", message_id=sent["id"], text="no link")
    await expect(viewer.part("preview")).to_have_count(0)
    assert (viewer.errors, await viewer.violations()) == ([], [])
