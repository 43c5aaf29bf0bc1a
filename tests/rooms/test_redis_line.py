"""A line to Redis: whatever happens to one who asks, the next one is answered."""

from collections.abc import AsyncIterator

import pytest

from rooms import redis_line
from rooms.redis_line import Line
from tests.parts.redis import RedisServer
from tests.world import until


@pytest.fixture
async def line(redis_server: RedisServer, monkeypatch) -> AsyncIterator[Line]:
    monkeypatch.setattr(redis_line, "SHUT_FOR_S", (0.02, 0.03))
    line = Line(redis_server.url)
    await line.start()
    yield line
    await line.stop()


async def answers(line: Line) -> bool:
    return await line.ask("key", ("ECHO", "hello")) == [b"hello"]


async def test_each_who_asks_gets_their_own_answers_in_order(line):
    assert await line.ask("a", ("ECHO", "1"), ("ECHO", "2")) == [b"1", b"2"]
    assert await line.ask("b", ("ECHO", "3")) == [b"3"]


@pytest.mark.parametrize(
    ("key", "command"),
    [("\udcff", ("GET", "\udcff")), ("key", ("NO_SUCH_COMMAND",)), ("key", ("GET", object()))],
)
async def test_what_cannot_be_asked_has_no_answer_and_harms_nobody(line, key, command):
    assert await answers(line)
    assert await line.ask(key, command) is None
    await until(lambda: answers(line))


async def test_while_redis_is_dead_there_is_no_answer_at_once(line, redis_server):
    assert await answers(line)
    redis_server.kill()
    assert await line.ask("key", ("ECHO", "hello")) is None
    await redis_server.start()
    await until(lambda: answers(line))


async def test_who_waits_when_it_stops_is_let_go(redis_server):
    line = Line(redis_server.url)
    await line.start()
    redis_server.freeze()
    try:
        line.tell("key", "ECHO", "hello")
        await line.stop()
    finally:
        redis_server.thaw()
    assert line.open
