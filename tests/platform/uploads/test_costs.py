"""The memory of a real server, and the delay of other users, during expensive pictures."""

import asyncio
import io
import os
import signal
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack
from functools import partial
from pathlib import Path
from typing import Any

import pillow_heif
import pytest
from PIL import Image

from handlers.platform.uploads.pictures import FORMATS, HEIC, HEIC_TYPE
from server.sandbox.confinement import ADDRESS_SPACE_MAX
from tests.platform.uploads.bombs import (
    BOMBS,
    HUGE,
    METADATA_BOMBS,
    png_of,
    rows,
    webp_with_vast_canvas,
)
from tests.platform.uploads.uploading import RestRefused, Uploader, picture, uploader
from tests.world import Process, one_database, until, with_server

pytestmark = [one_database, pytest.mark.timeout(180), with_server]
pillow_heif.register_heif_opener()
MEGABYTE = 1024**2
GROWTH_MAX = 30 * MEGABYTE
INTERPRETER = 60 * MEGABYTE
"""The memory of the sandbox without a picture, plus what codecs allocate besides the pixels."""
UPLOADS = 18


def encoded(image: Image.Image, form: str, **more) -> bytes:
    made = io.BytesIO()
    image.save(made, form, **more)
    return made.getvalue()


def vast_jpeg() -> bytes:
    return encoded(Image.new("RGB", (HUGE, HUGE), "teal"), "JPEG", progressive=True)


def vast_png() -> bytes:
    return png_of((HUGE, HUGE), 8, 6, rows(HUGE, HUGE, b"\1\2\3\x80"))


def large_webp() -> bytes:
    return encoded(Image.new("RGBA", (3_500, 3_500), (9, 9, 9, 9)), "WEBP", lossless=True, method=0)


def large_gif() -> bytes:
    frames = [Image.new("P", (2_000, 2_000), number) for number in range(6)]
    return encoded(frames[0], "GIF", save_all=True, append_images=frames[1:])


def large_animation(form: str) -> bytes:
    frames = [Image.new("RGB", (1_000, 1_000), (number * 5, 9, 200)) for number in range(25)]
    return encoded(frames[0], form, save_all=True, append_images=frames[1:])


def large_heif(form: str, **quick: object) -> bytes:
    """As large as the pictures of a phone."""
    return encoded(Image.new("RGB", (4_284, 3_213), "teal"), form, **quick)


COSTLY: dict[str, tuple[Callable[[], bytes], str]] = {
    "a progressive JPEG": (vast_jpeg, "image/jpeg"),
    "a PNG": (vast_png, "image/png"),
    "a lossless WebP": (large_webp, "image/webp"),
    "an animated GIF": (large_gif, "image/gif"),
    "an animated PNG": (partial(large_animation, "PNG"), "image/png"),
    "an animated WebP": (partial(large_animation, "WEBP"), "image/webp"),
    "a HEIC": (partial(large_heif, "HEIF", enc_params={"preset": "ultrafast"}), "image/heic"),
    "an AVIF": (partial(large_heif, "AVIF", speed=10), "image/avif"),
}
"""Small files that are accepted and come close to the limits."""


def memory_of(pid: int, name: str) -> int:
    """In bytes; `VmRSS` is the current memory of a process, `VmHWM` its maximum; 0 if it ended."""
    status = Path(f"/proc/{pid}/status").read_text()
    line = next((line for line in status.splitlines() if line.startswith(name)), "none 0")
    return int(line.split()[1]) * 1024


def pid_of(process: Process) -> int:
    assert process._running is not None
    return process._running.pid


def sandbox_of(process: Process) -> int | None:
    pid = pid_of(process)
    found = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return int(found[0]) if found else None


@pytest.fixture
async def people(process: Process) -> AsyncIterator[tuple[Uploader, Uploader]]:
    """Two users who have uploaded a picture each, so that all modules are loaded."""
    async with AsyncExitStack() as stack:
        found = []
        for name in ("ana", "ben"):
            person = await process.sign_up(name)
            found.append(await stack.enter_async_context(uploader(process, person)))
            await found[-1].upload(picture(), "image/jpeg")
        yield found[0], found[1]


async def refusal(who: Uploader, content: bytes, kind: str) -> RestRefused:
    with pytest.raises(RestRefused) as refused:
        await who.upload(content, kind)
    return refused.value


async def test_hostile_pictures_take_no_memory_of_the_server(process, people):
    ana, _ = people
    pid, before = pid_of(process), memory_of(pid_of(process), "VmHWM")
    for content, kind in BOMBS.values():
        assert (await refusal(ana, content, kind)).code == "CONTENT_WRONG"
    for content, kind, size in METADATA_BOMBS.values():
        view = await ana.upload(content, kind)
        assert (view["width"], view["height"]) == size
    assert memory_of(pid, "VmHWM") - before < GROWTH_MAX


async def test_a_webp_with_a_vast_canvas_is_refused_with_a_reason(process, people):
    ana, _ = people
    pid, before = pid_of(process), memory_of(pid_of(process), "VmHWM")
    refused = await refusal(ana, webp_with_vast_canvas(), "image/webp")
    assert refused.code == "CONTENT_WRONG"
    assert refused.details == {"reason": "needs too much memory to decode"}
    assert memory_of(pid, "VmHWM") - before < 5 * MEGABYTE
    assert memory_of(sandbox_of(process), "VmHWM") < 60 * MEGABYTE, "it was not decoded"


@pytest.mark.parametrize(("make", "kind"), COSTLY.values(), ids=COSTLY)
async def test_accepted_expensive_pictures_use_memory_only_in_the_sandbox(
    process, people, make, kind
):
    ana, _ = people
    pid, before = pid_of(process), memory_of(pid_of(process), "VmHWM")
    content = make()
    uploading = asyncio.create_task(ana.upload(content, kind))
    most = 0
    while not uploading.done():
        sandbox = sandbox_of(process)  # a HEIC has a process of its own
        if sandbox and Path(f"/proc/{sandbox}/statm").exists():
            most = max(most, memory_of(sandbox, "VmHWM"))
        await asyncio.sleep(0.01)
    assert (await uploading)["status"] == "ready"
    assert 100 * MEGABYTE < most < ADDRESS_SPACE_MAX
    outline_of = {**FORMATS, HEIC_TYPE: HEIC}[kind].outline_of
    assert most < outline_of(content).cost + INTERPRETER, "it was reckoned rightly"
    assert memory_of(pid, "VmHWM") - before < GROWTH_MAX
    await ana.upload(picture(), "image/jpeg")
    assert memory_of(sandbox_of(process), "VmRSS") < 100 * MEGABYTE, "it did not keep what it had"


async def test_many_expensive_pictures_of_one_user_barely_delay_another_user(process, people):
    ana, ben = people
    content = large_webp()
    begun = [await ana.start(content, "image/webp") for _ in range(UPLOADS)]
    for one in begun:
        assert await ana.put(one["put"], content) == 200
    complete = [ana.ask("POST", f"/uploads/{one['id']}/complete") for one in begun]
    waiting = [asyncio.create_task(each) for each in complete]
    tiny = picture("PNG", (10, 10))
    small = await ben.start(tiny, "image/png")
    assert await ben.put(small["put"], tiny) == 200
    await until(lambda: count_ready(waiting), within_s=60)
    before = count_ready(waiting)
    assert (await ben.ask("POST", f"/uploads/{small['id']}/complete"))["status"] == "ready"
    assert count_ready(waiting) - before <= 2
    for one in waiting:
        one.cancel()
    await asyncio.gather(*waiting, return_exceptions=True)


def count_ready(uploads: list[asyncio.Task[Any]]) -> int:
    """How many are complete; others are refused at once when their user's time is used up."""
    return sum(one.done() and one.exception() is None for one in uploads)


async def test_a_picture_whose_sandbox_was_killed_can_be_completed_again(process, people):
    ana, ben = people
    begun = await ana.start(vast_png(), "image/png")
    await ana.put(begun["put"], vast_png())
    path = f"/uploads/{begun['id']}/complete"
    decoding, sandbox = asyncio.create_task(ana.ask("POST", path)), sandbox_of(process)
    await until(lambda: memory_of(sandbox, "VmRSS") > 100 * MEGABYTE)
    os.kill(sandbox, signal.SIGKILL)
    with pytest.raises(RestRefused) as refused:
        await decoding
    assert (refused.value.status, refused.value.code) == (503, "UNAVAILABLE")
    assert (await ben.upload(picture(), "image/jpeg"))["status"] == "ready"
    assert (await ana.ask("POST", path))["status"] == "ready"


async def test_the_sandbox_ends_with_its_server(process, people):
    sandbox = sandbox_of(process)
    assert sandbox
    process.kill()
    await until(lambda: not Path(f"/proc/{sandbox}").exists())
    await process.start()
    ana, _ = people
    await ana.upload(picture(), "image/jpeg")
    sandbox = sandbox_of(process)
    assert await asyncio.to_thread(process.stop) == 0
    assert not Path(f"/proc/{sandbox}").exists()
