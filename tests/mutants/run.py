"""Runs tests in a copy of the source, and reads which one failed."""

import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from tests.mutants.mutant import Mutant

MUTANT_WITHIN_S = 180.0
"""A test that waits for what the mutant took out may wait for ever."""
UNCHANGED_WITHIN_S = 1_200.0
INTERRUPTED_WITHIN_S = 15.0
NODE_LIMITS = ("--test-timeout=20000", "--test-force-exit")
PYTEST_FAILED = re.compile(r"^(?:FAILED|ERROR) (\S+?::\w+(?:\[.*?\])?)(?: - |$)", re.MULTILINE)
NODE_FAILED = re.compile(r"^\s*not ok \d+ - (.*)$", re.MULTILINE)
PYTEST_TIMED_OUT = "+ Timeout +"
"""pytest-timeout ends a run with this line in place of a summary."""
TESTS_FAILED = 1
"""pytest and node end so when tests ran and some of them failed."""


@dataclass(frozen=True)
class Ended:
    """How a run of tests ended."""

    code: int | None
    """None when it took too long."""
    text: str
    failed: str | None = None
    """The first test that failed."""

    @property
    def passed(self) -> bool:
        return self.code == 0

    @property
    def caught_by(self) -> str | None:
        """What noticed a mutant; None when nothing did, or when the tests did not run."""
        if self.code is None:
            return "a test that hangs"
        return self.failed if self.code == TESTS_FAILED else None


def run_tests(folder: Path, mutant: Mutant, options: Sequence[str]) -> Ended:
    """Run the tests of a mutant up to the first one that fails, with `options` for pytest."""
    python, node = divide(mutant.tests)
    ended = Ended(0, "")
    if python:
        arguments = ["-x", *options, *python]
        ended = run_pytest(folder, arguments, MUTANT_WITHIN_S)
    if node and ended.passed:
        ended = run_node(folder, node, MUTANT_WITHIN_S)
    return ended


def run_unchanged(folder: Path, mutants: Sequence[Mutant], options: Sequence[str]) -> Ended:
    """Run all tests that the mutants name, without any mutant, on two processes."""
    python, node = divide(sorted({test for mutant in mutants for test in mutant.tests}))
    ended = run_node(folder, node, UNCHANGED_WITHIN_S) if node else Ended(0, "")
    if python and ended.passed:
        arguments = ["--numprocesses", "2", "--dist", "worksteal", *options, *python]
        ended = run_pytest(folder, arguments, UNCHANGED_WITHIN_S)
    return ended


def divide(tests: Iterable[str]) -> tuple[list[str], list[str]]:
    """The tests of pytest, and those of node."""
    named = list(tests)
    node = [test for test in named if test.endswith(".mjs")]
    return [test for test in named if test not in node], node


def run_pytest(folder: Path, arguments: Sequence[str], within_s: float) -> Ended:
    command = [sys.executable, "-m", "pytest", "--tb=short", "-rfE", "-p", "no:cacheprovider"]
    return run(folder, [*command, *arguments], within_s, PYTEST_FAILED)


def run_node(folder: Path, files: Sequence[str], within_s: float) -> Ended:
    command = ["node", "--test", "--test-reporter=tap", *node_limits()]
    return run(folder, [*command, *files], within_s, NODE_FAILED)


@cache
def node_limits() -> tuple[str, ...]:
    """The options that end a test that hangs, if this node has them."""
    known = subprocess.run(["node", *NODE_LIMITS, "-e", "0"], check=False, capture_output=True)
    return () if known.returncode else NODE_LIMITS


def run(folder: Path, command: Sequence[str], within_s: float, failed: re.Pattern[str]) -> Ended:
    """Run a command in the copy; one that takes too long is interrupted, then killed."""
    process = subprocess.Popen(
        command,
        cwd=folder,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )
    try:
        text, _ = process.communicate(timeout=within_s)
    except subprocess.TimeoutExpired:
        return Ended(None, interrupt(process))
    except BaseException:
        interrupt(process)
        raise
    return ended_of(process.returncode, text.replace(f"{folder}/", ""), failed)


def ended_of(code: int, text: str, failed: re.Pattern[str]) -> Ended:
    """What a run came to, by its exit code and its output."""
    found = failed.search(text)
    if found is None and PYTEST_TIMED_OUT in text:
        return Ended(None, text)
    return Ended(code, text, found and found[1])


def interrupt(process: subprocess.Popen[str]) -> str:
    """End a process and all that it started; what it wrote."""
    process.send_signal(signal.SIGINT)  # pytest then stops the servers that its tests started
    try:
        text, _ = process.communicate(timeout=INTERRUPTED_WITHIN_S)
    except subprocess.TimeoutExpired:
        text = ""
    try:
        os.killpg(process.pid, signal.SIGKILL)
    except ProcessLookupError:
        return text
    return text or process.communicate()[0]
