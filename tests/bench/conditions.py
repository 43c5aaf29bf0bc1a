"""The conditions of a measurement: the machine and the versions."""

import os
import platform
import re
import subprocess
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

import msgspec

from tests.bench.servers import Cores
from tests.parts.node import find_node
from tests.world import ROOT

PACKAGES = ("aiohttp", "python-socketio", "uvloop", "msgspec")


def machine_load() -> str:
    """The load average of the last minute, of all processes."""
    return f"{os.getloadavg()[0]:.1f}"


def conditions(cores: Cores, load_before: str, more: list[str]) -> str:
    """The conditions as a Markdown list."""
    processors = f"{os.cpu_count()} × {_processor()}"
    pinned = f"server on core {cores.server}, load on {_listed(cores.load)}"
    load = f"load average {load_before} before, {machine_load()} after"
    lines = [
        f"{datetime.now(UTC):%Y-%m-%d %H:%M} UTC; {processors}; {pinned}",
        f"Linux {platform.release()}; {load}",
        f"Python {platform.python_version()} with {', '.join(map(_python_package, PACKAGES))}",
        f"Node {_node_version()} with {', '.join(_node_packages())}",
        *more,
    ]
    return "\n".join(f"- {line}" for line in lines)


def _listed(cores: frozenset[int]) -> str:
    return "core " + ", ".join(map(str, sorted(cores)))


def _processor() -> str:
    found = re.search(r"model name\s*:\s*(.+)", Path("/proc/cpuinfo").read_text())
    return " ".join(found[1].split()) if found else platform.machine()


def _python_package(name: str) -> str:
    return f"{name} {version(name)}"


def _node_version() -> str:
    told = subprocess.run([find_node(), "--version"], capture_output=True, text=True, check=True)
    return told.stdout.strip().removeprefix("v")


def _node_packages() -> list[str]:
    return [
        f"socket.io {_pinned(ROOT / 'package.json', 'devDependencies', 'socket.io')}",
        "better-sqlite3 "
        + _pinned(Path(__file__).parent / "peers/package.json", "dependencies", "better-sqlite3"),
    ]


def _pinned(file: Path, kind: str, name: str) -> str:
    pinned: str = msgspec.json.decode(file.read_bytes())[kind][name]
    return pinned
