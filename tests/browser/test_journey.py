"""Two users in two browsers, from signing up to the duration of their video call."""

import asyncio
import time
from pathlib import Path

import pytest
from playwright.async_api import expect

from tests.browser.viewer import TIMEOUT_MS, Viewer, new_viewer
from tests.parts.chromium import connected_to
from tests.world import one_database

pytestmark = [one_database, pytest.mark.timeout(120)]

TWO_HOURS = "7200"
_PICTURES = Path(__file__).with_name("pictures.js").read_text()


async def become_a_consultant(ada: Viewer) -> None:
    await ada.link("Consulting").click()
    await ada.field("About you").fill("I explain compilers.\nAsk me anything.")
    await ada.field("German").check()
    await ada.field("Country").select_option("DE")
    await ada.button("Become a consultant").click()
    await expect(ada.heading("Your consulting")).to_be_visible()


async def offer_a_topic(ada: Viewer) -> None:
    await ada.button("Add topic").click()
    await ada.dialog.get_by_label("Name").fill("Compilers")
    await ada.dialog.get_by_label("Description").fill("Lexing, parsing, types")
    await ada.dialog.get_by_label("Price per hour").fill("60.50")
    await ada.dialog.get_by_role("button", name="Add topic").click()
    await expect(ada.part("topic")).to_contain_text("€60.50")


async def offer_a_week(ada: Viewer) -> None:
    """Every hour of every day, so that it does not matter when the test runs."""
    await ada.link("Set your weekly times").click()
    week = ada.page.get_by_role("region", name="Default week")
    await week.get_by_label("Day").select_option("Every day")
    await week.get_by_label("From").select_option("00:00")
    await week.get_by_label("To", exact=True).select_option("24:00")
    await week.get_by_role("button", name="Add hours").click()
    await expect(week.locator("[data-test=weekly-block]")).to_have_count(7 * 24)
    await week.get_by_role("button", name="Save default week").click()
    await expect(ada.part("saved")).to_have_text("Saved.")


async def find_and_book(ben: Viewer) -> None:
    """Book the second block, because the current one could end before the call does."""
    await ben.link("Consultants").click()
    await ben.link("Ada Example").click()
    await expect(ben.heading("Ada Example")).to_be_visible()
    await ben.part("block").nth(1).get_by_role("button", name="Book").click()
    await ben.dialog.get_by_label("Note").fill("My parser loops for ever")
    await ben.dialog.get_by_role("button", name="Request booking").click()
    await expect(ben.heading("Bookings")).to_be_visible()
    await expect(ben.part("booking", status="requested")).to_contain_text("Compilers")


async def approve(ada: Viewer, ben: Viewer) -> None:
    """Ada opens the request from a notification, and Ben's page shows her approval by itself."""
    await ada.part("new-notification").get_by_role("link", name="New booking request").click()
    asked = ada.part("booking", status="requested")
    await expect(asked).to_contain_text("Requested by Ben Example")
    await expect(asked).to_contain_text("My parser loops for ever")
    await asked.get_by_role("button", name="Approve").click()
    await expect(ben.part("booking", status="approved")).to_be_visible()


async def say(viewer: Viewer, text: str) -> None:
    await viewer.page.get_by_role("textbox", name="Message").fill(text)
    await viewer.button("Send").click()


async def chat(ada: Viewer, ben: Viewer) -> None:
    """Send messages both ways, with unread counts, delivery marks and a typing indicator."""
    await ben.part("booking").get_by_role("button", name="Message").click()
    await expect(ben.heading("Ada Example")).to_be_visible()
    await say(ben, "Good day")
    await expect(ada.part("chats-badge")).to_have_text("1")
    await expect(ben.part("mark")).to_have_text("Delivered")
    await ada.link("Chats").click()
    await ada.link("Ben Example").click()
    await expect(ada.part("message")).to_contain_text("Good day")
    await expect(ben.part("mark")).to_have_text("Read")
    await ada.page.get_by_role("textbox", name="Message").press_sequentially("And")
    await expect(ben.part("typing")).to_have_text("Ada Example is typing …")
    await say(ada, "And to you")
    await expect(ben.part("message").last).to_contain_text("And to you")
    await expect(ada.part("chats-badge")).to_have_count(0)


async def wait_and_be_admitted(ada: Viewer, ben: Viewer) -> None:
    await ada.link("Bookings").click()
    await ada.link("Open the queue").click()
    await expect(ada.page.get_by_text("No one is waiting.")).to_be_visible()
    await ben.link("Bookings").click()
    await ben.link("Waiting room").click()
    await expect(ben.part("position")).to_have_text("1")
    place = ada.part("place")
    await expect(place).to_contain_text("1. Ben Example")
    await place.get_by_role("button", name="Admit").click()


async def expect_video(viewer: Viewer, picture: str, within_s: float = TIMEOUT_MS / 1000) -> None:
    """Wait until the remote video is `moving`, or `dark` because the camera is off."""
    async with asyncio.timeout(within_s):
        await viewer.page.evaluate(_PICTURES, picture)


async def expect_video_both_ways(ada: Viewer, ben: Viewer) -> None:
    """Each sees the other: when Ada turns her camera off, only Ben's video is dark."""
    for viewer in (ada, ben):
        await expect(viewer.part("line")).to_have_attribute("data-line", "talking")
    await asyncio.gather(expect_video(ada, "moving"), expect_video(ben, "moving"))
    await ada.page.get_by_role("switch", name="Camera").click()
    await asyncio.gather(expect_video(ada, "moving"), expect_video(ben, "dark"))
    await ada.page.get_by_role("switch", name="Camera").click()
    await expect_video(ben, "moving")


async def get_talked_s(viewer: Viewer) -> int:
    """The call's duration in seconds, as the page shows it."""
    talked = viewer.part("talked")
    await expect(talked).to_be_visible()
    seconds = int(await talked.get_attribute("data-seconds") or "")
    minutes, left = divmod(seconds, 60)
    assert minutes == 0
    await expect(talked).to_have_text(f"0 minutes {left} second{'' if left == 1 else 's'}")
    return seconds


@pytest.mark.settings(PARLEY_WAITING_ROOM_OPENS_S=TWO_HOURS)
async def test_two_users_sign_up_book_chat_and_have_a_video_call(process, chromium):
    async with connected_to(chromium) as ada_browser, connected_to(chromium) as ben_browser:
        ada = await new_viewer(ada_browser, process.url)
        ben = await new_viewer(ben_browser, process.url)
        await asyncio.gather(ada.sign_up(process.mails, "ada"), ben.sign_up(process.mails, "ben"))
        await become_a_consultant(ada)
        await offer_a_topic(ada)
        await offer_a_week(ada)
        await find_and_book(ben)
        await approve(ada, ben)
        await chat(ada, ben)

        before = time.monotonic()
        await wait_and_be_admitted(ada, ben)
        await expect(ben.part("line")).to_have_attribute("data-line", "talking")
        talking = time.monotonic()
        await expect_video_both_ways(ada, ben)
        talk_min_s = time.monotonic() - talking
        await ben.button("End the call").click()
        shown = await asyncio.gather(get_talked_s(ada), get_talked_s(ben))
        assert shown[0] == shown[1]
        assert int(talk_min_s) <= shown[0] <= time.monotonic() - before + 1

        await ben.link("Your bookings").click()
        await expect(ben.part("booking", status="completed")).to_be_visible()
        assert ada.errors == ben.errors == []
        assert await ada.violations() == await ben.violations() == []
