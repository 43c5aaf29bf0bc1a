"""Pages show the current state, not the state when they were opened."""

import pytest
from playwright.async_api import expect

from tests.browser.populated import populate
from tests.browser.viewer import new_viewer
from tests.world import one_database

pytestmark = [one_database, pytest.mark.settings(PARLEY_WAITING_ROOM_OPENS_S="7200")]


async def test_signed_in_users_are_redirected_from_login_and_signup(world, browser):
    viewer = await new_viewer(browser, world.url, await world.person("ada"))
    for route in ("login", "signup"):
        await viewer.open(route)
        await expect(viewer.heading("Consultants")).to_be_visible()


async def test_the_profile_shows_the_current_presence_status(world, browser):
    ada = await world.person("ada")
    await ada.call("/presence", "set_status", status="away")
    viewer = await new_viewer(browser, world.url, ada)
    await viewer.open("profile")
    await expect(viewer.button("Away")).to_have_attribute("aria-pressed", "true")
    await viewer.button("Busy").click()
    await expect(viewer.button("Busy")).to_have_attribute("aria-pressed", "true")
    await expect(viewer.button("Busy")).to_be_focused()
    await expect(viewer.button("Away")).to_have_attribute("aria-pressed", "false")


async def test_a_week_without_overrides_follows_the_default_week(world, browser):
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


async def test_a_waiting_student_sees_that_the_booking_was_cancelled(world, browser):
    made = await populate(world)
    viewer = await new_viewer(browser, world.url, made.ben)
    await viewer.open(f"waiting-room/{made.booking_id}")
    await expect(viewer.part("position")).to_be_visible()
    await made.ada.call("/booking", "cancel", booking_id=made.booking_id)
    await expect(viewer.part("error", code="WRONG_STATE")).to_be_visible()
    await expect(viewer.part("position")).to_have_count(0)
    await expect(viewer.link("Back to your bookings")).to_be_visible()


async def test_a_call_in_progress_is_offered_after_a_page_load_until_it_ends(world, browser):
    made = await populate(world)
    viewer = await new_viewer(browser, world.url, made.ada)
    await viewer.open("bookings")
    await expect(viewer.part("call-ready")).to_be_visible()
    await made.ada.call("/call", "end", call_id=made.call_id)
    await expect(viewer.part("call-ready")).to_have_count(0)


async def test_a_malformed_route_shows_not_found(world, browser):
    viewer = await new_viewer(browser, world.url)
    await viewer.open("%")
    await expect(viewer.heading("Not found")).to_be_visible()
    assert viewer.errors == []
