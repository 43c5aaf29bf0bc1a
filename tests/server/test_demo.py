"""The demo: the served domains fill an empty database."""

import os
import subprocess
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.parts.launcher import run_to_end
from tests.world import Process, environ_of

PASSWORD = "a small world to try"


def demo(environ: dict[str, str]) -> subprocess.CompletedProcess[str]:
    return run_to_end(["run.py", "demo"], {"PATH": os.environ["PATH"], **environ})


@pytest.fixture
async def process(tmp_path: Path) -> AsyncIterator[Process]:
    """An installation that has not been started yet."""
    data_dir = tmp_path / "data"
    process = Process(environ_of(data_dir, f"sqlite:///{data_dir}/parley.db"), data_dir)
    yield process
    await process.close()


async def test_a_demo_user_can_log_in_and_sees_the_demo_data(process: Process):
    done = demo(process.environ)
    assert done.returncode == 0, done.stderr
    student = "mila@demo.example (student)"
    assert f"ines@demo.example (consultant) or {student}: {PASSWORD}" in done.stdout
    again = demo(process.environ)
    assert (again.returncode != 0, "not empty" in again.stderr) == (True, True)
    await process.start()
    door = await process.connect()
    await door.enter("/auth")
    session = await door.call("/auth", "login", email="mila@demo.example", password=PASSWORD)
    mila = await process.connect(session["access_token"])
    await mila.enter("/booking", "/chat")
    bookings = (await mila.call("/booking", "list"))["bookings"]
    assert sorted(one["status"] for one in bookings) == ["approved", "requested"]
    assert (await mila.call("/chat", "list"))["conversations"]


def test_the_demo_reports_that_no_served_domain_has_one(tmp_path: Path):
    database = f"sqlite:///{tmp_path}/parley.db"
    done = demo(environ_of(tmp_path, database, PARLEY_SYSTEMS=""))
    assert done.returncode != 0
    assert "none of the enabled systems has demo data" in done.stderr
