"""Our WebSocket protocol: it upgrades in time, ends with its connection, and is freed."""

import asyncio
import gc
import json
import weakref
from collections.abc import AsyncIterator

import aiohttp
import pytest

from rooms.names import user
from rooms.packets import text_frame
from server import websocket
from server.transport import UNSENT_MAX, Outgoing
from tests.kit.probe import NAMESPACE, Say, say_it
from tests.kit.wire import Poller, Raw, events_in
from tests.world import one_database, until


@one_database
class TestUpgrade:
    @pytest.fixture
    async def poller(self, world, ana) -> Poller:
        return await (await Poller(world).open()).enter(NAMESPACE, ana.token)

    @pytest.fixture
    async def door(self, poller):
        """Opens a WebSocket for the poller's connection."""
        address = poller.address.replace("transport=polling", "transport=websocket")
        async with aiohttp.ClientSession() as http:
            yield lambda: http.ws_connect(address)

    async def test_a_silent_websocket_blocks_no_poll_and_is_closed(self, poller, door, monkeypatch):
        monkeypatch.setattr(websocket, "UPGRADE_WITHIN_S", 0.3)
        async with door() as silent:
            assert await poller.post(f'42{NAMESPACE},1["echo",{{"text":"hello"}}]') == 200
            assert await poller.poll() == 200
            assert any('"hello"' in frame for frame in poller.frames)
            assert (await silent.receive()).type is aiohttp.WSMsgType.CLOSE

    async def test_polling_continues_if_an_upgrade_stops_after_its_probe(
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

    async def test_a_second_websocket_is_refused(self, poller, door):
        async with door() as first, door() as second:
            for one in (first, second):
                await one.send_str("2probe")
            assert await first.receive_str() == "3probe"
            assert (await second.receive()).type is aiohttp.WSMsgType.CLOSE
            await first.send_str("5")
            await first.send_str(f'42{NAMESPACE},1["echo",{{"text":"hello"}}]')
            while '"hello"' not in await first.receive_str():
                pass

    async def test_a_websocket_for_an_ended_connection_is_refused(self, world, poller, door):
        async with door() as late:
            await late.send_str("2probe")
            assert await late.receive_str() == "3probe"
            await world.app.sockets.eio.sockets[poller.opened["sid"]].close(wait=False)
            await late.send_str("5")
            assert (await late.receive()).type is aiohttp.WSMsgType.CLOSE

    async def test_a_probing_websocket_takes_no_packets_from_polls(self, world, ana, poller, door):
        async with door() as trying:
            found = [one for one in gc.get_objects() if type(one) is websocket.WebSocket]
            (ours,) = [one for one in found if one._socket.sid == poller.opened["sid"]]
            await world.transact(say_it, Say(text="by poll", room=user(ana.id)))
            ours.pause_writing()
            ours.resume_writing()
            assert not ours.idle
            await trying.close()
        while not events_in(poller.frames, "PROBE_SAID"):
            assert await poller.poll() == 200


@one_database
class TestEnd:
    async def test_a_closed_websocket_is_freed_without_garbage_collection(self, world, monkeypatch):
        monkeypatch.setattr("server.socket.PING_EVERY_S", 0.05)
        await world.restart()  # with a short ping timeout
        ana = await world.person("ana")
        await ana.enter(NAMESPACE)
        kept = [weakref.ref(socket) for socket in world.app.sockets.eio.sockets.values()]
        gc.disable()
        try:
            await ana.client.close()
            await until(lambda: not any(ref() for ref in kept))
        finally:
            gc.enable()

    async def test_an_ended_client_that_stops_reading_loses_its_connection(
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


@pytest.fixture
async def raw(world, ana) -> Raw:
    """The only connected client."""
    await ana.client.close()
    await until(lambda: not world.app.sockets.connections)
    raw = await Raw(world).open()
    raw.say(f"40{NAMESPACE}," + json.dumps({"token": ana.token}))
    await raw.until(b'"synced"')
    return raw


@pytest.fixture
def connection(world, raw):
    """The server's connection of that client."""
    (connection,) = world.app.sockets.connections
    return connection


@pytest.fixture
def ours(connection):
    return connection.outgoing.websocket


@one_database
class TestGoodbye:
    async def test_frames_of_the_same_round_come_before_the_close_frame(self, raw, ours):
        ours.add(text_frame(b"the last word"))
        ours._finish(1000)
        assert b"the last word" in await raw.until(b"\x88\x02\x03\xe8")

    async def test_a_client_that_answers_the_close_frame_is_released_at_once(
        self, world, raw, connection
    ):
        await world.app.sockets.end(connection)
        await raw.until(b"\x88\x02\x03\xe8")
        raw.say("", opcode=8)
        async with asyncio.timeout(websocket.FLUSHED_WITHIN_S / 2):
            assert await raw.reader.read() == b""

    async def test_a_half_closed_client_that_does_not_read_is_cut(self, raw, ours, monkeypatch):
        monkeypatch.setattr(websocket, "FLUSHED_WITHIN_S", 0.1)
        transport = ours._transport
        while transport.get_write_buffer_size() < 1_000:
            transport.write(text_frame(b"x" * 100) * 100)
        raw._writer.write_eof()
        await until(lambda: transport.get_write_buffer_size() == 0)

    async def test_a_replay_ends_when_its_client_is_gone(self, world, ana, raw, connection):
        for _ in range(10):
            await world.transact(say_it, Say(text="x" * 8_000, room=user(ana.id), count=100))
        again = await Raw(world).open()
        auth = {"token": ana.token, "since": {user(ana.id): 0}}
        again.say(f"40{NAMESPACE},{json.dumps(auth)}")
        (stalled,) = await until(
            lambda: [one for one in world.app.sockets.connections if one is not connection]
        )
        await until(lambda: stalled.outgoing.bytes > UNSENT_MAX // 4)
        (socket,) = stalled.sockets.values()
        await again.close()
        await until(lambda: socket.worker is None)
        assert stalled.outgoing.bytes == 0


@one_database
class TestEntering:
    """While a namespace is being entered, later packets wait."""

    @pytest.fixture
    async def held(self, world, monkeypatch) -> AsyncIterator[asyncio.Event]:
        let_go, admit = asyncio.Event(), world.app.gate.admit

        async def hold(*args):
            await let_go.wait()
            return await admit(*args)

        monkeypatch.setattr(world.app.gate, "admit", hold)
        yield let_go
        let_go.set()

    @pytest.fixture
    async def entering(self, world, ana, held):
        raw = await Raw(world).open()
        raw.say(f"40{NAMESPACE}," + json.dumps({"token": ana.token}))
        await until(lambda: entering_of(world))
        return raw, *entering_of(world)

    async def test_a_client_cut_while_entering_is_gone_at_once(self, entering):
        _, connection = entering
        connection.cut()
        await until(lambda: connection.gone)

    async def test_nothing_is_read_while_a_namespace_is_entered(self, entering):
        raw, connection = entering
        for _ in range(1_000):
            raw.say("2" * 10_000)
        ours = connection.outgoing.websocket
        await until(lambda: raw._writer.transport.get_write_buffer_size() > 0)
        await asyncio.sleep(0.05)  # to check that nothing is read
        assert len(ours._unprocessed or ()) < 100

    async def test_packets_after_a_connect_are_processed_after_it(self, entering, held):
        raw, _ = entering
        raw.say(f'42{NAMESPACE},7["echo",{{"text":"in time"}}]')
        held.set()
        assert b'"synced"' in await raw.until(b'"in time"')

    async def test_a_namespace_is_entered_once(self, world, ana, held):
        poller = await Poller(world).open()
        entry = f"40{NAMESPACE}," + json.dumps({"token": ana.token})
        first = asyncio.create_task(poller.post(entry))
        await until(lambda: entering_of(world))
        assert await poller.post(entry) == 200
        held.set()
        assert await first == 200
        while not any('"synced"' in frame for frame in poller.frames):
            assert await poller.poll() == 200
        assert len(confirmations(poller)) == 1
        assert await poller.post(entry) == 200
        assert await poller.poll() == 200
        first_answer, second_answer = confirmations(poller)
        assert first_answer == second_answer
        assert len(world.app.sockets.connections) == 2

    async def test_a_failed_entry_can_be_repeated(self, world, ana, monkeypatch):
        failing = iter([RuntimeError("a fault")])
        admit = world.app.gate.admit

        async def fail_once(*args):
            for fault in failing:
                raise fault
            return await admit(*args)

        monkeypatch.setattr(world.app.gate, "admit", fail_once)
        raw = await Raw(world).open()
        raw.say(f"40{NAMESPACE}," + json.dumps({"token": ana.token}))
        raw.say(f"40{NAMESPACE}," + json.dumps({"token": ana.token}))
        assert b"44/" not in await raw.until(b'"synced"')


def confirmations(poller: Poller) -> list[str]:
    return [frame for frame in poller.frames if frame.startswith("40")]


def entering_of(world):
    return [one for one in world.app.sockets.connections if one.admitting.locked()]


@one_database
class TestControlFrames:
    async def test_a_ping_is_answered_with_its_payload(self, raw):
        raw.say("are you there", opcode=9)
        await raw.until(b"\x8a\x0dare you there")

    async def test_a_close_frame_is_answered_and_the_connection_closed(self, world, raw, ours):
        raw.say("", opcode=8)
        await raw.until(b"\x88\x02\x03\xe8")
        assert await raw.reader.read() == b""
        await until(ours._transport.is_closing)

    async def test_pings_of_a_client_that_does_not_read_are_dropped(self, raw, ours):
        ours.pause_writing()
        raw.say("dropped", opcode=9)
        raw.say(f'42{NAMESPACE},1["echo",{{"text":"behind it"}}]')
        await until(lambda: ours._socket.queue.messages)
        ours.resume_writing()
        raw.say("answered", opcode=9)
        assert b"dropped" not in await raw.until(b"\x8a\x08answered")


class TestCaughtUp:
    async def test_two_waiters_are_both_woken(self):
        outgoing = Outgoing()
        outgoing.bytes = UNSENT_MAX
        waiting = [asyncio.create_task(outgoing.caught_up()) for _ in range(2)]
        await asyncio.sleep(0)
        outgoing.put_nowait(None)
        outgoing.bytes = 0
        outgoing.take()
        async with asyncio.timeout(1):
            assert await asyncio.gather(*waiting) == [True, True]
