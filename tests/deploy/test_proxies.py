"""nginx and HAProxy, run with the files of deploy/, in front of three instances."""

import asyncio
import contextlib
import hashlib
import io
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

from server.bodies import BODY_MAX
from server.posts import POSTED_MAX
from tests.deploy.outside import ChatClient, Poller, Visitor, fresh_address, http_from
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
"""Attempts to sign in or sign up, per address and minute."""
PUBLIC_URL = "https://parley.example.com"
SETTINGS = {
    "PARLEY_PUBLIC_URL": PUBLIC_URL,
    "PARLEY_LIMITS": "default",
    "PARLEY_ATTEMPTS_PER_MINUTE": str(ATTEMPTS),
    "PARLEY_CONNECTIONS_PER_S": "1000",  # these tests check the limits of the proxies
    "PARLEY_MESSAGES_BURST": "1000",
    "PARLEY_SOCKETS_PER_PERSON": "100",
    "PARLEY_TRUSTED_PROXIES": "127.0.0.1",
    "PARLEY_DRAIN_S": "3600",  # a drain lasts longer than any test
}
POLLING = "/socket.io/?EIO=4&transport=polling"
TRANSPORTS = ("polling", "polling,websocket", "websocket")

pytestmark = pytest.mark.asyncio(loop_scope="module")


@dataclass
class Cluster:
    """Three instances, and two users with a conversation."""

    instances: list[Process]
    tokens: list[str]
    conversation_id: str

    async def connections(self) -> list[int]:
        """The number of connections of each instance."""
        return [await connections_of(instance) for instance in self.instances]

    async def say(self, by: Process, *texts: str) -> None:
        """Send messages of the second user directly to one instance."""
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
async def cluster(postgres_template, tmp_path_factory) -> AsyncIterator[Cluster]:
    folder = tmp_path_factory.mktemp("cluster")
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
        yield Cluster(instances, [ana.token, ben.token], conversation["id"])


@pytest_asyncio.fixture(
    loop_scope="module", scope="module", params=[NGINX, HAPROXY], ids=lambda kind: kind.name
)
async def proxy(request, cluster) -> AsyncIterator[RunningProxy]:
    ports = [instance.port for instance in cluster.instances]
    async with running_proxy(request.param, ports) as running:
        yield running


@pytest_asyncio.fixture(loop_scope="module")
async def visit(proxy) -> AsyncIterator[Callable[..., Any]]:
    """`await visit(address, **headers)` opens a websocket and sends nothing on it."""
    async with AsyncExitStack() as stack:

        async def open_one(address: str = "", **headers: str) -> Client:
            visitor = Visitor(proxy, address or fresh_address(), **headers)
            stack.push_async_callback(visitor.close)
            return await visitor.open()

        yield open_one


class Crowd:
    """Users with the official client, who connect in groups and disconnect together."""

    def __init__(self, cluster: Cluster, proxy: RunningProxy) -> None:
        self.clients: list[ChatClient] = []
        self.cluster = cluster
        self._proxy = proxy

    async def connect(self, *transports: str, cookies: bool = False) -> list[ChatClient]:
        """Connect a client for each of these transports, and return all clients."""
        indexes = range(len(self.clients), len(self.clients) + len(transports))
        tokens = [self.cluster.tokens[index % 2] for index in indexes]
        fresh = [ChatClient(self._proxy, *pair) for pair in zip(tokens, transports, strict=True)]
        self.clients += fresh
        await asyncio.gather(*(client.start(cookies=cookies) for client in fresh))
        return self.clients

    async def connect_to_several(self, *transports: str, cookies: bool = False) -> list[ChatClient]:
        """Connect clients until at least two instances have some."""
        await self.connect(*transports, cookies=cookies)
        while sum(count > 0 for count in await self.cluster.connections()) < 2:
            assert len(self.clients) < 16, "all clients are on one instance"
            await self.connect(transports[0], cookies=cookies)
        return self.clients

    async def disconnect(self) -> None:
        await asyncio.gather(*(client.close() for client in self.clients))


@pytest_asyncio.fixture(loop_scope="module")
async def crowd(cluster, proxy) -> AsyncIterator[Crowd]:
    await until(lambda: is_idle(cluster))
    crowd = Crowd(cluster, proxy)
    yield crowd
    await crowd.disconnect()


async def is_idle(cluster: Cluster) -> bool:
    return not any(await cluster.connections())


async def send_in_turn(crowd: Crowd, rounds: int) -> list[str]:
    """Let all clients send in turn, and return the texts in order."""
    sent = []
    for number in range(rounds):
        for index, client in enumerate(crowd.clients):
            text = f"{number} of {index}"
            message = {"client_id": f"{client.address} {number}", "text": text}
            await client.call("send", conversation_id=crowd.cluster.conversation_id, **message)
            sent.append(text)
    return sent


async def test_clients_stay_connected_and_get_messages_from_other_instances(crowd):
    clients = await crowd.connect_to_several(*TRANSPORTS, *TRANSPORTS)
    sent = await send_in_turn(crowd, 4)
    for client in clients:
        await client.until(lambda c=client: len(c.texts()) >= len(sent))
        assert client.texts() == sent
        assert (client.all("gone"), client.all("refused")) == ([], [])


async def test_a_cookie_keeps_a_polling_session_on_its_instance(proxy):
    async with http_from(fresh_address(), proxy) as http, http.get(proxy.url) as page:
        kept = page.cookies["parley"]
    assert kept["secure"]
    assert kept["httponly"]
    assert (kept["samesite"], kept["path"]) == ("Lax", "/")
    session = await Poller(proxy, Cookie=f"parley={kept.value}").open(fresh_address())
    for _ in range(6):
        await session.post(fresh_address(), "3")
    await session.close(fresh_address())


async def busiest(cluster: Cluster) -> Process:
    counts = await cluster.connections()
    return cluster.instances[counts.index(max(counts))]


async def test_clients_of_a_killed_instance_recover_on_another(cluster, proxy, crowd):
    clients = await crowd.connect_to_several(*TRANSPORTS, "polling")
    victim = await busiest(cluster)
    survivor = next(one for one in cluster.instances if one is not victim)
    await cluster.say(survivor, "before")
    for client in clients:
        await client.until(lambda c=client: c.texts())
    logged = len(proxy.log)
    victim.kill()
    await cluster.say(survivor, "while some are away", "and more")
    for client in clients:
        await client.until(lambda c=client: len(c.texts()) >= 3)
        assert client.texts() == ["before", "while some are away", "and more"]
    assert any(client.all("gone") for client in clients)
    await wait_for_health_log(proxy, "is DOWN", logged)  # an instance restarts within a check
    await restart_without_clients(victim, proxy, crowd)


async def test_a_draining_instance_gets_no_new_clients_and_keeps_its_own(
    cluster, proxy, crowd, visit
):
    await crowd.connect("polling", cookies=True)
    victim = await busiest(cluster)
    await crowd.connect_to_several(*TRANSPORTS, cookies=True)
    there, logged = await connections_of(victim), len(proxy.log)
    victim.drain()
    await until(lambda: is_refusing(victim))
    for _ in range(6):  # some connect before the proxy's next health check
        newcomer = await visit()
        await newcomer.enter("/consultants")
    await wait_for_health_log(proxy, "is DOWN", logged)
    clients = await crowd.connect("polling", "polling,websocket")
    assert await connections_of(victim) == there
    sent = await send_in_turn(crowd, 2)
    for client in clients:
        await client.until(lambda c=client: len(c.texts()) >= len(sent))
        assert client.texts() == sent
        assert client.all("gone") == []
    await asyncio.to_thread(victim.stop)  # a second signal ends the drain
    await cluster.say(next(one for one in cluster.instances if one is not victim), "the last")
    for client in clients:
        await client.until(lambda c=client: len(c.texts()) > len(sent))
        assert client.texts() == [*sent, "the last"]
    await restart_without_clients(victim, proxy, crowd)


async def restart_without_clients(victim: Process, proxy: RunningProxy, crowd: Crowd) -> None:
    """Restart an instance after all clients have left: some would have to move to it."""
    await crowd.disconnect()
    logged = len(proxy.log)
    await victim.start()
    await wait_for_health_log(proxy, "is UP", logged)


async def wait_for_health_log(proxy: RunningProxy, words: str, since: int = 0) -> None:
    """Wait until HAProxy logs the result of a health check; nginx has no health checks."""
    await until(lambda: proxy.name == "nginx" or words in proxy.log[since:])


async def is_refusing(instance: Process) -> bool:
    async with (
        aiohttp.ClientSession() as http,
        http.get(f"{instance.url}/health/ready") as answer,
    ):
        return answer.status == 503


@pytest.mark.parametrize("kind", [NGINX, HAPROXY], ids=lambda kind: kind.name)
async def test_all_instances_are_used_when_none_is_ready(kind, aiohttp_server):
    async def answer(request: web.Request) -> web.Response:
        return web.Response(status=503 if request.path == "/health/ready" else 200)

    app = web.Application()
    app.router.add_get("/{path:.*}", answer)
    port = (await aiohttp_server(app)).port
    async with running_proxy(kind, [port] * 3) as proxy:
        await wait_for_health_log(proxy, "backend 'ready' has no server available")
        async with http_from(fresh_address(), proxy) as http, http.get(proxy.url) as page:
            assert page.status == 200


async def test_the_proxy_hides_metrics_limits_bodies_and_redirects_to_https(proxy):
    async with http_from(fresh_address(), proxy) as http:
        for path in ("/metrics", "/%6detrics", "/metrics?x"):
            async with http.get(aiohttp.client.URL(proxy.url + path, encoded=True)) as answer:
                assert answer.status == 404, path
        for path, most in (("/uploads", BODY_MAX), (POLLING, POSTED_MAX)):
            body = io.BytesIO(b"4" * (most + 1))
            async with http.post(proxy.url + path, data=body) as answer:
                assert answer.status == 413, path
        async with http.post(proxy.url + POLLING, data="4" * (BODY_MAX + 1)) as answer:
            assert answer.status == 400, "an instance refused it"
        async with http.get(f"{proxy.plain_url}/x?y", allow_redirects=False) as answer:
            assert answer.status == 308
            assert answer.headers["Location"].startswith("https://127.0.0.1")
            assert answer.headers["Location"].endswith("/x?y")
        async with http.get(proxy.url) as page:
            assert page.headers["Strict-Transport-Security"]


async def test_a_file_is_uploaded_and_downloaded_through_the_proxy(proxy, cluster):
    content = b"words " * 50_000
    begin = {"name": "notes.txt", "content_type": "text/plain", "size": len(content)}
    begin["sha256"] = hashlib.sha256(content).hexdigest()
    signed_in = {"Authorization": f"Bearer {cluster.tokens[0]}"}
    async with http_from(fresh_address(), proxy) as http:
        async with http.post(f"{proxy.url}/uploads", json=begin, headers=signed_in) as answer:
            upload = await answer.json()
        put_url, headers = proxied(proxy, upload["put"]["url"]), upload["put"]["headers"]
        async with http.put(put_url, data=content, headers=headers) as answer:
            assert answer.status == 200
        complete = f"{proxy.url}/uploads/{upload['id']}/complete"
        async with http.post(complete, headers=signed_in) as answer:
            ready = await answer.json()
        async with http.get(proxied(proxy, ready["url"])) as answer:
            assert await answer.read() == content
        headers = {**headers, "Content-Length": "21000000"}
        async with http.put(put_url, headers=headers) as answer:
            assert answer.status == 413


def proxied(proxy: RunningProxy, address: str) -> URL:
    """The same address with the URL of this proxy instead of the public one."""
    return URL(address.replace(PUBLIC_URL, proxy.url), encoded=True)


async def test_the_proxy_refuses_encoded_bodies(proxy):
    async with http_from(fresh_address(), proxy) as http:
        for encoding, status in (("gzip", 415), ("br, gzip", 415), ("x", 415), ("identity", 401)):
            headers = {"Content-Encoding": encoding}
            async with http.post(f"{proxy.url}/uploads", data=b"{}", headers=headers) as answer:
                assert answer.status == status, encoding


async def test_an_incomplete_request_body_times_out(proxy):
    async def slow():
        yield b"4"
        await asyncio.Event().wait()

    headers = {"Content-Length": "100"}
    async with http_from(fresh_address(), proxy) as http:
        began = asyncio.get_running_loop().time()
        with contextlib.suppress(aiohttp.ServerDisconnectedError):  # also a correct answer
            async with http.post(proxy.url + POLLING, data=slow(), headers=headers) as answer:
                assert answer.status == 408
        assert asyncio.get_running_loop().time() - began < BODY_WITHIN_S + 8


async def test_only_pages_of_the_public_url_can_connect(proxy, visit):
    await (await visit(Origin=PUBLIC_URL)).enter("/consultants")
    for origin in ("https://elsewhere.example", proxy.url):  # an equal Host header does not count
        with pytest.raises(aiohttp.WSServerHandshakeError) as refused:
            await visit(Origin=origin)
        assert refused.value.status == 400


async def test_requests_are_limited_per_address(proxy):
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


async def test_connections_are_limited_per_address(visit):
    greedy = fresh_address()
    for _ in range(CONNECTIONS_MAX):
        await visit(greedy)
    with pytest.raises(aiohttp.WSServerHandshakeError) as refused:
        await visit(greedy)
    assert refused.value.status == 429
    await visit()


async def test_instances_limit_by_the_real_address_despite_forged_headers(proxy):
    forger = fresh_address()
    codes = [await log_in(proxy, forger, f"203.0.113.{n}") for n in range(ATTEMPTS + 1)]
    assert codes == ["CREDENTIALS_WRONG"] * ATTEMPTS + ["RATE_LIMITED"]
    assert await log_in(proxy, fresh_address(), forger) == "CREDENTIALS_WRONG"


async def log_in(proxy: RunningProxy, address: str, claimed: str = "") -> str:
    """The code of the answer to a wrong password; polling stays on one instance."""
    session = await Poller(proxy, **{"X-Forwarded-For": claimed}).open(address)
    nobody = f"nobody-{secrets.token_hex(4)}@example.org"  # attempts are also counted per account
    command = json.dumps(["login", {"email": nobody, "password": "wrong"}])
    await session.post(address, "40/auth,", f"42/auth,1{command}")
    while True:
        for packet in await session.get(address):
            if packet.startswith("43/auth,1"):
                await session.close(address)
                code: str = json.loads(packet.removeprefix("43/auth,1"))[0]["error"]["code"]
                return code
