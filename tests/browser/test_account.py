"""Account settings on the page: password reset, email, sessions, theme, export and deletion."""

from pathlib import Path
from typing import Any
from zipfile import ZipFile

import pytest
from playwright.async_api import expect

from tests.browser.viewer import new_viewer
from tests.world import PASSWORD, World, one_database

pytestmark = [one_database, pytest.mark.timeout(120)]

NEW_PASSWORD = "another horse battery"
NEW_ADDRESS = "ana@elsewhere.example"


async def test_a_forgotten_password_is_reset_with_an_emailed_pincode(
    world: World, browser: Any
) -> None:
    await world.sign_up("ana")
    ana = await new_viewer(browser, world.url)
    await ana.open("login")
    await ana.link("Forgot your password?").click()
    await ana.field("Email").fill("ana@example.org")
    await ana.button("Send pincode").click()
    await ana.field("Pincode").fill(await world.mails.pincode("ana@example.org", 2))
    await ana.page.get_by_role("textbox", name="New password").fill(NEW_PASSWORD)
    await ana.button("Set password").click()
    await expect(ana.heading("Consultants")).to_be_visible()
    assert ana.errors == []


async def test_the_profile_page_ends_other_sessions_and_changes_the_email(
    world: World, browser: Any
) -> None:
    person = await world.sign_up("ana")
    await world.another_session(person)
    world.clock.advance(601)  # the fresh proof of signing up has expired
    ana = await new_viewer(browser, world.url, person)
    await ana.open("profile")
    await expect(ana.part("sessions").locator("li")).to_have_count(2)
    await ana.button("Sign out everywhere else").click()
    await expect(ana.part("sessions").locator("li")).to_have_count(1)
    await ana.field("New email").fill(NEW_ADDRESS)
    await ana.button("Change address").click()
    await ana.dialog.get_by_label("Your password").fill(PASSWORD)
    await ana.dialog.get_by_role("button", name="Continue").click()
    await ana.field("Pincode sent to ana@example.org").fill(
        await world.mails.pincode("ana@example.org", 2)
    )
    await ana.field(f"Pincode sent to {NEW_ADDRESS}").fill(await world.mails.pincode(NEW_ADDRESS))
    await ana.page.get_by_role("button", name="Confirm", exact=True).click()
    await expect(ana.page.get_by_text("Email address changed.")).to_be_visible()
    await expect(ana.page.get_by_text(NEW_ADDRESS).first).to_be_visible()
    assert ana.errors == []


async def test_choosing_the_dark_theme_changes_the_colours(world: World, browser: Any) -> None:
    ana = await new_viewer(browser, world.url, await world.person("ana"))
    await ana.open("profile")
    background = "getComputedStyle(document.body).backgroundColor"
    light = await ana.page.evaluate(background)
    await ana.field("Theme").select_option("dark")
    await ana.button("Save").click()
    await expect(ana.page.get_by_text("Saved.")).to_be_visible()
    assert await ana.page.evaluate(background) != light


async def test_the_profile_page_makes_a_user_invisible(world: World, browser: Any) -> None:
    person, ben = await world.person("ana"), await world.person("ben")
    ana = await new_viewer(browser, world.url, person)
    await ana.open("profile")
    invisible = ana.button("Invisible")
    await expect(invisible).to_have_attribute("aria-pressed", "false")
    await ben.enter("/presence")
    await ben.call("/presence", "watch", user_ids=[person.id])
    await invisible.click()
    await ben.event("USER_OFFLINE")
    await expect(invisible).to_have_attribute("aria-pressed", "true")
    await ana.button("Busy").click()
    await expect(ana.button("Busy")).to_have_attribute("aria-pressed", "true")
    await ana.page.reload()
    await expect(invisible).to_have_attribute("aria-pressed", "true")
    await expect(ana.button("Busy")).to_have_attribute("aria-pressed", "true")
    await invisible.click()
    await ben.event("status_changed", lambda data: data["status"] == "busy")
    assert ana.errors == []


async def test_a_user_exports_data_and_cancels_an_account_deletion(
    world: World, browser: Any, tmp_path: Path
) -> None:
    person = await world.sign_up("ana")
    world.clock.advance(601)  # the fresh proof of signing up has expired
    ana = await new_viewer(browser, world.url, person)
    await ana.open("profile")
    await ana.button("Export my data").click()
    await ana.dialog.get_by_label("Your password").fill(PASSWORD)
    await ana.dialog.get_by_role("button", name="Continue").click()
    await expect(ana.button("Get a download link")).to_be_visible()
    world.clock.advance(601)
    await ana.button("Get a download link").click()
    await ana.dialog.get_by_label("Your password").fill(PASSWORD)
    await ana.dialog.get_by_role("button", name="Continue").click()
    async with ana.page.expect_download() as download:
        await ana.link("Download").click()
    await (await download.value).save_as(tmp_path / "export.zip")
    with ZipFile(tmp_path / "export.zip") as archive:
        assert b"ana@example.org" in archive.read("profile.json")
    await ana.button("Delete my account").click()
    await ana.button("Yes, delete my account").click()
    await expect(ana.page.get_by_text("Your account will be deleted on")).to_be_visible()
    await ana.page.reload()
    await ana.button("Keep my account").click()
    await expect(ana.button("Delete my account")).to_be_visible()
    assert (await person.call("/account", "get"))["deleted_at"] is None
    assert ana.errors == []
