"""What the libraries log is written as our own lines are."""

import json
import subprocess
import sys

import pytest

from tests.world import ROOT

SAYS = """
import logging
from server.logs import set_up_logs
set_up_logs("{style}")
logging.getLogger("asyncio").warning("took %s s", 3)
"""


def log_of(style: str) -> str:
    ran = subprocess.run(
        [sys.executable, "-c", SAYS.format(style=style)],
        cwd=ROOT,
        check=True,
        capture_output=True,
        text=True,
        timeout=30,
    )
    return ran.stderr


def test_a_librarys_line_is_json_for_machines():
    entry = json.loads(log_of("json"))
    assert entry.pop("timestamp")
    assert entry == {"event": "took 3 s", "level": "warning", "logger": "asyncio"}


@pytest.mark.parametrize("part", ["warning", "took 3 s", "asyncio"])
def test_a_librarys_line_is_text_for_people(part):
    assert part in log_of("text")
