"""The Redis client: a failed request does not affect the next one."""

from collections.abc import AsyncIterator

import pytest

from rooms import redis_client
from rooms.redis_client import RedisClient
from tests.parts.redis import RedisServer
from tests.world import until


@pytest.fixture
async def redis(redis_server: RedisServer, monkeypatch) -> AsyncIterator[RedisClient]:
    monkeypatch.setattr(redis_client, "PAUSE_S", (0.02, 0.03))
    redis = RedisClient(redis_server.url)
    await redis.start()
    yield redis
    await redis.stop()


async def answers(redis: RedisClient) -> bool:
    return await redis.ask("key", ("ECHO", "hello")) == [b"hello"]


async def test_each_request_gets_its_own_answers_in_order(redis):
    assert await redis.ask("a", ("ECHO", "1"), ("ECHO", "2")) == [b"1", b"2"]
    assert await redis.ask("b", ("ECHO", "3")) == [b"3"]


@pytest.mark.parametrize(
    ("key", "command"),
    [("\udcff", ("GET", "\udcff")), ("key", ("NO_SUCH_COMMAND",)), ("key", ("GET", object()))],
)
async def test_an_invalid_request_has_no_answer_and_affects_no_other(redis, key, command):
    assert await answers(redis)
    assert await redis.ask(key, command) is None
    await until(lambda: answers(redis))


async def test_a_request_has_no_answer_while_redis_is_down(redis, redis_server):
    assert await answers(redis)
    redis_server.kill()
    assert await redis.ask("key", ("ECHO", "hello")) is None
    await redis_server.start()
    await until(lambda: answers(redis))


async def test_stopping_releases_waiting_requests(redis_server):
    redis = RedisClient(redis_server.url)
    await redis.start()
    redis_server.freeze()
    try:
        redis.tell("key", "ECHO", "hello")
        await redis.stop()
    finally:
        redis_server.thaw()
    assert redis.open
