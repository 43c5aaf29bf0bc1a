"""The output of the client's tests: failures and totals only."""

import subprocess
from pathlib import Path

from tests.world import ROOT

TESTS = """
import test from "node:test";
import assert from "node:assert/strict";
test("a test that passes", () => {});
test("a test that fails", () => assert.equal(1, 2));
"""


def test_a_failed_test_is_shown_with_its_reason_and_a_passed_one_is_counted(node, tmp_path: Path):
    (tmp_path / "some.test.mjs").write_text(TESTS)
    reporter = f"--test-reporter={ROOT / 'tests/client/reporter.mjs'}"
    done = subprocess.run(
        [node, "--test", reporter, "--test-reporter-destination=stdout", "some.test.mjs"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    assert "FAILED a test that fails" in done.stdout
    assert "1 !== 2" in done.stdout
    assert "a test that passes" not in done.stdout
    assert done.stdout.endswith("client tests: 1 failed, 1 passed\n")
