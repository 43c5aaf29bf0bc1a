"""Log entries of libraries have the same form as our own."""

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
QUOTES = """
import logging
from server.logs import set_up_logs
set_up_logs("{style}")
log = logging.getLogger("somebody.elses")
log.warning("%s: odd %r after %d", "canary", ["canary"], 3)
log.warning("%(what)s failed: %(why)s", {{"what": "canary", "why": ValueError("canary")}})
"""


def log_of(style: str, says: str = SAYS) -> str:
    ran = subprocess.run(
        [sys.executable, "-c", says.format(style=style)],
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


@pytest.mark.parametrize("style", ["text", "json"])
def test_a_librarys_line_shows_numbers_and_no_other_argument(style):
    written = log_of(style, QUOTES)
    assert "<str>: odd <list> after 3" in written
    assert "<str> failed: <ValueError>" in written
    assert "canary" not in written
