"""A short run of `make chaos` on each setup, and tests of its plans."""

import subprocess
import sys
from itertools import islice

import pytest

from tests.chaos.plan import kinds_on, make_plan
from tests.world import ROOT

SECONDS = 10
WITHIN_S = 110


def begin(on: str, seed: int) -> subprocess.Popen[str]:
    asked = ["--on", on, "--seed", str(seed), "--seconds", str(SECONDS), "--people", "12"]
    return subprocess.Popen(
        [sys.executable, "-m", "tests.chaos", *asked],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def test_faults_cause_no_lost_repeated_or_unordered_events() -> None:
    with begin("sqlite", 1) as one, begin("several", 2) as other:  # both mostly wait
        for running, seed in ((one, 1), (other, 2)):
            said, _ = running.communicate(timeout=WITHIN_S)
            assert running.returncode == 0, said
            assert f"seed {seed}" in said
            assert "violations: 0" in said


@pytest.mark.parametrize("on", ["sqlite", "several"])
def test_the_seed_determines_the_plan(on: str) -> None:
    plans = [list(islice(make_plan(seed, on, SECONDS), 30)) for seed in (1, 1, 2)]
    assert plans[0] == plans[1] != plans[2]


def test_every_kind_of_fault_occurs_before_any_repeats() -> None:
    kinds = kinds_on("several", SECONDS)
    steps = list(islice(make_plan(7, "several", SECONDS), len(kinds)))
    assert {step.faults[0].kind for step in steps} == {kind.name for kind in kinds}


def test_plans_for_one_instance_have_no_faults_of_several_instances() -> None:
    steps = islice(make_plan(7, "sqlite", SECONDS), 40)
    kinds = {fault.kind for step in steps for fault in step.faults}
    assert not kinds & {kind.name for kind in kinds_on("several", SECONDS) if kind.several_only}


def test_long_faults_occur_only_in_long_runs() -> None:
    more = {kind.name for kind in kinds_on("several", 60)} - {
        kind.name for kind in kinds_on("several", SECONDS)
    }
    assert more == {"instance taken for dead"}
