"""The consultant's terms, reminders, and what a waiting student and the desk see."""

import pytest
from playwright.async_api import expect

from tests.browser.populated import populate
from tests.browser.viewer import new_viewer
from tests.world import one_database

pytestmark = [one_database, pytest.mark.settings(PARLEY_WAITING_ROOM_OPENS_S="7200")]


async def test_a_consultant_sets_terms_and_a_student_sees_the_hours_beside_a_booking(
    world, browser
):
    made = await populate(world)
    consultant = await new_viewer(browser, world.url, made.ada)
    await consultant.open("week")
    await consultant.field("Free time after a booked hour, in minutes").fill("10")
    await consultant.field("Fee of a missed hour, in percent").fill("50")
    await consultant.field("Approve requests at once").check()
    await consultant.button("Save terms").click()
    await expect(consultant.part("terms-saved")).to_have_text("Saved.")
    terms = await made.ben.call("/availability", "get_terms", consultant_id=made.ada.id)
    assert (terms["buffer_minutes"], terms["no_show_percent"], terms["approves_at_once"]) == (
        10,
        50,
        True,
    )
    student = await new_viewer(browser, world.url, made.ben)
    await student.open(f"consultants/{made.ada.id}")
    clashing = student.part("block", status="unavailable").first
    await expect(clashing).to_contain_text("Not available")
    await expect(clashing.get_by_role("button")).to_have_count(0)
    assert [*consultant.errors, *student.errors] == []


async def test_reminders_and_the_address_of_the_calendar_are_on_the_profile(world, browser):
    ada = await world.person("ada")
    viewer = await new_viewer(browser, world.url, ada)
    await viewer.open("profile")
    await viewer.field("An hour before a booking").uncheck()
    before = await viewer.part("feed").text_content()
    await viewer.button("Replace the address").click()
    await expect(viewer.part("feed")).not_to_have_text(before or "")
    await expect(viewer.field("An hour before a booking")).not_to_be_checked()
    state = await ada.call("/calendar", "get")
    assert (state["day"], state["hour"], state["minutes"]) == (True, False, True)
    assert viewer.errors == []


async def test_a_waiting_student_sees_what_the_consultant_does_and_why_the_place_ended(
    world, browser
):
    made = await populate(world)
    viewer = await new_viewer(browser, world.url, made.ben)
    await viewer.open(f"waiting-room/{made.booking_id}")
    await expect(viewer.part("consultant")).to_have_text("The consultant is in a call.")
    await made.ada.call("/call", "end", call_id=made.call_id)
    await expect(viewer.part("consultant")).to_have_text("The consultant is here.")
    desk = await new_viewer(browser, world.url, made.ada)
    await desk.open(f"queue/{made.block_id}")
    await expect(desk.part("place").first).to_be_visible()
    await made.ben.client.close()
    await viewer.page.close()
    await expect(desk.part("away").first).to_be_visible()
    assert desk.errors == []
