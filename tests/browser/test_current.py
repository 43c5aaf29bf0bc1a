"""The page says what is so now, and not what was when it was opened."""

import pytest
from playwright.async_api import expect

from tests.browser.furnished import furnish
from tests.browser.viewer import new_viewer
from tests.world import one_database

pytestmark = [one_database, pytest.mark.settings(PARLEY_WAITING_ROOM_OPENS_S="7200")]


async def test_who_is_signed_in_is_led_away_from_the_log_in(world, browser):
    viewer = await new_viewer(browser, world.url, await world.person("ada"))
    for route in ("login", "signup"):
        await viewer.open(route)
        await expect(viewer.heading("Consultants")).to_be_visible()


async def test_the_profile_shows_the_status_that_was_set(world, browser):
    ada = await world.person("ada")
    await ada.call("/presence", "set_status", status="away")
    viewer = await new_viewer(browser, world.url, ada)
    await viewer.open("profile")
    await expect(viewer.button("Away")).to_have_attribute("aria-pressed", "true")
    await viewer.button("Busy").click()
    await expect(viewer.button("Busy")).to_have_attribute("aria-pressed", "true")
    await expect(viewer.button("Busy")).to_be_focused()
    await expect(viewer.button("Away")).to_have_attribute("aria-pressed", "false")


async def test_a_week_like_the_default_follows_it(world, browser):
    viewer = await new_viewer(browser, world.url, await world.person("ada", consultant=True))
    await viewer.open("week")
    default = viewer.page.get_by_role("region", name="Default week")
    one = viewer.page.get_by_role("region", name="Single week")
    before = await one.locator("[data-test=weekly-block]").count()
    await default.get_by_label("Day").select_option("Every day")
    await default.get_by_label("From").select_option("00:00")
    await default.get_by_label("To", exact=True).select_option("24:00")
    await default.get_by_role("button", name="Add hours").click()
    await default.get_by_role("button", name="Save default week").click()
    assert before != 7 * 24
    await expect(one.locator("[data-test=weekly-block]")).to_have_count(7 * 24)


async def test_who_waits_is_told_that_their_booking_is_no_more(world, browser):
    made = await furnish(world)
    viewer = await new_viewer(browser, world.url, made.ben)
    await viewer.open(f"waiting-room/{made.booking_id}")
    await expect(viewer.part("position")).to_be_visible()
    await made.ada.call("/booking", "cancel", booking_id=made.booking_id)
    await expect(viewer.part("error", code="WRONG_STATE")).to_be_visible()
    await expect(viewer.part("position")).to_have_count(0)
    await expect(viewer.link("Back to your bookings")).to_be_visible()


async def test_a_call_that_goes_on_is_offered_after_the_page_is_loaded_anew(world, browser):
    made = await furnish(world)
    viewer = await new_viewer(browser, world.url, made.ada)
    await viewer.open("bookings")
    await expect(viewer.part("call-ready")).to_be_visible()
    await made.ada.call("/call", "end", call_id=made.call_id)
    await expect(viewer.part("call-ready")).to_have_count(0)


async def test_an_address_that_cannot_be_read_is_a_page_that_is_not_found(world, browser):
    viewer = await new_viewer(browser, world.url)
    await viewer.open("%")
    await expect(viewer.heading("Not found")).to_be_visible()
    assert viewer.mistakes == []
