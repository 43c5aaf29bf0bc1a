"""A browser tab of one user, with locators for the page's elements."""

import json
from dataclasses import dataclass, field
from typing import Any

from playwright.async_api import Browser, ConsoleMessage, Locator, Page, expect

from tests.world import PASSWORD, Mails, Person, address_of

TIMEOUT_MS = 20_000
"""The time limit for a page, with a large margin for busy machines."""
KEPT_SESSION = "parley.session"
_RECORD_VIOLATIONS = """
window.violations = [];
addEventListener("securitypolicyviolation", ({violatedDirective, blockedURI, sample}) =>
  violations.push([violatedDirective, blockedURI, sample].join(" ")));
"""

expect.set_options(timeout=TIMEOUT_MS)


@dataclass
class Viewer:
    """One tab, and the errors that occurred in it."""

    page: Page
    url: str
    errors: list[str] = field(default_factory=list)
    """Script errors, dialogs opened by scripts, and errors in the console."""

    async def open(self, route: str = "") -> None:
        """Go to `#/<route>` within the open page, or load the page if it is not open yet."""
        if self.page.url.startswith(self.url):
            await self.page.evaluate("route => { location.hash = `/${route}` }", route)
        else:
            await self.page.goto(f"{self.url}/#/{route}")

    def link(self, name: str) -> Locator:
        return self.page.get_by_role("link", name=name)

    def button(self, name: str) -> Locator:
        return self.page.get_by_role("button", name=name)

    def field(self, name: str) -> Locator:
        return self.page.get_by_label(name)

    def heading(self, name: str) -> Locator:
        return self.page.get_by_role("heading", level=1, name=name)

    def part(self, test: str, **data: str) -> Locator:
        """The elements with this `data-test` and these other data attributes."""
        marks = "".join(f'[data-{name}="{value}"]' for name, value in data.items())
        return self.page.locator(f'[data-test="{test}"]{marks}')

    @property
    def dialog(self) -> Locator:
        return self.page.get_by_role("dialog")

    async def sign_up(self, mails: Mails, name: str) -> None:
        """Sign up in the form, with the pincode from the mail."""
        await self.open("signup")
        await self.field("Email").fill(address_of(name))
        await self.button("Send pincode").click()
        await self.field("Pincode").fill(await mails.pincode(address_of(name)))
        await self.field("First name").fill(name.capitalize())
        await self.field("Last name").fill("Example")
        await self.field("Password").fill(PASSWORD)
        await self.button("Create account").click()
        await expect(self.heading("Consultants")).to_be_visible()

    async def violations(self) -> list[str]:
        """The violations of the content security policy since the page was loaded."""
        found: list[str] = await self.page.evaluate("violations")
        return found


async def new_viewer(
    browser: Browser, url: str, person: Person | None = None, **context: Any
) -> Viewer:
    """A tab with a camera, signed in as `person`, or as a visitor if it is None."""
    kept = {} if person is None else {"storage_state": _state(url, person)}
    made = await browser.new_context(
        permissions=["camera", "microphone"], locale="en-GB", **kept, **context
    )
    await made.add_init_script(_RECORD_VIOLATIONS)
    made.set_default_timeout(TIMEOUT_MS)
    viewer = Viewer(await made.new_page(), url)
    viewer.page.on("pageerror", lambda error: viewer.errors.append(str(error)))
    viewer.page.on("console", lambda message: _record_error(viewer, message))
    viewer.page.on("dialog", lambda dialog: _dismiss(viewer, dialog))
    return viewer


def _record_error(viewer: Viewer, message: ConsoleMessage) -> None:
    """Record a console error, except errors of other servers' pages."""
    place = message.location["url"]
    if message.type == "error" and (not place or place.startswith(viewer.url)):
        viewer.errors.append(message.text)


async def _dismiss(viewer: Viewer, dialog: Any) -> None:
    viewer.errors.append(f"a script said {dialog.message!r}")
    await dialog.dismiss()


def _state(url: str, person: Person) -> Any:
    """The browser storage with a session, as the client stores it."""
    tokens = {**person.session, "access_token": person.token, "refresh_at_ms": 2**52}
    kept = {"session_id": person.id, **tokens}
    entry = {"name": KEPT_SESSION, "value": json.dumps(kept)}
    return {"origins": [{"origin": url, "localStorage": [entry]}]}
