"""The system's Chromium, controlled by Playwright, with a fake camera and microphone.

A start takes a second of CPU time, so all tests of a process share one Chromium. Each connects to
it from its own event loop, and its contexts close when it disconnects.
"""

import json
import shutil
import subprocess
import tempfile
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path

import playwright
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
    "--use-fake-device-for-media-stream=fps=10",
]
DRIVER = Path(playwright.__file__).parent / "driver"
"""Its program runs without Python around it, which would not pass a signal on."""
STOP_LIMIT_S = 10


@contextmanager
def running_chromium() -> Iterator[str]:
    """Start a headless Chromium with a new empty profile; gives the address for `connected_to`.

    Raises FileNotFoundError if it is not installed, and RuntimeError if it does not start.
    """
    options = {"executablePath": find_chromium(), "args": FLAGS, "headless": True}
    with tempfile.NamedTemporaryFile("w", suffix=".json") as config:
        json.dump(options, config)
        config.flush()
        launches = ["launch-server", "--browser", "chromium", "--config", config.name]
        server = subprocess.Popen(
            [*die_with_us(), DRIVER / "node", DRIVER / "package" / "cli.js", *launches],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            text=True,
        )
        with server:
            assert server.stdout is not None
            try:
                address = server.stdout.readline().strip()
                if not address:
                    raise RuntimeError("Chromium did not start")
                yield address
            finally:
                server.terminate()
                server.wait(STOP_LIMIT_S)


@asynccontextmanager
async def connected_to(address: str) -> AsyncIterator[Browser]:
    """Connect to a running Chromium, and close the contexts that were opened meanwhile."""
    async with async_playwright() as driver:
        browser = await driver.chromium.connect(address)
        try:
            yield browser
        finally:
            await browser.close()


@asynccontextmanager
async def launched_with(*flags: str) -> AsyncIterator[Browser]:
    """Start a Chromium of its own with more flags, and close it afterwards."""
    async with async_playwright() as driver:
        browser = await driver.chromium.launch(
            executable_path=find_chromium(), args=[*FLAGS, *flags]
        )
        try:
            yield browser
        finally:
            await browser.close()


def die_with_us() -> list[str]:
    """A command prefix that stops a program, which closes Chromium, if this process dies."""
    return ["setpriv", "--pdeathsig=TERM", "--"] if shutil.which("setpriv") else []


def find_chromium() -> str:
    """The build without windows, which needs less than half of the CPU time, or the usual one."""
    found = shutil.which("chromium-headless-shell") or shutil.which("chromium")
    if not found:
        raise FileNotFoundError("chromium-headless-shell: run sh scripts/services")
    return found
