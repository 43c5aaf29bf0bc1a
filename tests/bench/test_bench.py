"""Small runs of the benchmark on real servers."""

from collections.abc import AsyncIterator
from contextlib import aclosing
from pathlib import Path

import pytest
import pytest_asyncio

from tests.bench.load import LoadFailed, Reconnected, Sent, compile_generator, measure, phases
from tests.bench.queries import QUERIES, measure_queries
from tests.bench.servers import Bench, Server, node_peer, parley, share_cores

pytestmark = pytest.mark.asyncio(loop_scope="module")
ROOMS = ("-c", 20, "-r", 5)
SHORT = ("-d", 0.5, "-W", 0.1)


@pytest.fixture(scope="module")
def bench(tmp_path_factory: pytest.TempPathFactory) -> Bench:
    return Bench(share_cores(), tmp_path_factory.mktemp("bench"))


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def program(bench: Bench) -> Path:
    return await compile_generator(bench.folder)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def server(bench: Bench) -> AsyncIterator[Server]:
    """This server, with twenty users in five rooms of four."""
    async with parley(20, 5)(bench) as running:
        yield running


async def test_members_of_a_measured_room_receive_every_message(server, program):
    connected, sent = await measure(program, server, *ROOMS, "-s", 4, *SHORT)
    assert (connected.clients, connected.dead) == (20, 0)
    assert connected.cpu_ms_each > 0
    assert connected.rss_kb_each > 0
    assert sent.acks_in_all == sent.sends_in_all > 0
    assert (sent.missing, sent.errors, sent.gaps, sent.repeats) == (0, 0, 0, 0)
    assert 0 < sent.cpu_us_per_delivery < sent.cpu_us_per_ack
    assert sent.delivery_us.count == 4 * sent.ack_us.count
    assert 0 < sent.delivery_us.p50 <= sent.delivery_us.p99 <= sent.delivery_us.max


async def test_messages_are_sent_at_a_given_rate(server, program):
    _, sent = await measure(program, server, *ROOMS, "-s", 20, "-R", 100, *SHORT)
    assert 40 <= sent.sends_in_all <= 70
    assert sent.cpu_us_per_ack > 0


async def test_refused_messages_fail_the_measurement(server, program):
    with pytest.raises(LoadFailed, match="errors"):
        await measure(program, server, *ROOMS, "-m", '["send",{"text":"%t"}]', *SHORT)


async def test_a_peer_is_measured_with_the_same_load(bench, program):
    async with node_peer("node.js")(bench) as peer:
        _, sent = await measure(program, peer, *ROOMS, "-s", 4, *SHORT)
    assert sent.cpu_us_per_delivery > 0
    assert sent.missing == 0


async def test_reconnected_clients_have_every_message_after_a_kill(server, program):
    options = (*ROOMS, "-s", 5, "-R", 50, "-d", 0.3, "-b", 20)
    async with aclosing(phases(program, server, *options)) as told:
        while not isinstance(await anext(told), Sent):
            pass
        async with server.restart():
            reconnected = await anext(told)
    assert isinstance(reconnected, Reconnected)
    assert (reconnected.clients, reconnected.behind, reconnected.unrecovered) == (20, 0, 0)
    assert (reconnected.gaps, reconnected.repeats) == (0, 0)
    assert reconnected.seconds > 0


async def test_queries_are_timed_at_each_size(database_url, tmp_path):
    times = await measure_queries(database_url, tmp_path, (200, 400))
    assert set(times) == set(QUERIES)
    for points in times.values():
        assert set(points) == {200, 400}
        assert min(points.values()) > 0
