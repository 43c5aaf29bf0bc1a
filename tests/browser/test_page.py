"""The page in a browser: injection, narrow screens, keyboard use, reconnecting and caching."""

import re
from pathlib import Path

import pytest
from playwright.async_api import Error, expect

from tests.browser.populated import Populated, populate, xss_text
from tests.browser.viewer import Viewer, new_viewer
from tests.world import PASSWORD, ROOT, Person, address_of, one_database

pytestmark = [one_database, pytest.mark.settings(PARLEY_WAITING_ROOM_OPENS_S="7200")]

NARROW = {"width": 360, "height": 740}
TABS_MAX = 15
PREVIEW = ("page title", "page description", "page site")
_FIND_PROBLEMS = Path(__file__).with_name("page_problems.js").read_text()

_LOADED = """performance.getEntriesByType("resource").filter(
  ({name, transferSize}) => transferSize && !name.includes("/socket.io/")).length"""
"""The number of files that were downloaded or revalidated."""

Tour = dict[str, tuple[list[str], list[str]]]
"""By route: the fields that must be visible, and the names of buttons that open a dialog."""


def tour_of_ada(made: Populated) -> Tour:
    return {
        "consultants": (["ada", "about", "topic"], []),
        f"consultants/{made.ada.id}": (["ada", "about", "topic", "description"], []),
        "bookings": (["ben", "note", "reject reason"], ["Reject", "Reschedule", "Cancel booking"]),
        f"bookings/{made.booking_id}": (["ben", "topic", "note"], []),
        "chats": (["ben", "group", "draft"], ["New group"]),
        f"chats/{made.direct_id}": (["ben", "text", "note", *PREVIEW], ["Edit", "Mute"]),
        f"chats/{made.group_id}": (["group", "text", *PREVIEW], ["Members (3)"]),
        "consulting": (["topic", "description"], ["Add topic", "Edit topic", "Remove topic"]),
        "notifications": (["ben"], []),
        "profile": ([], []),
        f"queue/{made.block_id}": (["ben"], []),
        "week": ([], []),
        f"calls/{made.call_id}": (["cleo"], []),
        "nowhere": ([], []),
    }


def tour_of_ben(made: Populated) -> Tour:
    return {
        "consultants": (["ada", "about", "topic"], []),
        f"consultants/{made.ada.id}": (["ada", "about", "topic", "description"], ["Book"]),
        "bookings": (["ada", "note", "cancel reason"], ["Reschedule", "Cancel booking"]),
        f"chats/{made.direct_id}": (["ada", "text", "note"], ["Edit", "Request a booking"]),
        f"chats/{made.group_id}": (["group", "ada", "text"], ["Members (3)"]),
        "notifications": (["ada"], []),
        f"waiting-room/{made.booking_id}": ([], []),
        "consulting": ([], []),
    }


def tour_of_mo(made: Populated) -> Tour:
    return {"moderation": (["ben"], ["Review"])}


def tour_of_a_visitor(made: Populated) -> Tour:
    return {
        "": (["ada", "about", "topic"], []),
        f"consultants/{made.ada.id}": (["ada", "about", "topic", "description"], []),
        "forgot": ([], []),
        "login": ([], []),
        "oauth": ([], []),
        "signup": ([], []),
    }


def quoted(name: str) -> str:
    """The beginning of a name as notifications quote it."""
    return "“" + name.replace('"', "'")[:60]


async def check_pages(viewer: Viewer, tour: Tour) -> None:
    """Check that each page shows users' texts as text and has no problems."""
    await viewer.open("elsewhere")
    for route, (fields, dialogs) in tour.items():
        await viewer.open(route)
        await expect(viewer.page.locator("h1")).to_be_focused()
        for field in fields:
            said = quoted(xss_text(field)) if route == "notifications" else xss_text(field)
            await expect(viewer.page.get_by_text(said).first).to_be_visible()
        await expect(viewer.page.get_by_text("Loading …")).to_have_count(0)
        assert await viewer.page.evaluate(_FIND_PROBLEMS) == [], route
        for name in dialogs:
            await viewer.page.get_by_role("button", name=name).first.click()
            await expect(viewer.dialog).to_be_visible()
            await expect(viewer.page.get_by_text("Loading …")).to_have_count(0)
            assert await viewer.page.evaluate(_FIND_PROBLEMS) == [], f"{route}, {name}"
            await viewer.page.keyboard.press("Escape")
            await expect(viewer.dialog).to_have_count(0)
    assert viewer.errors == []
    assert await viewer.violations() == []


async def test_user_text_is_escaped_and_fits_a_narrow_screen_on_every_page(world, browser):
    made = await populate(world)
    tours = {
        made.ada: tour_of_ada(made),
        made.ben: tour_of_ben(made),
        made.mo: tour_of_mo(made),
        None: tour_of_a_visitor(made),
    }
    names = set(re.findall(r'^ {2}"?([a-z-]*)"?: \(', _source("app.js"), re.MULTILINE))
    assert names <= {route.split("/")[0] for tour in tours.values() for route in tour}
    for person, tour in tours.items():
        viewer = await new_viewer(browser, world.url, person, viewport=NARROW)
        await check_pages(viewer, tour)


def _source(name: str) -> str:
    return (ROOT / "static" / "client" / name).read_text()


async def test_a_script_url_is_refused_as_a_picture(world):
    ada = await world.person("ada", consultant=True)
    for address in ("javascript:alert(1)", "data:text/html,<script>alert(1)</script>"):
        ask = {"picture_id": address}
        answer = await ada.client.ask("/consultants", "update", ask)
        assert answer["error"]["code"] == "INVALID"


@pytest.mark.parametrize("signed_in", [False, True], ids=["visitor", "user"])
async def test_routes_named_like_object_properties_show_not_found(world, browser, signed_in):
    person = await world.person("ada") if signed_in else None
    viewer = await new_viewer(browser, world.url, person)
    await viewer.open("nowhere")
    await expect(viewer.heading("Not found")).to_be_visible()
    for name in ("constructor", "__proto__", "toString", "hasOwnProperty", "valueOf", "%00", "%"):
        await viewer.open("login" if person is None else "profile")
        await expect(viewer.heading("Not found")).to_have_count(0)
        await viewer.open(f"{name}/constructor")
        await expect(viewer.heading("Not found")).to_be_visible()
        await expect(viewer.page.get_by_role("navigation").first).to_be_visible()
    await viewer.open("oauth?error=constructor")
    await expect(viewer.part("error", code="constructor")).to_contain_text("Something went wrong")
    await viewer.open("consultants/constructor")
    await expect(viewer.part("error")).to_be_visible()
    assert viewer.errors == []


async def test_the_content_security_policy_blocks_markup_and_code_from_strings(world, browser):
    viewer = await new_viewer(browser, world.url)
    await viewer.open()
    for attempt in (
        "document.body.innerHTML = '<img src=x onerror=alert(1)>'",
        "document.body.insertAdjacentHTML('beforeend', '<p>hello</p>')",
        "document.body.append(Object.assign(document.createElement('script'), {text: 'alert(1)'}))",
        "document.body.setAttribute('onclick', 'alert(1)')",
        "trustedTypes.createPolicy('mine', {createHTML: (text) => text})",
        "new Worker('data:text/javascript,postMessage(1)')",
    ):
        with pytest.raises(Error, match=r"TypeError|TrustedHTML|Trusted|Policy"):
            await viewer.page.evaluate(f"() => {{ {attempt}; return null; }}")
    assert len(await viewer.violations()) >= 5
    assert not any("said" in mistake for mistake in viewer.errors)


async def tab_to(viewer: Viewer, label: str) -> None:
    """Press Tab until the field or button with this label has the focus."""
    for _ in range(TABS_MAX):
        focused = await viewer.page.evaluate(
            "(document.activeElement.labels?.[0] ?? document.activeElement).textContent.trim()"
        )
        if focused == label:
            return
        await viewer.page.keyboard.press("Tab")
    raise AssertionError(f"{TABS_MAX} times Tab do not lead to {label}")


async def test_sign_up_works_with_the_keyboard_alone(world, browser):
    viewer = await new_viewer(browser, world.url)
    press, write = viewer.page.keyboard.press, viewer.page.keyboard.type
    await viewer.open()
    await tab_to(viewer, "Skip to content")
    await tab_to(viewer, "Sign up")
    await press("Enter")
    await expect(viewer.heading("Sign up")).to_be_focused()
    await tab_to(viewer, "Email")
    await write(address_of("ada"))
    await press("Enter")
    await expect(viewer.field("Pincode")).to_be_visible()
    for label, text in (
        ("Pincode", await world.mails.pincode(address_of("ada"))),
        ("First name", "Ada"),
        ("Last name", "Example"),
        ("Password", PASSWORD),
    ):
        await tab_to(viewer, label)
        await write(text)
    await tab_to(viewer, "Create account")
    await press("Space")
    await expect(viewer.heading("Consultants")).to_be_focused()
    await expect(viewer.link("Ada")).to_be_visible()
    assert viewer.errors == []


async def test_a_link_to_the_current_page_reloads_its_data(world, browser):
    viewer = await new_viewer(browser, world.url)
    await viewer.open()
    await expect(viewer.page.get_by_text("There are no consultants yet.")).to_be_visible()
    await world.person("ada", consultant=True)
    await viewer.link("Consultants").click()
    await expect(viewer.link("Ada Example")).to_be_visible()
    await expect(viewer.heading("Consultants")).to_be_focused()


async def test_a_page_recovers_after_its_server_is_killed(process, browser):
    """A message written during the outage is sent once, and new events arrive again."""
    ada = await process.sign_up("ada")
    ben = await process.sign_up("ben")
    chat = await ada.call("/chat", "open", user_id=ben.id)
    viewer = await new_viewer(browser, process.url, ben)
    await viewer.open(f"chats/{chat['id']}")
    await expect(viewer.heading("Ada Example")).to_be_visible()

    process.kill()
    await expect(viewer.part("offline")).to_be_visible()
    await viewer.page.get_by_role("textbox", name="Message").fill("Are you there?")
    await viewer.button("Send").click()
    await expect(viewer.part("outgoing")).to_contain_text("Sending …")
    await process.start()
    await expect(viewer.part("offline")).to_have_count(0)
    await expect(viewer.part("message")).to_contain_text("Are you there?")
    await expect(viewer.part("outgoing")).to_have_count(0)

    ada = Person(process, "ada", ada.session, await process.connect(ada.token))
    say = {"conversation_id": chat["id"], "client_id": "1", "text": "I am back"}
    await ada.call("/chat", "send", **say)
    await expect(viewer.part("message")).to_have_count(2)
    await expect(viewer.part("message").last).to_contain_text("I am back")
    await expect(viewer.part("mark")).to_be_visible()


async def test_a_second_visit_loads_most_files_from_the_cache(world, browser):
    """An office whose users all open the page shares one IP address and its rate limit."""
    viewer = await new_viewer(browser, world.url)
    loaded = []
    for _ in range(2):
        await viewer.page.goto(world.url)
        await expect(viewer.heading("Consultants")).to_be_visible()
        loaded.append(await viewer.page.evaluate(_LOADED))
    assert loaded[0] > 30
    assert loaded[1] <= 10
