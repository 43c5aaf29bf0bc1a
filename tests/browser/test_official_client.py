"""The official client in Node goes through the whole journey of docs/PROTOCOL.md."""

import asyncio
from pathlib import Path

import pytest

from tests.world import ROOT, one_database

JOURNEY = Path(__file__).with_name("journey.mjs")


@one_database
@pytest.mark.settings(PARLEY_WAITING_ROOM_OPENS_S="7200", PARLEY_PRESENCE_GRACE_S="0.2")
async def test_the_official_client_completes_the_journey_as_documented(process, node, tmp_path):
    assert (ROOT / "node_modules" / "socket.io-client").exists(), "run sh scripts/setup --dev"
    journey = await asyncio.create_subprocess_exec(
        *(node, JOURNEY, process.url, tmp_path / "data" / "mail"),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    try:
        output, _ = await journey.communicate()
    finally:
        if journey.returncode is None:
            journey.kill()
    assert journey.returncode == 0, f"{output.decode()}\n{process.log}"
