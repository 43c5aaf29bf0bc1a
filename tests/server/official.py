"""The official clients, in JavaScript and Python, for tests of what they are answered."""

import asyncio
import json
from pathlib import Path
from typing import Any

import socketio

from tests.parts.node import find_node
from tests.world import World

SCRIPT = Path(__file__).with_name("official_client.mjs")
WITHIN_S = 20.0
Told = dict[str, Any]
"""What became of a client: `answers`, `transport`, `connected` (how often), `reason` of the end."""


async def javascript(world: World, **ask: Any) -> Told:
    """Run socket.io-client in Node; `ask` is described in the script."""
    client = await asyncio.create_subprocess_exec(
        *(find_node(), SCRIPT),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    try:
        async with asyncio.timeout(WITHIN_S):
            asked = json.dumps({"url": world.url, **ask}).encode()
            output, _ = await client.communicate(asked)
    finally:
        if client.returncode is None:
            client.kill()
            await client.wait()
    assert client.returncode == 0, output.decode()
    told: Told = json.loads(output)
    return told


async def python(
    world: World,
    *,
    transports: list[str],
    namespace: str,
    auth: dict[str, Any],
    commands: list[tuple[str, dict[str, Any]]],
    binary: bool = False,
    upgraded: bool = False,
) -> Told:
    """Run python-socketio's client, which escapes all texts in ASCII."""
    client = socketio.AsyncClient(reconnection_delay=0.1)
    told: Told = {"connected": 0, "reason": None}
    synced, ended = asyncio.Event(), asyncio.Event()

    @client.on("connect", namespace=namespace)
    async def connect() -> None:
        told["connected"] += 1

    @client.on("disconnect", namespace=namespace)
    async def disconnect(reason: str) -> None:
        told["reason"] = reason
        ended.set()

    @client.on("synced", namespace=namespace)
    async def set_synced(data: Any) -> None:
        synced.set()

    try:
        async with asyncio.timeout(WITHIN_S):
            await client.connect(
                world.url, auth=auth, namespaces=[namespace], transports=transports
            )
            await synced.wait()
            assert not upgraded or client.transport() == "websocket"
            told["transport"] = client.transport()
            told["answers"] = await answers_of(client, namespace, commands, ended, binary=binary)
            return {**told, "active": client.connected}
    finally:
        await client.shutdown()


async def answers_of(
    client: socketio.AsyncClient,
    namespace: str,
    commands: list[tuple[str, dict[str, Any]]],
    ended: asyncio.Event,
    *,
    binary: bool,
) -> list[Any]:
    """The answers to commands that are sent in one tick; none if the connection ends."""
    answers = [asyncio.get_running_loop().create_future() for _ in commands]
    for (name, payload), answer in zip(commands, answers, strict=True):
        sent = {**payload, "text": payload["text"].encode()} if binary else payload
        await client.emit(name, sent, namespace=namespace, callback=answer.set_result)
    over = asyncio.create_task(ended.wait())
    every = asyncio.gather(*answers)
    await asyncio.wait([over, every], return_when=asyncio.FIRST_COMPLETED)
    over.cancel()
    if every.done():
        return every.result()
    every.cancel()
    return []
