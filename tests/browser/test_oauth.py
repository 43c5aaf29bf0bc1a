"""In a browser, by a real provider: signing in, what goes wrong on the way, linking and proving."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qs, urlsplit

import aiohttp
import pytest
from playwright.async_api import expect

from handlers.kit.rules import KitRules
from tests.browser.viewer import Viewer, new_viewer
from tests.parts.node import newest_node
from tests.parts.ports import free_port
from tests.world import PASSWORD, ROOT, Mails, one_database

pytestmark = [one_database, pytest.mark.timeout(120)]

SECRET = "the secret that the test's provider knows the client by"


@dataclass
class House:
    """The provider, and the hand in between."""

    url: str

    async def change(self, **what: str) -> str:
        """Let the hand change this next time; the address that people were last sent back to."""
        async with (
            aiohttp.ClientSession() as http,
            http.get(f"{self.url}/hand", params=what) as answer,
        ):
            last_back: str = (await answer.json())["lastBack"]
            return last_back


@asynccontextmanager
async def running_provider(*redirects: str) -> AsyncIterator[House]:
    port = free_port()
    running = await asyncio.create_subprocess_exec(
        *(str(newest_node()), "tests/browser/provider.mjs", str(port), *redirects),
        cwd=ROOT,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.DEVNULL,
    )
    try:
        assert running.stdout is not None
        while b"listening" not in (line := await running.stdout.readline()):
            assert line, "the provider did not start"
        yield House(f"http://localhost:{port}")
    finally:
        with suppress(ProcessLookupError):
            running.kill()
        await running.wait()


@pytest.fixture
async def site(make_world: Any) -> AsyncIterator[tuple[Any, House]]:
    """A server and a provider that know each other."""
    port = free_port()
    url = f"http://localhost:{port}"
    async with running_provider(f"{url}/oauth/corp/callback") as house:
        said = {"client_id": "parley", "client_secret": SECRET, "issuer": house.url}
        world = await make_world(
            port=port,
            PARLEY_PUBLIC_URL=url,
            PARLEY_OAUTH_PROVIDERS=json.dumps({"corp": {**said, "title": "Corp"}}),
        )
        yield world, house


async def sign_in_there(who: Viewer, name: str) -> None:
    """The provider's own pages: who one is, then consent."""
    await who.page.locator("input[name=login]").fill(name)
    await who.page.locator("input[name=password]").fill("any")
    await who.page.locator("button[type=submit]").click()


async def consent(who: Viewer) -> None:
    await who.page.get_by_role("button", name="Continue").click()


async def go_there(who: Viewer, name: str = "ana") -> None:
    await who.open("login")
    await who.button("Continue with Corp").click()
    await sign_in_there(who, name)
    await consent(who)


async def expect_refusal(who: Viewer, code: str) -> None:
    await expect(who.part("error", code=code)).to_be_visible()


async def leave_the_house(who: Viewer) -> None:
    """Nobody is signed in there any more, so that its pages come again."""
    await who.page.context.clear_cookies()


async def test_a_stranger_signs_in_by_a_real_provider(site: Any, browser: Any) -> None:
    world, _ = site
    ana = await new_viewer(browser, world.settings.rules.of(KitRules).public_url)
    await go_there(ana)
    await expect(ana.heading("Consultants")).to_be_visible()
    assert "ticket" not in ana.page.url
    await ana.open("profile")
    await expect(ana.field("First name")).to_have_value("Ana")
    await expect(ana.part("methods")).to_contain_text("Corp ana@example.org")
    assert [one["user"]["email"] for one in await world.stored("USER_CREATED")] == [
        "ana@example.org"
    ]
    assert ana.mistakes == []


async def test_what_goes_wrong_on_the_way_signs_nobody_in(site: Any, browser: Any) -> None:
    world, house = site
    ana = await new_viewer(browser, world.settings.rules.of(KitRules).public_url)
    for wrong, code in (
        ({"state": "x" * 43}, "OAUTH_STATE"),
        ({"nonce": "x" * 43}, "OAUTH_FAILED"),
        ({"client_id": "another"}, "OAUTH_FAILED"),  # an audience that we are not
    ):
        await house.change(**wrong)
        await go_there(ana)
        await expect_refusal(ana, code)
        await leave_the_house(ana)
    await ana.open("login")
    await ana.button("Continue with Corp").click()
    await sign_in_there(ana, "ana")
    await ana.page.get_by_role("link", name="Cancel").click()
    await expect_refusal(ana, "OAUTH_CANCELLED")
    assert await world.stored("USER_CREATED") == []
    assert await ana.page.evaluate("localStorage.getItem('parley.session')") is None
    await leave_the_house(ana)
    await go_there(ana)  # and then it works
    await expect(ana.heading("Consultants")).to_be_visible()
    used = parse_qs(urlsplit(await house.change()).query)["code"][0]
    other = await new_viewer(browser, world.settings.rules.of(KitRules).public_url)
    await house.change(code=used)
    await go_there(other)
    await expect_refusal(other, "OAUTH_FAILED")
    reasons = [one["reason"] for one in await world.stored("AUTH_FAILURE")]
    assert reasons == [
        *("OAUTH_STATE", "OAUTH_FAILED", "OAUTH_FAILED", "OAUTH_CANCELLED", "OAUTH_FAILED")
    ]


async def test_a_way_in_is_added_and_removed_on_the_page(site: Any, browser: Any) -> None:
    world, _ = site
    mails: Mails = world.mails
    ana = await new_viewer(browser, world.settings.rules.of(KitRules).public_url)
    await ana.sign_up(mails, "ana")
    world.clock.advance(601)  # so that the proof of signing up is none any more
    await ana.open("profile")
    await ana.button("Add Corp").click()
    await sign_in_there(ana, "annie")
    await consent(ana)
    await expect_refusal(ana, "PROOF_NEEDED")
    await ana.open("profile")
    await ana.button("Remove the password").click()
    await ana.dialog.get_by_label("Your password").fill(PASSWORD)
    await ana.dialog.get_by_role("button", name="Continue").click()
    await expect(ana.dialog).to_have_count(0)
    await expect_refusal(ana, "LAST_METHOD")
    await ana.button("Add Corp").click()
    await expect(ana.part("methods")).to_contain_text("Corp annie@example.org")
    await ana.button("Remove the password").click()
    await expect(ana.part("methods")).not_to_contain_text("Password")
    assert ana.mistakes == []
