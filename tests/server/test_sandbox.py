"""The sandbox: its restrictions, the outcomes of hostile jobs, and the order of waiting users."""

import asyncio
import contextlib
import os
import resource
import signal
import time
from collections.abc import AsyncIterator, Awaitable
from pathlib import Path

import pytest
from PIL import Image

from handlers import READERS
from handlers.kit.errors import RateLimited, Unavailable
from handlers.kit.sandbox import Streamed, Unreadable
from handlers.platform.previews.page import CHARSETS, read_page
from handlers.platform.uploads.kinds import ACCEPTED
from handlers.platform.uploads.magic import guess_type
from handlers.platform.uploads.pictures import reencode, reencode_heic
from server.limits import Limits
from server.rates import RateLimit
from server.sandbox import child as children
from server.sandbox import sandbox as sandboxes
from server.sandbox.confinement import ADDRESS_SPACE_MAX
from server.sandbox.sandbox import Sandbox
from server.telemetry import Metrics
from tests.platform.uploads.profiles import rgb_profile
from tests.platform.uploads.test_appearance import MOVING, STILL, again, encoded, scenery
from tests.server import hostile
from tests.world import until

HEADS = (b"\0\0\0\x18ftypisom\0\0\0\0isommp42", b"PK\x03\x04", b"%PDF-1.7", b"\x1aE\xdf\xa3webm",
         b"OggS", b"RIFF\0\0\0\0WAVE", b"ID3", b"\xff\xf1", b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR",
         b"GIF89a", b"\xff\xd8\xff", b"text", b"\xff", b"")  # fmt: skip


ORIENTATION = 0x0112
TURNED = Image.Exif()
TURNED[ORIENTATION] = 6
PICTURES = (
    *[STILL[name][:2] for name in ("JPEG", "CMYK JPEG", "PNG with a palette", "lossy WebP", "GIF")],
    *[MOVING[name][:2] for name in ("GIF", "WebP", "PNG", "AVIF")],
    (encoded(scenery(), "PNG", icc_profile=rgb_profile()), "image/png"),
    (encoded(scenery(), "AVIF", exif=TURNED.tobytes()), "image/avif"),
    STILL["transparent HEIC"][:2],
)


class Watched(Sandbox):
    """A sandbox with the hostile readers, and its metrics."""

    def __init__(self) -> None:
        self.metrics = Metrics()
        super().__init__(self.metrics, (*READERS, hostile.__name__))

    def counted(self, name: str, **labels: str) -> float:
        return self.metrics.registry.get_sample_value(name, labels) or 0

    def ended(self, why: str) -> float:
        return self.counted("parley_sandbox_processes_ended_total", why=why)

    def jobs(self, reader: str, outcome: str) -> float:
        return self.counted("parley_sandbox_jobs_total", reader=reader, outcome=outcome)


@pytest.fixture
async def sandbox() -> AsyncIterator[Watched]:
    one = Watched()
    yield one
    await one.stop()


def facts_of(pid: int, file: str) -> dict[str, str]:
    lines = Path(f"/proc/{pid}/{file}").read_text().splitlines()
    pairs = (line.split(":", 1) for line in lines if ":" in line)
    return {name: value.strip() for name, value in pairs}


def is_gone(pid: int) -> bool:
    return not Path(f"/proc/{pid}").exists()


def ticks_of(pid: int) -> int:
    """The CPU time of a process so far, in clock ticks."""
    return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[11])


async def is_spinning(sandbox: Watched) -> None:
    pid = await until(lambda: sandbox.pid)
    before = ticks_of(pid)
    await until(lambda: ticks_of(pid) > before + 10)


async def says(asked: Awaitable[object]) -> str:
    with pytest.raises(Unreadable) as raised:
        await asked
    return str(raised.value)


# Reading.


async def test_a_reader_gets_content_and_arguments_and_gives_a_result(sandbox):
    assert sandbox.pid is None, "it starts with the first job"
    assert await sandbox.run("ana", hostile.echo, "grün".encode(), "it is ") == "it is grün"
    pid = sandbox.pid
    assert await sandbox.run("ben", hostile.echo, b"") == ""
    assert sandbox.pid == pid
    assert sandbox.jobs("echo", "done") == 2


async def test_content_may_come_in_pieces(sandbox):
    async def pieces() -> AsyncIterator[bytes]:
        for _ in range(100):
            yield b"x" * 70_000

    assert await sandbox.run("ana", hostile.count, Streamed(7_000_000, pieces())) == 7_000_000


async def test_a_failing_source_cancels_only_its_own_job(sandbox):
    async def broken() -> AsyncIterator[bytes]:
        yield b"x" * 10
        raise KeyError("the store")

    with pytest.raises(KeyError):
        await sandbox.run("ana", hostile.count, Streamed(20, broken()))
    assert sandbox.ended("broken_off") == 1
    assert await sandbox.run("ana", hostile.count, b"abc") == 3


@pytest.mark.parametrize("head", HEADS)
async def test_magic_bytes_are_detected_alike_inside_and_outside(sandbox, head):
    expected = guess_type(head)
    assert await sandbox.run("ana", guess_type, head) == expected
    assert sandbox.ended("failed") == 0
    assert expected.mime is None or any(
        expected.mime in (own, *accepted.guesses) for own, accepted in ACCEPTED.items()
    )


async def test_pages_in_all_encodings_are_read_alike_inside_and_outside(sandbox):
    for charset in (*sorted(CHARSETS), "iso-8859-99", "no such thing", None):
        content = b"<title>a page</title>"
        page = await sandbox.run("ana", read_page, content, charset)
        assert page == read_page(content, charset)
    assert sandbox.ended("failed") == 0


# Restrictions.


async def test_the_process_has_limits_and_inherits_nothing(sandbox):
    with open("/etc/passwd") as file, contextlib.ExitStack() as stack:
        os.set_inheritable(file.fileno(), True)
        stack.callback(os.environ.pop, "PARLEY_CANARY")
        os.environ["PARLEY_CANARY"] = "a secret"
        await sandbox.run("ana", hostile.echo, b"")
    pid = sandbox.pid
    assert sorted(os.listdir(f"/proc/{pid}/fd")) == ["0", "1", "2"]
    assert Path(f"/proc/{pid}/environ").read_bytes() == b""
    assert os.readlink(f"/proc/{pid}/cwd") == "/"
    status = facts_of(pid, "status")
    assert (status["NoNewPrivs"], status["Seccomp"]) == ("1", "2")
    for kind, most in (
        (resource.RLIMIT_AS, ADDRESS_SPACE_MAX),
        (resource.RLIMIT_CORE, 0),
        (resource.RLIMIT_FSIZE, 0),
        (resource.RLIMIT_NPROC, 0),
        (resource.RLIMIT_NOFILE, 3),
    ):
        assert resource.prlimit(pid, kind) == (most, most)
    assert resource.prlimit(pid, resource.RLIMIT_CPU)[0] <= children.CPU_S_MAX + 2
    assert os.getpriority(os.PRIO_PROCESS, pid) >= os.getpriority(os.PRIO_PROCESS, 0) + 10
    assert Path(f"/proc/{pid}/oom_score_adj").read_text().strip() == "1000"


async def test_the_process_loads_none_of_the_server(sandbox):
    await sandbox.run("ana", hostile.echo, b"")
    mapped = Path(f"/proc/{sandbox.pid}/maps").read_text()
    for part in ("aiohttp", "sqlalchemy", "cryptography", "uvloop", "_ssl"):
        assert part not in mapped
    assert int(facts_of(sandbox.pid, "status")["VmRSS"].split()[0]) < 40_000


async def test_hostile_code_reaches_nothing_outside(sandbox):
    server = await asyncio.start_server(lambda *_: None, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    async with server:
        assert await sandbox.run("ana", hostile.break_out, str(port).encode()) == []


async def test_only_a_reader_that_needs_threads_can_start_them(sandbox):
    server = await asyncio.start_server(lambda *_: None, "127.0.0.1", 0)
    port = str(server.sockets[0].getsockname()[1]).encode()
    async with server:
        assert not await sandbox.run("ana", hostile.start_thread, b"")
        usual = sandbox.pid
        opened = await sandbox.run("ana", hostile.break_out_with_threads, port)
        assert opened == ["start a thread"]
        assert is_gone(usual)
        threaded = sandbox.pid
        assert not await sandbox.run("ana", hostile.start_thread, b"")
        assert is_gone(threaded)
    assert sandbox.ended("threads") == 2


async def test_pictures_are_decoded_alike_inside_and_outside(sandbox):
    """Readers can open no file after their import, not even to load a codec."""
    for content, kind in PICTURES:
        if kind == "image/heic":
            made = await sandbox.run("ana", reencode_heic, content)
        else:
            made = await sandbox.run("ana", reencode, content, kind)
        assert made == again(content, kind), kind
    assert sandbox.ended("failed") == 0


async def test_the_sandbox_process_ends_with_the_server(sandbox):
    await sandbox.run("ana", hostile.echo, b"")
    pid = sandbox.pid
    await sandbox.stop()
    assert is_gone(pid)
    with pytest.raises(Unavailable):
        await sandbox.run("ana", hostile.echo, b"")


# Failed jobs.


@pytest.mark.parametrize(
    ("read", "outcome", "words"),
    [
        (hostile.swell, "memory", "too much memory"),
        (hostile.crash, "crashed", "crashes"),
        (hostile.fail, "failed", "crashes"),
        (hostile.answer_without_end, "crashed", "crashes"),
        (hostile.answer_nonsense, "crashed", "crashes"),
        (hostile.answer_another_type, "crashed", "crashes"),
    ],
)
async def test_a_failed_job_ends_its_process_and_no_other_job(sandbox, logs, read, outcome, words):
    await sandbox.run("ana", hostile.echo, b"")
    pid = sandbox.pid
    waiting = asyncio.create_task(sandbox.run("ana", read, b"canary"))
    await asyncio.sleep(0)
    next_one = asyncio.create_task(sandbox.run("ben", hostile.echo, b"fine"))
    assert words in await says(waiting)
    assert await next_one == "fine"
    assert sandbox.pid != pid
    assert is_gone(pid)
    assert (sandbox.jobs(read.__name__, outcome), sandbox.ended(outcome)) == (1, 1)
    assert "reader_killed" in logs.getvalue()
    assert "canary" not in logs.getvalue()


async def test_a_refusal_costs_nothing(sandbox):
    assert await says(sandbox.run("ana", hostile.refuse, b"no such picture")) == "no such picture"
    pid = sandbox.pid
    assert await sandbox.run("ana", hostile.echo, b"fine") == "fine"
    assert sandbox.pid == pid


async def test_a_job_that_has_no_answer_in_time_is_killed_and_may_be_tried_again(
    sandbox, monkeypatch
):
    """It has CPU time left, so its file is not at fault."""
    await sandbox.run("ana", hostile.echo, b"")
    pid = sandbox.pid
    monkeypatch.setattr(children, "ANSWER_WITHIN_S", 0.3)
    with pytest.raises(Unavailable):
        await sandbox.run("ana", hostile.spin, b"")
    assert is_gone(pid)
    monkeypatch.undo()
    assert await sandbox.run("ana", hostile.echo, b"fine") == "fine"
    assert sandbox.ended("starved") == 1


async def test_a_job_that_takes_too_much_cpu_is_killed(sandbox, monkeypatch):
    monkeypatch.setattr(children, "CPU_S_MAX", 0)
    monkeypatch.setattr(children, "ANSWER_WITHIN_S", 80)
    async with asyncio.timeout(40):
        assert "too long" in await says(sandbox.run("ana", hostile.spin, b""))
    assert sandbox.jobs("spin", "time") == 1


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
async def test_a_job_whose_process_is_killed_from_outside_may_be_tried_again(sandbox, number):
    await sandbox.run("ana", hostile.echo, b"")
    spinning = asyncio.create_task(sandbox.run("ana", hostile.spin, b""))
    waiting = asyncio.create_task(sandbox.run("ben", hostile.echo, b"fine"))
    await is_spinning(sandbox)
    os.kill(sandbox.pid, number)
    with pytest.raises(Unavailable):
        await spinning
    assert await waiting == "fine"
    assert sandbox.ended("killed") == 1


async def test_a_process_killed_between_jobs_is_replaced(sandbox):
    await sandbox.run("ana", hostile.echo, b"")
    os.kill(sandbox.pid, signal.SIGKILL)
    with contextlib.suppress(Unavailable):
        await sandbox.run("ana", hostile.echo, b"")
    assert await sandbox.run("ana", hostile.echo, b"fine") == "fine"


async def test_a_job_without_a_waiting_caller_is_cancelled(sandbox):
    await sandbox.run("ana", hostile.echo, b"")
    spinning = asyncio.create_task(sandbox.run("ana", hostile.spin, b""))
    await is_spinning(sandbox)
    spinning.cancel()
    with pytest.raises(asyncio.CancelledError):
        await spinning
    assert await sandbox.run("ana", hostile.echo, b"fine") == "fine"
    assert sandbox.ended("broken_off") == 1


async def test_a_process_that_keeps_much_memory_is_replaced(sandbox):
    await sandbox.run("ana", hostile.keep_much, b"")
    assert (sandbox.ended("size"), sandbox.pid) == (1, None)


async def test_a_process_is_replaced_after_many_jobs(sandbox, monkeypatch):
    monkeypatch.setattr(sandboxes, "JOBS_MAX", 3)
    left = [await sandbox.run("ana", hostile.remember, b"%d" % number) for number in range(4)]
    assert left == ["", "0", "1", ""]
    assert sandbox.ended("age") == 1


async def test_without_a_process_the_sandbox_is_unavailable(sandbox, monkeypatch):
    monkeypatch.setattr(children.sys, "executable", "/no/such/file")
    with pytest.raises(Unavailable):
        await sandbox.run("ana", hostile.echo, b"")
    monkeypatch.setattr(children.sys, "executable", "/bin/true")
    with pytest.raises(Unavailable):
        await sandbox.run("ana", hostile.echo, b"")
    monkeypatch.undo()
    assert await sandbox.run("ana", hostile.echo, b"fine") == "fine"


# Turns.


async def test_a_user_waits_for_at_most_one_job_of_another(sandbox, monkeypatch):
    monkeypatch.setattr(children, "ANSWER_WITHIN_S", 0.4)
    jobs = [asyncio.create_task(sandbox.run("ana", hostile.spin, b"")) for _ in range(18)]
    await until(lambda: sandbox.pid)
    assert sandbox.counted("parley_sandbox_waiting") == 17
    assert await sandbox.run("ben", hostile.echo, b"fine") == "fine"
    assert sum(job.done() for job in jobs) <= 2
    for job in jobs:
        job.cancel()
    await asyncio.gather(*jobs, return_exceptions=True)
    assert sandbox.counted("parley_sandbox_waiting") == 0


async def test_the_jobs_that_wait_are_bounded(sandbox, monkeypatch):
    jobs = [
        asyncio.create_task(sandbox.run("ana", hostile.spin, b""))
        for _ in range(sandboxes.LINE_MAX + 1)
    ]
    await until(lambda: sandbox.counted("parley_sandbox_waiting") == sandboxes.LINE_MAX)
    with pytest.raises(RateLimited) as refused:
        await sandbox.run("ana", hostile.echo, b"")
    assert refused.value.retry_after_s
    for job in jobs:
        job.cancel()
    await asyncio.gather(*jobs, return_exceptions=True)


async def test_reading_costs_the_server_almost_no_cpu(sandbox):
    """The sandbox does the work: this process takes the same CPU time for small and large jobs."""
    await sandbox.run("ana", hostile.echo, b"")
    began = time.process_time()
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(1.5):
            await sandbox.run("ana", hostile.spin, b"")
    assert time.process_time() - began < 0.5


async def test_only_a_user_with_long_jobs_has_to_wait() -> None:
    limits = Limits({"decoding": RateLimit(burst=1, per_s=0.01)}, on=True)
    sandbox = Sandbox(Metrics(), READERS, limits)
    limits.charge("decoding", "eve", 5)
    with pytest.raises(RateLimited) as refused:
        await sandbox.run("eve", guess_type, b"GIF89a")
    assert (refused.value.retry_after_s or 0) > 100
    await sandbox.run("ana", guess_type, b"GIF89a")
    assert limits.wait_of("decoding", "ana") > 0  # starting the process took most of a second
    await sandbox.stop()
