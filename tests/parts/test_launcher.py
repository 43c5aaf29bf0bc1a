"""Tests of the launcher: programs run as if they had been started by themselves."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.parts.launcher import launch, run_to_end

ENVIRON = {"PATH": os.environ["PATH"]}


@pytest.fixture
def program(tmp_path: Path):
    """`program(text)` writes a program and returns its path."""

    def write(text: str) -> str:
        file = tmp_path / "program.py"
        file.write_text(text)
        return str(file)

    return write


def test_a_program_gets_its_arguments_environment_umask_and_folder(program):
    path = program(
        "import os, sys\n"
        "umask = os.umask(0)\n"
        "print(sys.argv[1:], sorted(os.environ), oct(umask), os.path.exists('run.py'))\n"
        "sys.exit('and fails')\n"
    )
    before = os.umask(0o027)
    try:
        ended = run_to_end([path, "a", "b c"], {"ONLY": "this"})
    finally:
        os.umask(before)
    assert ended.returncode == 1
    assert ended.stdout == "['a', 'b c'] ['ONLY'] 0o27 True\n"
    assert ended.stderr == "and fails\n"


def test_a_module_runs_as_the_main_program(program):
    ended = run_to_end(["-m", "server.no_such_module"], ENVIRON)
    assert (ended.returncode, "no_such_module" in ended.stderr) == (1, True)
    assert run_to_end(["-m", "this"], ENVIRON).stdout.startswith("The Zen of Python")


def test_the_modules_of_the_server_are_loaded_and_no_loop_or_thread_is(program):
    path = program(
        "import asyncio, sys, threading\n"
        "assert {'run', 'server.app', 'alembic', 'asyncpg'} <= sys.modules.keys()\n"
        "assert threading.active_count() == 1\n"
        "assert asyncio._get_running_loop() is None\n"
    )
    assert run_to_end([path], ENVIRON).stderr == ""


def test_programs_of_one_launcher_make_different_ids(program):
    path = program(
        "import random\n"
        "from datetime import UTC, datetime\n"
        "from handlers.kit.ids import new_id\n"
        "print(new_id(datetime(2030, 1, 1, tzinfo=UTC)), random.random())\n"
    )
    assert run_to_end([path], ENVIRON).stdout != run_to_end([path], ENVIRON).stdout


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGKILL])
def test_the_exit_code_names_the_signal(program, tmp_path, number):
    path = program("import sys, time\nprint('ready', flush=True)\ntime.sleep(60)\n")
    with (tmp_path / "log").open("wb") as log:
        launched = launch([path], ENVIRON, log)
        while "ready" not in (tmp_path / "log").read_text():
            assert launched.poll() is None
        launched.send_signal(number)
        assert launched.wait(10) == -number
        assert launched.poll() == -number


def test_a_wait_has_a_limit(program, tmp_path):
    with (tmp_path / "log").open("wb") as log:
        launched = launch([program("import time; time.sleep(60)")], ENVIRON, log)
        with pytest.raises(TimeoutError):
            launched.wait(0.01)
        launched.kill()
        assert launched.wait(10) == -signal.SIGKILL


def test_a_program_ends_with_the_test_run_that_started_it(program):
    path = program("import os, time\nprint('here', flush=True)\ntime.sleep(60)\n")
    starts = (
        "import sys\nfrom tests.parts.launcher import launch\n"
        f"launch([{path!r}], {ENVIRON!r}, sys.stdout).wait()\n"
    )
    tests = subprocess.Popen([sys.executable, "-c", starts], stdout=subprocess.PIPE, text=True)
    with tests:
        assert tests.stdout
        assert tests.stdout.readline() == "here\n"
        tests.kill()
        assert tests.stdout.read() == "", "the program has ended, and so closed its output"
