"""Tests read the time from their world's clock, as the server does, not from the system clock."""

import ast
from collections.abc import Iterator
from pathlib import Path

from tests.parts.source import parse

TESTS = Path(__file__).parent
READINGS = {"datetime.now", "datetime.utcnow", "time.time", "time.time_ns", "SystemClock"}
OTHER_CLOCKS = {
    "bench": "its servers are processes",
    "chaos": "its servers are processes",
    "parts": "other servers, with clocks of their own",
    "world.py": "makes the clock",
    "server/test_heartbeat.py": "compares the database's clock with the machine's",
    "platform/presence/test_presence.py": "its server is a process",
    "platform/identities/test_distrust.py": "an identity provider's clock",
    "platform/identities/test_oauth.py": "an identity provider's clock",
    "platform/uploads/test_s3.py": "the object store's clock",
    "platform/uploads/test_uploads.py": "signed addresses go by the clock of the folder",
    "platform/send/test_mail_tls.py": "a mailer without a world",
}


def normalized_forms(source: str) -> Iterator[int]:
    """The lines that read the system clock."""
    for node in ast.walk(parse(source)):
        if isinstance(node, ast.Call):
            called = ast.unparse(node.func)
            if any(called == name or called.endswith(f".{name}") for name in READINGS):
                yield node.lineno


def test_only_listed_files_read_the_system_clock():
    reading = set()
    for file in sorted(TESTS.rglob("*.py")):
        path = file.relative_to(TESTS)
        known = {str(path), path.parts[0]} & set(OTHER_CLOCKS)
        if any(normalized_forms(file.read_text())):
            assert known, f"tests/{path} reads the machine's clock; ask world.clock.now()"
            reading |= known
    assert reading == set(OTHER_CLOCKS), "the list has files that need not be there"


def test_every_way_to_read_the_system_clock_is_found():
    found = "import time\ntime.time()\ndatetime.now(UTC)\ndatetime.datetime.now()\nSystemClock()\n"
    assert list(normalized_forms(found)) == [2, 3, 4, 5]
    assert list(normalized_forms("world.clock.now()\ntime.monotonic()\n")) == []
