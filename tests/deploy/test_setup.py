"""`scripts/setup` changes the packages of its own checkout only."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.world import ROOT

READ = ("requirements.lock", "requirements-dev.lock", "package.json", "package-lock.json")
PROGRAMS = {
    "node": "exit 0",
    "npm": "find node_modules/ -mindepth 1 -delete 2>/dev/null; mkdir -p node_modules",
    "python3.11": 'case "$*" in *"-m venv"*) mkdir -p .venv/bin; cp "$0" .venv/bin/python;; esac',
}
"""Stand-ins for the programs that setup runs. Like the real one, npm first empties its folder."""


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A checkout with links to the packages of another one."""
    root, other = tmp_path / "checkout", tmp_path / "other"
    shutil.copytree(ROOT / "scripts", root / "scripts")
    for name in READ:
        shutil.copy(ROOT / name, root)
    for name in (".venv", "node_modules"):
        (other / name).mkdir(parents=True)
        (other / name / "package").touch()
        (root / name).symlink_to(other / name)
    (tmp_path / "bin").mkdir()
    for name, does in PROGRAMS.items():
        program = tmp_path / "bin" / name
        program.write_text(f"#!/bin/sh\n{does}\n")
        program.chmod(0o755)
    return root


def test_a_setup_replaces_links_and_leaves_their_targets(checkout: Path) -> None:
    environ = {"PATH": f"{checkout.parent / 'bin'}{os.pathsep}{os.defpath}"}
    setup = ["sh", "scripts/setup", "--dev"]
    for _ in range(2):  # the second one finds all in place
        subprocess.run(setup, cwd=checkout, env=environ, check=True)
    for name in (".venv", "node_modules"):
        assert not (checkout / name).is_symlink()
        assert [file.name for file in (checkout.parent / "other" / name).iterdir()] == ["package"]
