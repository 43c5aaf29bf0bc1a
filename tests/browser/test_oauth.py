"""OAuth with a real provider in a browser: sign-ins, failed sign-ins, linking and fresh proof."""

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
class Provider:
    """A real provider, whose redirects a test can tamper with."""

    url: str

    async def tamper(self, **what: str) -> str:
        """Change these parameters of the next redirect; returns the last redirect to the server."""
        async with (
            aiohttp.ClientSession() as http,
            http.get(f"{self.url}/hand", params=what) as answer,
        ):
            last_redirect: str = (await answer.json())["lastBack"]
            return last_redirect


@asynccontextmanager
async def running_provider(*redirects: str) -> AsyncIterator[Provider]:
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
        yield Provider(f"http://localhost:{port}")
    finally:
        with suppress(ProcessLookupError):
            running.kill()
        await running.wait()


@pytest.fixture
async def site(make_world: Any) -> AsyncIterator[tuple[Any, Provider]]:
    """A server, and a provider that is configured there."""
    port = free_port()
    url = f"http://localhost:{port}"
    async with running_provider(f"{url}/oauth/corp/callback") as provider:
        client = {"client_id": "parley", "client_secret": SECRET, "issuer": provider.url}
        world = await make_world(
            port=port,
            PARLEY_PUBLIC_URL=url,
            PARLEY_OAUTH_PROVIDERS=json.dumps({"corp": {**client, "title": "Corp"}}),
        )
        yield world, provider


async def log_in_at_provider(viewer: Viewer, name: str) -> None:
    """Fill in the log-in form on the provider's page."""
    await viewer.page.locator("input[name=login]").fill(name)
    await viewer.page.locator("input[name=password]").fill("any")
    await viewer.page.locator("button[type=submit]").click()


async def consent(viewer: Viewer) -> None:
    await viewer.page.get_by_role("button", name="Continue").click()


async def sign_in_with_provider(viewer: Viewer, name: str = "ana") -> None:
    await viewer.open("login")
    await viewer.button("Continue with Corp").click()
    await log_in_at_provider(viewer, name)
    await consent(viewer)


async def expect_error(viewer: Viewer, code: str) -> None:
    await expect(viewer.part("error", code=code)).to_be_visible()


async def sign_out_of_provider(viewer: Viewer) -> None:
    """End the session at the provider, so that it asks for the log-in again."""
    await viewer.page.context.clear_cookies()


async def test_a_new_user_signs_in_with_a_real_provider(site: Any, browser: Any) -> None:
    world, _ = site
    ana = await new_viewer(browser, world.settings.rules.of(KitRules).public_url)
    await sign_in_with_provider(ana)
    await expect(ana.heading("Consultants")).to_be_visible()
    assert "ticket" not in ana.page.url
    await ana.open("profile")
    await expect(ana.field("First name")).to_have_value("Ana")
    await expect(ana.part("methods")).to_contain_text("Corp ana@example.org")
    assert [one["user"]["email"] for one in await world.stored("USER_CREATED")] == [
        "ana@example.org"
    ]
    assert ana.errors == []


async def test_a_failed_oauth_sign_in_creates_no_session(site: Any, browser: Any) -> None:
    world, provider = site
    ana = await new_viewer(browser, world.settings.rules.of(KitRules).public_url)
    for tampered, code in (
        ({"state": "x" * 43}, "OAUTH_STATE"),
        ({"nonce": "x" * 43}, "OAUTH_FAILED"),
        ({"client_id": "another"}, "OAUTH_FAILED"),  # the token is for another audience
    ):
        await provider.tamper(**tampered)
        await sign_in_with_provider(ana)
        await expect_error(ana, code)
        await sign_out_of_provider(ana)
    await ana.open("login")
    await ana.button("Continue with Corp").click()
    await log_in_at_provider(ana, "ana")
    await ana.page.get_by_role("link", name="Cancel").click()
    await expect_error(ana, "OAUTH_CANCELLED")
    assert await world.stored("USER_CREATED") == []
    assert await ana.page.evaluate("localStorage.getItem('parley.session')") is None
    await sign_out_of_provider(ana)
    await sign_in_with_provider(ana)  # succeeds without tampering
    await expect(ana.heading("Consultants")).to_be_visible()
    used = parse_qs(urlsplit(await provider.tamper()).query)["code"][0]
    other = await new_viewer(browser, world.settings.rules.of(KitRules).public_url)
    await provider.tamper(code=used)
    await sign_in_with_provider(other)
    await expect_error(other, "OAUTH_FAILED")
    reasons = [one["reason"] for one in await world.stored("AUTH_FAILURE")]
    assert reasons == [
        *("OAUTH_STATE", "OAUTH_FAILED", "OAUTH_FAILED", "OAUTH_CANCELLED", "OAUTH_FAILED")
    ]


async def test_sign_in_methods_are_added_and_removed_on_the_profile_page(
    site: Any, browser: Any
) -> None:
    world, _ = site
    mails: Mails = world.mails
    ana = await new_viewer(browser, world.settings.rules.of(KitRules).public_url)
    await ana.sign_up(mails, "ana")
    world.clock.advance(601)  # the fresh proof of signing up has expired
    await ana.open("profile")
    await ana.button("Add Corp").click()
    await log_in_at_provider(ana, "annie")
    await consent(ana)
    await expect_error(ana, "PROOF_NEEDED")
    await ana.open("profile")
    await ana.button("Remove the password").click()
    await ana.dialog.get_by_label("Your password").fill(PASSWORD)
    await ana.dialog.get_by_role("button", name="Continue").click()
    await expect(ana.dialog).to_have_count(0)
    await expect_error(ana, "LAST_METHOD")
    await ana.button("Add Corp").click()
    await expect(ana.part("methods")).to_contain_text("Corp annie@example.org")
    await ana.button("Remove the password").click()
    await expect(ana.part("methods")).not_to_contain_text("Password")
    assert ana.errors == []
