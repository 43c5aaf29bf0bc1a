"""Files, recordings, videos and replies in a chat, and the profile picture."""

import re
from datetime import timedelta
from typing import Any

import pytest
from playwright.async_api import Locator, expect

from handlers.platform.uploads import views
from storage.objects import folder
from tests.browser.viewer import Viewer, new_viewer
from tests.platform.uploads.uploading import PDF, picture
from tests.world import Person, World, one_database, until

pytestmark = [one_database, pytest.mark.timeout(120)]


async def open_chat(world: World, browser: Any, person: Person, chat: str) -> Viewer:
    viewer = await new_viewer(browser, world.url, person)
    await viewer.open(f"chats/{chat}")
    await expect(viewer.button("Attach a file")).to_be_visible()
    return viewer


async def attach(viewer: Viewer, name: str, kind: str, content: bytes) -> None:
    file = {"name": name, "mimeType": kind, "buffer": content}
    await viewer.page.get_by_label("Files").set_input_files([file])  # type: ignore[list-item]


async def test_files_and_voice_recordings_are_sent_and_displayed(
    world: World, browser: Any
) -> None:
    ada, ben = await world.person("ada"), await world.person("ben")
    chat = (await ada.call("/chat", "open", user_id=ben.id))["id"]
    ada_tab, ben_tab = [await open_chat(world, browser, person, chat) for person in (ada, ben)]
    await attach(ada_tab, "garden.jpg", "image/jpeg", picture())
    shown = ben_tab.page.locator("[data-test=media] img")
    await expect(shown).to_be_visible()
    await until(lambda: shown.evaluate("image => image.complete && image.naturalWidth === 320"))
    await attach(ben_tab, "plan.pdf", "application/pdf", PDF)
    link = ada_tab.page.get_by_role("link", name="plan.pdf")
    await expect(link).to_be_visible()
    async with ada_tab.page.expect_download() as downloading:
        await link.click()
    assert (await downloading.value).suggested_filename == "plan.pdf"
    await attach(ada_tab, "page.html", "text/html", b"<html>")
    await expect(ada_tab.part("sending")).to_contain_text("Files of this type are not allowed.")
    await ada_tab.button("Discard").click()
    await expect(ada_tab.part("sending")).to_have_count(0)
    await record_voice_message(ada_tab)
    sound = ben_tab.page.locator("[data-test=media] audio")
    await expect(sound).to_be_visible()
    await until(lambda: sound.evaluate("sound => sound.readyState >= 1"))
    for viewer in (ada_tab, ben_tab):
        assert await viewer.violations() == []
    assert ben_tab.errors == []


RECORD_VIDEO = """async () => {
  const canvas = Object.assign(document.createElement("canvas"), { width: 320, height: 180 });
  const paper = canvas.getContext("2d");
  const draw = setInterval(() => {
    paper.fillStyle = "rgb(200, 30, 30)";
    paper.fillRect(0, 0, 320, 180);
  }, 20);
  const recorder = new MediaRecorder(canvas.captureStream(25), { mimeType: "video/webm" });
  const pieces = [];
  recorder.ondataavailable = ({ data }) => pieces.push(data);
  const stopped = new Promise((resolve) => (recorder.onstop = resolve));
  recorder.start();
  await new Promise((resolve) => setTimeout(resolve, 1500));
  recorder.stop();
  await stopped;
  clearInterval(draw);
  return Array.from(new Uint8Array(await new Blob(pieces).arrayBuffer()));
}"""


async def test_a_video_shows_its_poster_length_and_size_before_it_plays(
    world: World, browser: Any
) -> None:
    ada, ben = await world.person("ada"), await world.person("ben")
    chat = (await ada.call("/chat", "open", user_id=ben.id))["id"]
    ada_tab, ben_tab = [await open_chat(world, browser, person, chat) for person in (ada, ben)]
    await attach(
        ada_tab, "walk.webm", "video/webm", bytes(await ada_tab.page.evaluate(RECORD_VIDEO))
    )
    shown = ben_tab.part("media", kind="video")
    video = shown.locator("video")
    await expect(video).to_have_attribute("poster", re.compile("thumbnails"))
    await expect(shown).to_contain_text(re.compile(r"0:0[12], \d+ KB"))
    assert await video.evaluate("video => [video.width, video.height]") == [320, 180]
    red = await video.evaluate(MIDDLE_OF_POSTER)
    assert red[0] > 150 > 90 > max(red[1:3])
    await video.evaluate("video => { video.muted = true; return video.play() }")
    await expect(ada_tab.part("sending")).to_have_count(0)
    for viewer in (ada_tab, ben_tab):
        assert viewer.errors == []
        assert await viewer.violations() == []


MIDDLE_OF_POSTER = """async (video) => {
  const image = Object.assign(new Image(), { src: video.poster });
  await image.decode();
  const canvas = Object.assign(document.createElement("canvas"), { width: 320, height: 180 });
  const paper = canvas.getContext("2d");
  paper.drawImage(image, 0, 0, 320, 180);
  return Array.from(paper.getImageData(160, 90, 1, 1).data);
}"""


async def test_a_reply_quotes_its_message_and_reactions_can_be_toggled(
    world: World, browser: Any
) -> None:
    ada, ben = await world.person("ada"), await world.person("ben")
    chat = (await ada.call("/chat", "open", user_id=ben.id))["id"]
    payload = {"conversation_id": chat, "client_id": "one", "text": "Which day?"}
    question = await ada.call("/chat", "send", **payload)
    ben_tab = await open_chat(world, browser, ben, chat)
    await ben_tab.button("Reply").click()
    await expect(ben_tab.part("answering")).to_contain_text("Which day?")
    await ben_tab.page.get_by_placeholder("Message").fill("Sunday")
    await ben_tab.button("Send").click()
    await expect(ben_tab.part("quote")).to_have_text("Which day?")
    await ben_tab.part("message", id=question["id"]).get_by_role("button", name="React").click()
    await ben_tab.button("React with \U0001f44d").click()
    reaction = ben_tab.part("message", id=question["id"]).get_by_role("button", name="\U0001f44d 1")
    await expect(reaction).to_have_attribute("aria-pressed", "true")
    await reaction.click()
    await expect(reaction).to_have_count(0)
    await ada.call("/chat", "delete", message_id=question["id"])
    await expect(ben_tab.part("quote")).to_have_text("a deleted message")
    assert ben_tab.errors == []


async def test_links_work_as_long_as_the_page_is_open(
    world: World, browser: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    for module in (folder, views):
        monkeypatch.setattr(module, "SIGNED_FOR", timedelta(seconds=4))
    ada, ben = await world.person("ada"), await world.person("ben")
    chat = (await ada.call("/chat", "open", user_id=ben.id))["id"]
    ada_tab, ben_tab = [await open_chat(world, browser, person, chat) for person in (ada, ben)]
    recorded = bytes(await ada_tab.page.evaluate(RECORD_VIDEO))
    await attach(ada_tab, "garden.jpg", "image/jpeg", picture())
    await attach(ada_tab, "plan.pdf", "application/pdf", PDF)
    await attach(ada_tab, "walk.webm", "video/webm", recorded)
    image = ben_tab.page.locator("[data-test=media] img")
    link = ben_tab.page.get_by_role("link", name="plan.pdf")
    video = ben_tab.page.locator("video")
    await expect(video).to_be_visible()
    await until(lambda: image.evaluate("image => image.complete && image.naturalWidth === 320"))
    await video.evaluate("video => { video.muted = true; return video.play(); }")
    sources = "() => [...document.querySelectorAll('.shared')].map((one) => one.src)"
    shown, first = await ben_tab.page.evaluate(sources), await link.get_attribute("href")
    status = "async (url) => (await fetch(url, { cache: 'no-store' })).status"
    await until(lambda: has_expired(ben_tab, status, first), within_s=15)
    await until(lambda: answers(ben_tab, status, link))
    assert await ben_tab.page.evaluate(sources) == shown, "nothing is loaded again"
    async with ben_tab.page.expect_download() as downloading:
        await link.click()
    assert (await downloading.value).suggested_filename == "plan.pdf"
    await video.evaluate(FAIL_WHILE_PLAYING)
    await until(lambda: video.evaluate(CONTINUES, shown[1]))
    assert await video.evaluate("video => [video.volume, video.playbackRate]") == [0.5, 0.25]


async def answers(viewer: Viewer, status: str, link: Locator) -> bool:
    """Whether the address of a link is valid now; a busy page renews it late."""
    return bool(await viewer.page.evaluate(status, await link.get_attribute("href")) == 200)


async def has_expired(viewer: Viewer, status: str, url: str) -> bool:
    return bool(await viewer.page.evaluate(status, url) == 404)


FAIL_WHILE_PLAYING = """async (video) => {
  Object.assign(video, { volume: 0.5, playbackRate: 0.25, currentTime: 0.5 });
  await video.play();
  video.dispatchEvent(new Event("error"));
}"""
CONTINUES = """(video, before) =>
  video.src !== before && video.readyState >= 2 && !video.paused && video.currentTime >= 0.5"""


async def record_voice_message(viewer: Viewer) -> None:
    await viewer.button("Record a voice message").click()
    await expect(viewer.part("recording")).to_contain_text("0:01")
    await viewer.button("Send recording").click()
    await expect(viewer.part("recording")).to_have_count(0)
    await expect(viewer.part("sending")).to_have_count(0)


async def test_a_profile_picture_is_uploaded_and_removed(world: World, browser: Any) -> None:
    ada = await new_viewer(browser, world.url, await world.person("ada"))
    await ada.open("profile")
    file = {"name": "me.png", "mimeType": "image/png", "buffer": picture("PNG")}
    await ada.page.get_by_label("Picture file").set_input_files([file])  # type: ignore[list-item]
    shown = ada.part("picture")
    await expect(shown).to_be_visible()
    await until(lambda: shown.evaluate("image => image.complete && image.naturalWidth === 320"))
    await ada.button("Remove the picture").click()
    await expect(shown).to_have_count(0)
    assert ada.errors == []
