"""What counts as caught: a failed test or one that hangs, and not a run that could not begin."""

import sys

import pytest

from tests.mutants.run import NODE_FAILED, PYTEST_FAILED, ended_of, run

PYTEST_SUMMARY = """
=========================== short test summary info ============================
FAILED tests/server/test_relay.py::test_a_timer[sqlite - 1] - AssertionError: 1 == 2
FAILED tests/server/test_relay.py::test_another - assert False
1 failed, 3 passed in 2.01s
"""
NODE_SUMMARY = """
# Subtest: a gap is noticed
ok 1 - a command is sent
not ok 2 - a gap is noticed
"""


def test_the_first_failed_test_is_named():
    failed = ended_of(1, PYTEST_SUMMARY, PYTEST_FAILED)
    assert failed.caught_by == "tests/server/test_relay.py::test_a_timer[sqlite - 1]"
    assert ended_of(1, NODE_SUMMARY, NODE_FAILED).caught_by == "a gap is noticed"


def test_tests_that_pass_catch_nothing():
    passed = ended_of(0, "3 passed in 2.01s", PYTEST_FAILED)
    assert passed.passed
    assert passed.caught_by is None


@pytest.mark.parametrize("code", [2, 3, 4, 5])
def test_a_run_without_tests_catches_nothing(code: int):
    text = "ERROR tests/server/test_relay.py::test_a_timer - ImportError"
    ended = ended_of(code, text, PYTEST_FAILED)
    assert not ended.passed
    assert ended.caught_by is None


def test_a_test_that_hangs_catches_its_mutant(tmp_path):
    told = ended_of(1, "+++++ Timeout +++++", PYTEST_FAILED)
    assert told.caught_by == "a test that hangs"
    waits = [sys.executable, "-c", "import time; time.sleep(60)"]
    assert run(tmp_path, waits, 0.2, PYTEST_FAILED).caught_by == "a test that hangs"
