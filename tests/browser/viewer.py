"""Somebody in front of the page: a tab of their own, and what they do there."""

import json
from dataclasses import dataclass, field
from typing import Any

from playwright.async_api import Browser, ConsoleMessage, Locator, Page, expect

from tests.world import PASSWORD, Mails, Person, address_of

PATIENCE_MS = 20_000
"""How long a page may take; far more than it does, for machines that do much else."""
KEPT_SESSION = "parley.session"
_WATCH = """
window.violations = [];
addEventListener("securitypolicyviolation", ({violatedDirective, blockedURI, sample}) =>
  violations.push([violatedDirective, blockedURI, sample].join(" ")));
"""

expect.set_options(timeout=PATIENCE_MS)


@dataclass
class Viewer:
    """One tab, and everything that went wrong in it."""

    page: Page
    url: str
    mistakes: list[str] = field(default_factory=list)
    """Errors of scripts, dialogs that scripts opened, and what the console called an error."""

    async def open(self, route: str = "") -> None:
        """Go to `#/<route>` as one does by a link, or by its address where no page is open yet."""
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
        """What is marked by `data-test`, and by more such data."""
        marks = "".join(f'[data-{name}="{value}"]' for name, value in data.items())
        return self.page.locator(f'[data-test="{test}"]{marks}')

    @property
    def dialog(self) -> Locator:
        return self.page.get_by_role("dialog")

    async def sign_up(self, mails: Mails, name: str) -> None:
        """Through the form, with the pincode that came by mail."""
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
        """What the page's policy had to forbid since it was loaded."""
        found: list[str] = await self.page.evaluate("violations")
        return found


async def new_viewer(
    browser: Browser, url: str, person: Person | None = None, **context: Any
) -> Viewer:
    """A tab with a camera, signed in as `person`; nobody without one."""
    kept = {} if person is None else {"storage_state": _state(url, person)}
    made = await browser.new_context(
        permissions=["camera", "microphone"], locale="en-GB", **kept, **context
    )
    await made.add_init_script(_WATCH)
    made.set_default_timeout(PATIENCE_MS)
    viewer = Viewer(await made.new_page(), url)
    viewer.page.on("pageerror", lambda error: viewer.mistakes.append(str(error)))
    viewer.page.on("console", lambda said: _listen(viewer, said))
    viewer.page.on("dialog", lambda dialog: _put_away(viewer, dialog))
    return viewer


def _listen(viewer: Viewer, said: ConsoleMessage) -> None:
    """What other servers' pages do wrong is theirs."""
    place = said.location["url"]
    if said.type == "error" and (not place or place.startswith(viewer.url)):
        viewer.mistakes.append(said.text)


async def _put_away(viewer: Viewer, dialog: Any) -> None:
    viewer.mistakes.append(f"a script said {dialog.message!r}")
    await dialog.dismiss()


def _state(url: str, person: Person) -> Any:
    """The session as the client keeps it."""
    tokens = {**person.session, "access_token": person.token, "refresh_at_ms": 2**52}
    kept = {"session_id": person.id, **tokens}
    entry = {"name": KEPT_SESSION, "value": json.dumps(kept)}
    return {"origins": [{"origin": url, "localStorage": [entry]}]}
