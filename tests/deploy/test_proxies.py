"""nginx and HAProxy, run with the files of deploy/, in front of three instances."""

import asyncio
import contextlib
import hashlib
import json
import secrets
import uuid
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass
from typing import Any

import aiohttp
import pytest
import pytest_asyncio
from aiohttp import web
from yarl import URL

from tests.deploy.outside import Caller, Poller, Visitor, fresh_address, http_from
from tests.parts.proxies import (
    BODY_WITHIN_S,
    CONNECTIONS_MAX,
    HAPROXY,
    NGINX,
    REQUESTS_MAX,
    RunningProxy,
    running_proxy,
)
from tests.parts.redis import running_redis
from tests.wire_client import Client
from tests.world import Process, environ_of, until

ATTEMPTS = 6
"""To sign in or up, of one address in a minute."""
PUBLIC_URL = "https://parley.example.com"
SETTINGS = {
    "PARLEY_PUBLIC_URL": PUBLIC_URL,
    "PARLEY_LIMITS": "default",
    "PARLEY_ATTEMPTS_PER_MINUTE": str(ATTEMPTS),
    "PARLEY_CONNECTIONS_PER_S": "1000",  # it is the proxies' bounds that are looked at here
    "PARLEY_MESSAGES_BURST": "1000",
    "PARLEY_SOCKETS_PER_PERSON": "100",
    "PARLEY_TRUSTED_PROXIES": "127.0.0.1",
    "PARLEY_DRAIN_S": "3600",  # nobody is asked to go while a test looks
}
POLLING = "/socket.io/?EIO=4&transport=polling"
WAYS = ("polling", "polling,websocket", "websocket")

pytestmark = pytest.mark.asyncio(loop_scope="module")


@dataclass
class House:
    """Three instances, and two people who have a conversation."""

    instances: list[Process]
    tokens: list[str]
    conversation_id: str

    async def connections(self) -> list[int]:
        """How many are connected to each instance."""
        return [await connections_of(instance) for instance in self.instances]

    async def say(self, by: Process, *texts: str) -> None:
        """Messages of the second person, sent straight to one instance."""
        client = await by.connect(self.tokens[1])
        await client.enter("/chat")
        for text in texts:
            message = {"client_id": str(uuid.uuid4()), "text": text}
            await client.call("/chat", "send", conversation_id=self.conversation_id, **message)
        await client.close()


async def connections_of(instance: Process) -> int:
    async with (
        aiohttp.ClientSession() as http,
        http.get(f"{instance.url}/metrics") as answer,
    ):
        lines = (await answer.text()).splitlines()
    return next(int(float(line.split()[1])) for line in lines if line.startswith("parley_conn"))


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def house(postgres_template, tmp_path_factory) -> AsyncIterator[House]:
    folder = tmp_path_factory.mktemp("house")
    database_url = await postgres_template.copy()
    async with AsyncExitStack() as stack:
        stack.push_async_callback(postgres_template.drop, database_url)
        redis = await stack.enter_async_context(running_redis())
        settings = {**SETTINGS, "PARLEY_REDIS_URL": redis.url}
        environ = environ_of(folder / "data", database_url, **settings)
        instances = [Process(environ, folder / "data") for _ in range(3)]
        for instance in instances:
            stack.push_async_callback(instance.close)
        await asyncio.gather(*(instance.start() for instance in instances))
        ana, ben = [await instances[0].sign_up(name) for name in ("ana", "ben")]
        conversation = await ana.call("/chat", "open", user_id=ben.id)
        for person in (ana, ben):
            await person.client.close()
        yield House(instances, [ana.token, ben.token], conversation["id"])


@pytest_asyncio.fixture(
    loop_scope="module", scope="module", params=[NGINX, HAPROXY], ids=lambda kind: kind.name
)
async def proxy(request, house) -> AsyncIterator[RunningProxy]:
    ports = [instance.port for instance in house.instances]
    async with running_proxy(request.param, ports) as running:
        yield running


@pytest_asyncio.fixture(loop_scope="module")
async def visit(proxy) -> AsyncIterator[Callable[..., Any]]:
    """`await visit(address, **headers)` opens a websocket that has said nothing yet."""
    async with AsyncExitStack() as stack:

        async def open_one(address: str = "", **headers: str) -> Client:
            visitor = Visitor(proxy, address or fresh_address(), **headers)
            stack.push_async_callback(visitor.close)
            return await visitor.open()

        yield open_one


class Crowd:
    """People with the official client, who come one by one and leave together."""

    def __init__(self, house: House, proxy: RunningProxy) -> None:
        self.callers: list[Caller] = []
        self.house = house
        self._proxy = proxy

    async def come(self, *ways: str, cookies: bool = False) -> list[Caller]:
        """More of them, by these transports; all who are there now."""
        places = range(len(self.callers), len(self.callers) + len(ways))
        tokens = [self.house.tokens[place % 2] for place in places]
        fresh = [Caller(self._proxy, *pair) for pair in zip(tokens, ways, strict=True)]
        self.callers += fresh
        await asyncio.gather(*(caller.start(cookies=cookies) for caller in fresh))
        return self.callers

    async def come_to_several(self, *ways: str, cookies: bool = False) -> list[Caller]:
        """So many more that they are on two instances at least."""
        await self.come(*ways, cookies=cookies)
        while sum(count > 0 for count in await self.house.connections()) < 2:
            assert len(self.callers) < 16, "all came to one instance"
            await self.come(ways[0], cookies=cookies)
        return self.callers

    async def leave(self) -> None:
        await asyncio.gather(*(caller.close() for caller in self.callers))


@pytest_asyncio.fixture(loop_scope="module")
async def crowd(house, proxy) -> AsyncIterator[Crowd]:
    await until(lambda: is_nobody_there(house))
    crowd = Crowd(house, proxy)
    yield crowd
    await crowd.leave()


async def is_nobody_there(house: House) -> bool:
    return not any(await house.connections())


async def say_in_turn(crowd: Crowd, rounds: int) -> list[str]:
    """Everybody sends, one after the other; what was said, in order."""
    said = []
    for number in range(rounds):
        for place, caller in enumerate(crowd.callers):
            text = f"{number} of {place}"
            message = {"client_id": f"{caller.address} {number}", "text": text}
            await caller.call("send", conversation_id=crowd.house.conversation_id, **message)
            said.append(text)
    return said


async def test_everybody_keeps_their_session_and_hears_who_is_on_other_instances(crowd):
    callers = await crowd.come_to_several(*WAYS, *WAYS)
    said = await say_in_turn(crowd, 4)
    for caller in callers:
        await caller.until(lambda c=caller: len(c.texts()) >= len(said))
        assert caller.texts() == said
        assert (caller.all("gone"), caller.all("refused")) == ([], [])


async def test_a_browser_goes_by_the_cookie_of_its_page_whatever_its_address(proxy):
    async with http_from(fresh_address(), proxy) as http, http.get(proxy.url) as page:
        kept = page.cookies["parley"]
    assert kept["secure"]
    assert kept["httponly"]
    assert (kept["samesite"], kept["path"]) == ("Lax", "/")
    session = await Poller(proxy, Cookie=f"parley={kept.value}").open(fresh_address())
    for _ in range(6):
        await session.post(fresh_address(), "3")
    await session.close(fresh_address())


async def busiest(house: House) -> Process:
    counts = await house.connections()
    return house.instances[counts.index(max(counts))]


async def test_who_was_on_an_instance_that_died_goes_on_at_another(house, proxy, crowd):
    callers = await crowd.come_to_several(*WAYS, "polling")
    victim = await busiest(house)
    witness = next(one for one in house.instances if one is not victim)
    await house.say(witness, "before")
    for caller in callers:
        await caller.until(lambda c=caller: c.texts())
    victim.kill()
    await house.say(witness, "while some are away", "and more")
    for caller in callers:
        await caller.until(lambda c=caller: len(c.texts()) >= 3)
        assert caller.texts() == ["before", "while some are away", "and more"]
    assert any(caller.all("gone") for caller in callers)
    await come_back(victim, proxy, crowd)


async def test_one_that_drains_gets_nobody_new_and_keeps_those_it_has(house, proxy, crowd, visit):
    await crowd.come("polling", cookies=True)
    victim = await busiest(house)
    await crowd.come_to_several(*WAYS, cookies=True)
    there, logged = await connections_of(victim), len(proxy.log)
    victim.drain()
    await until(lambda: is_refusing(victim))
    for _ in range(6):  # some before the proxy looks at how it is
        newcomer = await visit()
        await newcomer.enter("/consultants")
    await noticed(proxy, "is DOWN", logged)
    callers = await crowd.come("polling", "polling,websocket")
    assert await connections_of(victim) == there
    said = await say_in_turn(crowd, 2)
    for caller in callers:
        await caller.until(lambda c=caller: len(c.texts()) >= len(said))
        assert caller.texts() == said
        assert caller.all("gone") == []
    await asyncio.to_thread(victim.stop)  # told again, it drains no longer
    await house.say(next(one for one in house.instances if one is not victim), "the last")
    for caller in callers:
        await caller.until(lambda c=caller: len(c.texts()) > len(said))
        assert caller.texts() == [*said, "the last"]
    await come_back(victim, proxy, crowd)


async def come_back(victim: Process, proxy: RunningProxy, crowd: Crowd) -> None:
    """After everybody has left: some would have to move to it."""
    await crowd.leave()
    logged = len(proxy.log)
    await victim.start()
    await noticed(proxy, "is UP", logged)


async def noticed(proxy: RunningProxy, words: str, since: int = 0) -> None:
    """HAProxy asks the instances how they are, and says so; nginx does not ask."""
    await until(lambda: proxy.name == "nginx" or words in proxy.log[since:])


async def is_refusing(instance: Process) -> bool:
    async with (
        aiohttp.ClientSession() as http,
        http.get(f"{instance.url}/health/ready") as answer,
    ):
        return answer.status == 503


@pytest.mark.parametrize("kind", [NGINX, HAPROXY], ids=lambda kind: kind.name)
async def test_all_are_used_when_none_is_ready(kind, aiohttp_server):
    async def answer(request: web.Request) -> web.Response:
        return web.Response(status=503 if request.path == "/health/ready" else 200)

    app = web.Application()
    app.router.add_get("/{path:.*}", answer)
    port = (await aiohttp_server(app)).port
    async with running_proxy(kind, [port] * 3) as proxy:
        await noticed(proxy, "backend 'ready' has no server available")
        async with http_from(fresh_address(), proxy) as http, http.get(proxy.url) as page:
            assert page.status == 200


async def test_what_is_not_for_everybody_is_not_served(proxy):
    async with http_from(fresh_address(), proxy) as http:
        for path in ("/metrics", "/%6detrics", "/metrics?x"):
            async with http.get(aiohttp.client.URL(proxy.url + path, encoded=True)) as answer:
                assert answer.status == 404, path
        async with http.post(proxy.url + POLLING, data="4" * 65_537) as answer:
            assert answer.status == 413
        async with http.get(f"{proxy.plain_url}/x?y", allow_redirects=False) as answer:
            assert answer.status == 308
            assert answer.headers["Location"].startswith("https://127.0.0.1")
            assert answer.headers["Location"].endswith("/x?y")
        async with http.get(proxy.url) as page:
            assert page.headers["Strict-Transport-Security"]


async def test_a_file_in_the_instances_folder_is_brought_and_fetched(proxy, house):
    content = b"words " * 50_000
    begin = {"name": "notes.txt", "content_type": "text/plain", "size": len(content)}
    begin["sha256"] = hashlib.sha256(content).hexdigest()
    signed_in = {"Authorization": f"Bearer {house.tokens[0]}"}
    async with http_from(fresh_address(), proxy) as http:
        async with http.post(f"{proxy.url}/uploads", json=begin, headers=signed_in) as answer:
            upload = await answer.json()
        place, headers = proxied(proxy, upload["put"]["url"]), upload["put"]["headers"]
        async with http.put(place, data=content, headers=headers) as answer:
            assert answer.status == 200
        complete = f"{proxy.url}/uploads/{upload['id']}/complete"
        async with http.post(complete, headers=signed_in) as answer:
            ready = await answer.json()
        async with http.get(proxied(proxy, ready["url"])) as answer:
            assert await answer.read() == content
        headers = {**headers, "Content-Length": "21000000"}
        async with http.put(place, headers=headers) as answer:
            assert answer.status == 413


def proxied(proxy: RunningProxy, address: str) -> URL:
    """An address of the public URL, at this proxy."""
    return URL(address.replace(PUBLIC_URL, proxy.url), encoded=True)


async def test_what_an_instance_would_not_unpack_is_not_passed_on(proxy):
    async with http_from(fresh_address(), proxy) as http:
        for encoding, status in (("gzip", 415), ("br, gzip", 415), ("x", 415), ("identity", 401)):
            headers = {"Content-Encoding": encoding}
            async with http.post(f"{proxy.url}/uploads", data=b"{}", headers=headers) as answer:
                assert answer.status == status, encoding


async def test_a_body_that_does_not_come_is_not_waited_for(proxy):
    async def slow():
        yield b"4"
        await asyncio.Event().wait()

    headers = {"Content-Length": "100"}
    async with http_from(fresh_address(), proxy) as http:
        began = asyncio.get_running_loop().time()
        with contextlib.suppress(aiohttp.ServerDisconnectedError):  # which is an answer, too
            async with http.post(proxy.url + POLLING, data=slow(), headers=headers) as answer:
                assert answer.status == 408
        assert asyncio.get_running_loop().time() - began < BODY_WITHIN_S + 8


async def test_the_page_may_connect_and_other_pages_may_not(proxy, visit):
    await (await visit(Origin=PUBLIC_URL)).enter("/consultants")
    for origin in ("https://elsewhere.example", proxy.url):  # that the Host is the same is nothing
        with pytest.raises(aiohttp.WSServerHandshakeError) as refused:
            await visit(Origin=origin)
        assert refused.value.status == 400


async def test_an_address_may_ask_so_much_and_others_are_not_held_up(proxy):
    greedy = fresh_address()
    async with http_from(greedy, proxy) as http:

        async def ask() -> int:
            async with http.get(f"{proxy.url}/health/live") as answer:
                return answer.status

        first = [await ask() for _ in range(3)]
        statuses = []
        for _ in range(REQUESTS_MAX // 10):
            statuses += await asyncio.gather(*(ask() for _ in range(20)))
    assert first == [200] * 3
    assert set(statuses) == {200, 429}
    assert statuses.count(200) >= REQUESTS_MAX - 3
    async with http_from(fresh_address(), proxy) as http:
        assert (await http.get(f"{proxy.url}/health/live")).status == 200


async def test_an_address_may_connect_so_often_and_others_are_not_held_up(visit):
    greedy = fresh_address()
    for _ in range(CONNECTIONS_MAX):
        await visit(greedy)
    with pytest.raises(aiohttp.WSServerHandshakeError) as refused:
        await visit(greedy)
    assert refused.value.status == 429
    await visit()


async def test_the_instances_count_by_the_clients_address_whatever_it_says_of_itself(proxy):
    liar = fresh_address()
    codes = [await log_in(proxy, liar, f"203.0.113.{n}") for n in range(ATTEMPTS + 1)]
    assert codes == ["CREDENTIALS_WRONG"] * ATTEMPTS + ["RATE_LIMITED"]
    assert await log_in(proxy, fresh_address(), liar) == "CREDENTIALS_WRONG"


async def log_in(proxy: RunningProxy, address: str, claimed: str = "") -> str:
    """The code of the answer to a wrong password; by polling, which keeps to one instance."""
    session = await Poller(proxy, **{"X-Forwarded-For": claimed}).open(address)
    nobody = f"nobody-{secrets.token_hex(4)}@example.org"  # tries are counted by account too
    command = json.dumps(["login", {"email": nobody, "password": "wrong"}])
    await session.post(address, "40/auth,", f"42/auth,1{command}")
    while True:
        for packet in await session.get(address):
            if packet.startswith("43/auth,1"):
                await session.close(address)
                code: str = json.loads(packet.removeprefix("43/auth,1"))[0]["error"]["code"]
                return code
