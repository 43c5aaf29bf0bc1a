"""The system's Chromium, controlled by Playwright, with a fake camera and microphone."""

import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from playwright.async_api import Browser, async_playwright

FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--disable-sync",
    "--disable-background-networking",
    "--disable-component-update",
    "--no-first-run",
    "--use-fake-ui-for-media-stream",
    "--use-fake-device-for-media-stream",
]


@asynccontextmanager
async def running_chromium(*flags: str) -> AsyncIterator[Browser]:
    """Start a headless Chromium with a new empty profile, and close it afterwards.

    Raises FileNotFoundError if it is not installed.
    """
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(
            executable_path=find_chromium(), args=[*FLAGS, *flags]
        )
        try:
            yield browser
        finally:
            await browser.close()


def find_chromium() -> str:
    found = shutil.which("chromium")
    if not found:
        raise FileNotFoundError("chromium: run sh scripts/services")
    return found
