"""The journey over the wire by the official client in Node, by the letter of docs/PROTOCOL.md."""

import asyncio
from pathlib import Path

import pytest

from tests.world import ROOT, one_database

JOURNEY = Path(__file__).with_name("journey.mjs")


@one_database
@pytest.mark.settings(PARLEY_WAITING_ROOM_OPENS_S="7200", PARLEY_PRESENCE_GRACE_S="0.2")
async def test_the_official_client_plays_the_journey_by_the_protocol(process, node, tmp_path):
    assert (ROOT / "node_modules" / "socket.io-client").exists(), "run sh scripts/setup --dev"
    played = await asyncio.create_subprocess_exec(
        *(node, JOURNEY, process.url, tmp_path / "data" / "mail"),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    try:
        told, _ = await played.communicate()
    finally:
        if played.returncode is None:
            played.kill()
    assert played.returncode == 0, f"{told.decode()}\n{process.log}"
