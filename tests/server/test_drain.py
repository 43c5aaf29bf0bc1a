"""A draining instance moves its clients to the others without visible effects."""

import asyncio
from functools import partial

import aiohttp
import pytest

from handlers.kit.rules import KitRules
from server.drain import Orders
from tests.kit.probe import NAMESPACE
from tests.world import Process, World, both_databases, environ_of, until

pytestmark = both_databases

PRESENCE = "/presence"


async def status_of(url: str) -> int:
    async with aiohttp.ClientSession() as http, http.get(url) as answer:
        return answer.status


def handshake(world: World) -> str:
    return f"{world.url}/socket.io/?EIO=4&transport=polling"


class TestWithAnother:
    """Two instances on one database; one of them drains."""

    @pytest.fixture(params=["postgresql"])
    def database_kind(self, request):
        return request.param

    @pytest.fixture
    async def leaving(self, make_world) -> World:
        return await make_world(PARLEY_DRAIN_S="0.3")

    @pytest.fixture
    async def staying(self, leaving, make_world) -> World:
        return await make_world()

    async def test_new_connections_are_refused_and_existing_ones_served(
        self, leaving, staying, switches
    ):
        ana, ben = await leaving.person("ana"), await leaving.person("ben")
        answers = []
        for one in (ana, ben):
            await one.enter(NAMESPACE)
            answers.append(await one.client.begin(NAMESPACE, "wait", {"text": one.name}))
        await until(lambda: len(switches.waiting) == 2)
        draining = asyncio.create_task(leaving.app.drain())
        await until(lambda: leaving.app.stopping)
        assert await status_of(f"{leaving.url}/health/ready") == 503
        assert await status_of(handshake(leaving)) == 503
        assert await status_of(handshake(staying)) == 200
        await ana.enter("/profile")
        switches.open.set()
        for answer in answers:  # running commands are answered before their clients are moved
            assert (await answer)["ok"]
        await draining
        for one in (ana, ben):
            await until(one.client.closed.is_set)
            assert not [frame for frame in one.client.frames if frame.startswith("41")]

    async def test_presence_is_unchanged_by_a_drain(self, leaving, staying):
        ana, ben = await leaving.person("ana"), await staying.person("ben")
        await ana.enter("/profile")
        await ben.enter(PRESENCE)
        await until(lambda: is_there(ben, ana))
        await leaving.app.drain()
        back = await staying.connect(ana.token)
        await back.enter("/profile")
        await leaving.stop()
        grace_s = staying.app.kernel.rules.of(KitRules).presence_grace_s
        staying.clock.advance(grace_s + 1)
        await staying.settle()
        assert await is_there(ben, ana)
        assert await staying.stored("USER_OFFLINE") == []
        assert ben.events("USER_OFFLINE") == []

    async def test_a_user_who_does_not_return_is_offline_after_the_grace_period(
        self, leaving, staying
    ):
        ana, ben = await leaving.person("ana"), await staying.person("ben")
        await ana.enter("/profile")
        await ben.enter(PRESENCE)
        await until(lambda: is_there(ben, ana))
        await leaving.stop()
        await staying.settle()
        assert await is_there(ben, ana)
        staying.clock.advance(staying.app.kernel.rules.of(KitRules).presence_grace_s)
        await staying.settle()
        assert not await is_there(ben, ana)

    async def test_a_process_moves_its_clients_on_sigterm(self, database_url, process_of, tmp_path):
        first = await process_of(database_url)
        environ = environ_of(tmp_path / "data", database_url, PARLEY_DRAIN_S="0.5")
        second = Process(environ, tmp_path / "data")
        try:
            await second.start()
            ana = await first.sign_up("ana")
            moved = await second.connect(ana.token)
            await moved.enter("/profile")
            assert await asyncio.to_thread(second.stop) == 0
            await until(moved.closed.is_set)
            assert "drained" in second.log
            assert "Traceback" not in second.log
            assert (await (await ana.enter("/profile")).call("/profile", "me"))["id"] == ana.id
        finally:
            await second.close()


async def is_there(watcher, person) -> bool:
    answer = await watcher.call(PRESENCE, "watch", user_ids=[person.id])
    return bool(answer["states"][person.id]["online"])


async def test_a_single_instance_stops_without_draining(world, ana):
    async with asyncio.timeout(1):
        await world.app.drain()
    assert not ana.client.closed.is_set()


class TestOrders:
    async def test_an_order_to_leave_waits_for_the_drain_and_a_second_one_does_not(self):
        drained, orders = asyncio.Event(), Orders()
        obeying = asyncio.create_task(orders.obey(partial(wait_for, drained)))
        orders.end()
        await asyncio.sleep(0)
        assert not obeying.done()
        orders.end()
        await obeying
        assert not drained.is_set()

    async def test_orders_end_with_the_drain(self):
        drained, orders = asyncio.Event(), Orders()
        drained.set()
        orders.end()
        await orders.obey(partial(wait_for, drained))

    async def test_an_order_to_stop_skips_the_drain(self):
        orders = Orders()
        orders.stop.set()
        await orders.obey(partial(wait_for, asyncio.Event()))


async def wait_for(event: asyncio.Event) -> None:
    await event.wait()
