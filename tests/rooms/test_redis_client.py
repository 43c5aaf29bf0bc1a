"""The Redis client: a failed request does not affect the next one."""

import asyncio
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
    assert redis._waiting.empty()


async def test_a_stopped_client_answers_nothing_at_once(redis_server):
    redis = RedisClient(redis_server.url)
    assert await redis.ask("key", ("ECHO", "hello")) is None, "it has not started"
    await redis.start()
    assert await answers(redis)
    await redis.stop()
    async with asyncio.timeout(1):
        assert await redis.ask("key", ("ECHO", "hello")) is None
    redis.tell("key", "ECHO", "hello")
    assert redis._waiting.empty()


async def test_no_server_is_used_after_the_failure_of_another_closed_it(redis, monkeypatch):
    """A connection that is used after it was closed opens again, and nobody would close it."""
    steps = []

    async def send(node, publish, some):
        if some[0].key == "bad":
            raise ConnectionError
        await asyncio.sleep(0.01)
        steps.append("sent")

    class Two:
        sharded = False

        def of(self, key):
            return key

        async def close(self):
            steps.append("closed")

    monkeypatch.setattr(redis_client, "_send_to", send)
    redis._shards = Two()
    asked = [redis.ask(key, ("ECHO", "x")) for key in ("bad", "good")]
    assert await asyncio.gather(*asked) == [None, None]
    await until(lambda: "closed" in steps)
    assert steps == ["sent", "closed"]
