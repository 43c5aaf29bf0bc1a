"""Calls of two browsers over a relay whose lines are cut, switched and lossy; and their devices."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from playwright.async_api import expect

from tests.browser.test_journey import expect_video
from tests.browser.viewer import Viewer, new_viewer
from tests.consulting.call.test_crash import start_call
from tests.parts import turn
from tests.parts.chromium import launched_with
from tests.parts.turn import running_turn
from tests.world import one_database, until

pytestmark = [one_database, pytest.mark.timeout(120)]
RECOVERED_WITHIN_S = 40
"""Each side notices an outage by itself and may look for another path more than once."""
RELAY_ONLY = Path(__file__).with_name("relay_only.js").read_text()
MEASURE_OFTEN = """{
  const every = setInterval;
  window.measures = true;
  window.setInterval = (work, ms, ...more) =>
    ms === 10_000 ? every(() => window.measures && work(), 500) : every(work, ms, ...more);
}"""
"""Measures connections twice a second, while `measures`, instead of every ten seconds."""
CAMERA = "document.querySelector('[data-test=local]').srcObject.getVideoTracks()[0]?.label"
FRAMES = """async () => {
  const video = document.querySelector("[data-test=remote]");
  const frame = () => new Promise((done) => video.requestVideoFrameCallback(done));
  for (let left = 5; left; left--) await frame();
}"""
"""Waits for five more frames of the other side."""
SCREEN = """() => {
  navigator.mediaDevices.getDisplayMedia = async () => {
    const canvas = document.createElement("canvas");
    const paper = canvas.getContext("2d");
    setInterval(() => paper.fillRect(0, 0, canvas.width, canvas.height), 50);
    return canvas.captureStream(20);
  };
}"""
"""Makes a black picture the screen: a browser without a display has none."""
SELECTED = """async () => {
  const report = await connections.at(-1).getStats();
  const found = [...report.values()];
  const { selectedCandidatePairId } = found.find(({ type }) => type === "transport");
  const pair = report.get(selectedCandidatePairId);
  return report.get(pair.localCandidateId).url;
}"""
"""The address of the TURN server through which a browser sends."""


@asynccontextmanager
async def two_in_a_call(process, script: str, *flags: str) -> AsyncIterator[list[Viewer]]:
    """A student and a consultant on the page of their call."""
    student, consultant, call = await start_call(process)
    async with launched_with(*flags) as one, launched_with(*flags) as two:
        viewers = []
        for browser, person in ((one, student), (two, consultant)):
            viewer = await new_viewer(browser, process.url, person)
            await viewer.page.context.add_init_script(script)
            await viewer.open(f"calls/{call['id']}")
            viewers.append(viewer)
        yield viewers


async def expect_both_see(viewers: list[Viewer]) -> None:
    for viewer in viewers:
        await expect(viewer.part("remote")).to_be_visible()
    await asyncio.gather(*(expect_video(one, "moving", RECOVERED_WITHIN_S) for one in viewers))


async def is_another_camera(viewer: Viewer, label: str) -> bool:
    shown: str | None = await viewer.page.evaluate(CAMERA)
    return shown is not None and shown != label


async def expect_link(viewers: list[Viewer], state: str) -> None:
    for viewer in viewers:
        await expect(viewer.part("stage")).to_have_attribute("data-link", state)


@pytest.fixture
async def relay(chosen_settings):
    """A TURN server that the process of the test uses, and two lines to it."""
    async with running_turn(lines=2) as (server, lines):
        chosen_settings["PARLEY_TURN_URLS"] = ",".join(line.url for line in lines)
        chosen_settings["PARLEY_TURN_SECRET"] = turn.SECRET
        yield server, lines


async def test_a_call_survives_a_relay_that_restarts_and_a_network_that_changes(relay, process):
    server, (first, second) = relay
    second.loss = 1
    script = f"{RELAY_ONLY}{MEASURE_OFTEN} measures = false;"  # else an outage can stop the video
    async with two_in_a_call(process, script) as viewers:
        await expect_link(viewers, "connected")
        await expect_both_see(viewers)
        assert await viewers[0].page.evaluate(SELECTED) == first.url

        server.kill()  # a restarted server has forgotten its allocations
        await expect(viewers[0].part("stage")).not_to_have_attribute("data-link", "connected")
        await server.start()
        await expect_link(viewers, "connected")
        await expect_both_see(viewers)

        first.loss, second.loss = 1, 0
        for viewer in viewers:
            await viewer.page.evaluate("dispatchEvent(new Event('online'))")
        await expect_link(viewers, "connected")
        await expect_both_see(viewers)
        assert await viewers[0].page.evaluate(SELECTED) == second.url


async def test_a_bad_connection_is_told_to_both_and_carries_sound_alone(relay, process):
    async with two_in_a_call(process, RELAY_ONLY + MEASURE_OFTEN) as viewers:
        await expect_both_see(viewers)
        for each in relay[1]:
            each.loss = 0.2
        for viewer in viewers:
            await expect(viewer.part("quality")).to_contain_text("connection is bad")
            await expect(viewer.part("quality")).to_have_attribute("data-audio", "true")
        for viewer in viewers:  # a busy machine has bad connections by itself
            await viewer.page.evaluate("measures = false")
        for each in relay[1]:
            each.loss = 0
        for viewer in viewers:
            await viewer.button("Send video again").click()
            await expect(viewer.part("quality")).to_have_attribute("data-audio", "false")
        await expect_both_see(viewers)
        await viewers[0].button("End the call").click()
        await expect(viewers[1].part("summary").first).to_contain_text("through a relay")
        assert [viewer.errors for viewer in viewers] == [[], []]


async def test_a_call_changes_to_the_screen_and_to_another_camera(process):
    # The second fake camera gives depths, which no browser sends.
    cameras = "--use-fake-device-for-media-stream=device-count=3,fps=10"
    async with two_in_a_call(process, "0", cameras) as viewers:
        ana, cora = viewers
        await expect_both_see(viewers)
        camera = ana.page.get_by_label("Camera")
        await expect(camera.locator("option")).to_have_count(3)
        before = await ana.page.evaluate(CAMERA)
        await camera.select_option(index=2)
        await until(lambda: is_another_camera(ana, before))
        await cora.page.evaluate(FRAMES)
        await ana.page.evaluate(SCREEN)
        await ana.button("Share screen").click()
        await expect_video(cora, "dark")
        await ana.button("Stop sharing").click()
        await until(lambda: is_another_camera(ana, before))
        await cora.page.evaluate(FRAMES)
        assert [viewer.errors for viewer in viewers] == [[], []]
