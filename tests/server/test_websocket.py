"""Our own end of a websocket: it upgrades in time, ends with its connection, and is forgotten."""

import asyncio
import gc
import json
import weakref

import aiohttp
import pytest

from server import websocket
from server.transport import UNSENT_MAX, Outgoing
from tests.kit.probe import NAMESPACE
from tests.kit.wire import Poller, Raw
from tests.world import one_database, until


@one_database
class TestUpgrade:
    @pytest.fixture
    async def poller(self, world, ana) -> Poller:
        return await (await Poller(world).open()).enter(NAMESPACE, ana.token)

    @pytest.fixture
    async def door(self, poller):
        """Opens a websocket of the poller's session."""
        address = poller.address.replace("transport=polling", "transport=websocket")
        async with aiohttp.ClientSession() as http:
            yield lambda: http.ws_connect(address)

    async def test_a_websocket_that_says_nothing_holds_up_no_poll_and_ends(
        self, poller, door, monkeypatch
    ):
        monkeypatch.setattr(websocket, "UPGRADE_WITHIN_S", 0.3)
        async with door() as silent:
            assert await poller.post(f'42{NAMESPACE},1["echo",{{"text":"hello"}}]') == 200
            assert await poller.poll() == 200
            assert any('"hello"' in frame for frame in poller.frames)
            assert (await silent.receive()).type is aiohttp.WSMsgType.CLOSE

    async def test_one_that_stops_after_its_probe_gives_the_polls_back(
        self, poller, door, monkeypatch
    ):
        monkeypatch.setattr(websocket, "UPGRADE_WITHIN_S", 0.3)
        async with door() as undecided:
            await undecided.send_str("2probe")
            assert await undecided.receive_str() == "3probe"
            assert (await undecided.receive()).type is aiohttp.WSMsgType.CLOSE
        assert await poller.post(f'42{NAMESPACE},1["echo",{{"text":"hello"}}]') == 200
        while not any('"hello"' in frame for frame in poller.frames):
            assert await poller.poll() == 200

    async def test_a_second_one_is_turned_away(self, poller, door):
        async with door() as first, door() as second:
            for one in (first, second):
                await one.send_str("2probe")
            assert await first.receive_str() == "3probe"
            assert (await second.receive()).type is aiohttp.WSMsgType.CLOSE
            await first.send_str("5")
            await first.send_str(f'42{NAMESPACE},1["echo",{{"text":"hello"}}]')
            while '"hello"' not in await first.receive_str():
                pass


@one_database
class TestEnd:
    async def test_nothing_of_it_stays_though_nobody_collects_garbage(self, world, monkeypatch):
        monkeypatch.setattr("server.socket.PING_EVERY_S", 0.05)
        await world.restart()  # with PINGs that are soon over
        ana = await world.person("ana")
        await ana.enter(NAMESPACE)
        kept = [weakref.ref(socket) for socket in world.app.sockets.eio.sockets.values()]
        gc.disable()
        try:
            await ana.client.close()
            await until(lambda: not any(ref() for ref in kept))
        finally:
            gc.enable()

    async def test_a_client_that_was_ended_and_reads_no_more_loses_its_connection(
        self, world, ana, monkeypatch
    ):
        monkeypatch.setattr(websocket, "FLUSHED_WITHIN_S", 0.1)
        raw = await Raw(world).open()
        raw.say(f"40{NAMESPACE}," + json.dumps({"token": ana.token}))
        await raw.until(b'"synced"')
        connection = next(one for one in world.app.sockets.connections if one.sockets)
        transport = connection.outgoing.websocket._transport
        while transport.get_write_buffer_size() < UNSENT_MAX // 100:
            transport.write(b"\x81\x05hello" * 1_000)
        await world.app.sockets.end(connection)
        await until(lambda: transport.get_write_buffer_size() == 0)


@one_database
class TestControlFrames:
    @pytest.fixture
    async def raw(self, world, ana) -> Raw:
        raw = await Raw(world).open()
        raw.say(f"40{NAMESPACE}," + json.dumps({"token": ana.token}))
        await raw.until(b'"synced"')
        return raw

    @pytest.fixture
    def ours(self, world, raw):
        """The server's end of it."""
        ends = [one.outgoing.websocket for one in world.app.sockets.connections if one.sockets]
        port = raw._writer.get_extra_info("sockname")[1]
        (found,) = [
            one for one in ends if one and one._transport.get_extra_info("peername")[1] == port
        ]
        return found

    async def test_a_ping_is_answered_with_its_own_words(self, raw):
        raw.say("are you there", opcode=9)
        await raw.until(b"\x8a\x0dare you there")

    async def test_a_goodbye_is_answered_and_the_connection_closed(self, world, raw, ours):
        raw.say("", opcode=8)
        await raw.until(b"\x88\x02\x03\xe8")
        assert await raw.reader.read() == b""
        await until(ours._transport.is_closing)

    async def test_pings_of_one_who_does_not_read_are_dropped(self, raw, ours):
        ours.pause_writing()
        raw.say("dropped", opcode=9)
        raw.say(f'42{NAMESPACE},1["echo",{{"text":"behind it"}}]')
        await until(lambda: ours._socket.queue.messages)
        ours.resume_writing()
        raw.say("answered", opcode=9)
        assert b"dropped" not in await raw.until(b"\x8a\x08answered")


class TestCaughtUp:
    async def test_two_who_wait_are_both_told(self):
        outgoing = Outgoing()
        outgoing.bytes = UNSENT_MAX
        waiting = [asyncio.create_task(outgoing.caught_up()) for _ in range(2)]
        await asyncio.sleep(0)
        outgoing.put_nowait(None)
        outgoing.bytes = 0
        outgoing.get_nowait()
        async with asyncio.timeout(1):
            assert await asyncio.gather(*waiting) == [True, True]
