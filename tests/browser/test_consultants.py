"""A consultant's pictures: uploads in forms, and no requests that would track visitors."""

from typing import Any

import pytest
from aiohttp import web
from playwright.async_api import expect

from tests.browser.viewer import Viewer, new_viewer
from tests.parts.ports import free_port
from tests.platform.uploads.uploading import picture, uploader
from tests.world import Person, World, one_database

pytestmark = [one_database, pytest.mark.timeout(120)]
FILE: Any = {"name": "me.png", "mimeType": "image/png", "buffer": picture("PNG")}
LOADED = "img => img.complete && img.naturalWidth > 0"


@pytest.fixture
async def world(make_world: Any) -> World:
    port = free_port()
    world: World = await make_world(port=port, PARLEY_PUBLIC_URL=f"http://127.0.0.1:{port}")
    return world


async def picture_of(person: Person) -> Any:
    view = await person.call("/consultants", "get", consultant_id=person.id)
    return view["profile_picture_url"]


async def expect_loaded(viewer: Viewer, selector: str) -> None:
    shown = viewer.page.locator(selector).first
    await expect(shown).to_be_visible()
    await viewer.page.wait_for_function(LOADED, arg=await shown.element_handle())


async def test_visitors_see_the_pictures_that_a_consultant_uploads(
    world: World, browser: Any
) -> None:
    ada = await world.person("ada")
    await ada.enter("/consultants")  # a connection without a namespace does not last
    ada_tab, visitor_tab = (
        await new_viewer(browser, world.url, ada),
        await new_viewer(browser, world.url),
    )
    await ada_tab.open("consulting")
    await ada_tab.field("About you").fill("I listen.")
    await ada_tab.field("Your picture").set_input_files([FILE])
    await ada_tab.button("Become a consultant").click()
    await expect(ada_tab.heading("Your consulting")).to_be_visible()
    await ada_tab.button("Add topic").click()
    for label, text in (("Name", "Taxes"), ("Description", "All"), ("Price per hour", "60")):
        await ada_tab.dialog.get_by_label(label, exact=True).fill(text)
    await ada_tab.dialog.get_by_label("Icon").set_input_files([FILE])
    await ada_tab.dialog.get_by_role("button", name="Add topic").click()
    await expect(ada_tab.dialog).to_have_count(0)
    await visitor_tab.open(f"consultants/{ada.id}")
    for selector in ("img.portrait", "img.icon"):
        await expect_loaded(visitor_tab, selector)
    before = await picture_of(ada)
    await ada_tab.page.get_by_text("Edit profile").click()
    await ada_tab.field("Remove the picture").check()
    await ada_tab.button("Save profile").click()
    await expect(visitor_tab.page.locator("img.portrait")).to_have_count(0)
    assert before is not None
    assert await picture_of(ada) is None
    for viewer in (ada_tab, visitor_tab):
        assert (viewer.errors, await viewer.violations()) == ([], [])


async def test_consultant_content_triggers_no_requests_to_another_origin(
    world: World, browser: Any, aiohttp_server: Any
) -> None:
    requested: list[str] = []

    async def record(request: web.Request) -> web.Response:
        requested.append(request.path)
        return web.Response()

    spy = web.Application()
    spy.router.add_get("/{path:.*}", record)
    other_origin = f"http://localhost:{(await aiohttp_server(spy)).port}"
    texts = (f'<img src="{other_origin}/a">', f"![x]({other_origin}/b)", f"url({other_origin}/c)")
    ada = await world.person("ada", consultant=True)
    async with uploader(world, ada) as files:
        shown = (await files.upload(picture(), "image/jpeg"))["id"]
    await ada.call("/profile", "update", first_name=texts[0][:100], last_name=texts[1][:100])
    await ada.call("/consultants", "update", about_me=" ".join(texts), picture_id=shown)
    topic = {"hourly_rate": {"amount": 1, "currency": "EUR"}, "minimal_duration_minutes": 10}
    await ada.call("/consultants", "add_topic", name=texts[2][:100], description=texts[0], **topic)
    for wrong in (
        {"profile_picture_url": f"{other_origin}/d"},
        {"picture_id": f"{other_origin}/e"},
    ):
        answer = await ada.client.ask("/consultants", "update", wrong)
        assert answer["error"]["code"] == "INVALID"

    visitor_tab = await new_viewer(browser, world.url)
    origins: set[str] = set()
    visitor_tab.page.on("request", lambda one: origins.add("/".join(one.url.split("/")[:3])))
    for route in ("", f"consultants/{ada.id}"):
        await visitor_tab.open(route)
        await expect_loaded(visitor_tab, "img.portrait")
    assert origins == {world.url}
    assert await visitor_tab.violations() == []
    # The content security policy blocks other origins even if a URL got past validation.
    blocked = """address => new Promise((done) => {
        addEventListener("securitypolicyviolation", ({ violatedDirective }) =>
            done(violatedDirective), { once: true });
        document.body.append(Object.assign(new Image(), { src: address, onload: done }));
    })"""
    for address in (
        f"{other_origin}/f",
        "https://pictures.example/g",
        "data:image/gif;base64,R0lGODlh",
    ):
        assert await visitor_tab.page.evaluate(blocked, address) == "img-src"
    assert requested == []
