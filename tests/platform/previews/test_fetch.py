"""A page is fetched from where everybody could fetch it, and from nowhere else."""

import asyncio
import gzip
import ssl
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from handlers import READERS
from handlers.kit.errors import RateLimited
from handlers.platform.previews import fetch
from handlers.platform.previews.addresses import is_public
from handlers.platform.previews.fetch import (
    CONCURRENT_FETCHES_MAX,
    READ_MAX,
    Busy,
    NoPage,
    PublicWeb,
)
from handlers.platform.previews.page import Page
from server.sandbox.sandbox import Sandbox
from server.telemetry import Metrics
from tests.parts.web import HOST, LOOPBACK, Web, page, said
from tests.world import until

GOOD = Page("A page", "What it is about", "The site")
GOOD_HTML = page("A page", description="What it is about", site_name="The site")
WHO = "ana"
PUBLIC = "93.184.215.14"


@asynccontextmanager
async def client_of(web: Web, **rules) -> AsyncIterator[PublicWeb]:
    client = web.client(**rules)
    yield client
    await client.stop()


async def refusal(client: PublicWeb, url: str) -> str:
    with pytest.raises(NoPage) as raised:
        await client.get_page(WHO, url)
    return str(raised.value)


async def test_a_page_is_read_by_one_plain_request(web: Web, monkeypatch):
    monkeypatch.setenv("HTTPS_PROXY", "http://127.0.0.1:9")
    web.pages["/a?b=c"] = said(GOOD_HTML, headers="Set-Cookie: id=1; Path=/\r\n")
    async with client_of(web) as client:
        assert await client.get_page(WHO, web.url("/a?b=c#part")) == GOOD
        assert await client.get_page(WHO, web.url("/a?b=c")) == GOOD
    assert web.connections == 2
    for head in web.asked:
        assert head.startswith("GET /a?b=c HTTP/1.1\r\n")
        assert "User-Agent: Parley tests\r\n" in head
        assert not {"cookie", "authorization", "referer"} & {
            line.partition(":")[0].lower() for line in head.split("\r\n")
        }


@pytest.mark.parametrize(
    "url",
    [
        "http://page.example:{port}/",
        "https://page.example/",
        "https://page.example:22/",
        "https://somebody:secret@page.example:{port}/",
        "https://somebody@page.example:{port}/",
        "ftp://page.example:{port}/",
        "https:///",
        "https://[::1/",
        "page.example",
    ],
)
async def test_only_https_at_its_own_port_without_credentials(web: Web, url: str):
    web.pages["/"] = said(GOOD_HTML)
    async with client_of(web) as client:
        await refusal(client, url.format(port=web.port))
    assert (web.connections, web.looked_up) == (0, [])


@pytest.mark.parametrize("status", ["301 Moved", "302 Found", "303 See", "307 T", "308 P"])
async def test_a_redirect_is_no_page(web: Web, status: str):
    web.pages["/"] = said(GOOD_HTML, status=status, headers="Location: /there\r\n")
    web.pages["/there"] = said(GOOD_HTML)
    async with client_of(web) as client:
        assert status[:3] in await refusal(client, web.url())
    assert len(web.asked) == 1


@pytest.mark.parametrize("status", ["204 No", "206 Part", "403 No", "404 No", "500 No", "101 Up"])
async def test_only_a_plain_answer_is_a_page(web: Web, status: str):
    web.pages["/"] = said(GOOD_HTML, status=status)
    async with client_of(web) as client:
        await refusal(client, web.url())


@pytest.mark.parametrize(
    "content_type", ["text/plain", "application/json", "image/svg+xml", "text/htmlx", ""]
)
async def test_only_html_is_a_page(web: Web, content_type: str):
    web.pages["/"] = said(GOOD_HTML, content_type=content_type)
    async with client_of(web) as client:
        await refusal(client, web.url())


NOT_PUBLIC = [
    "127.0.0.1", "127.8.8.8", "10.0.0.1", "172.16.0.1", "172.31.255.255", "192.168.1.1",
    "0.0.0.0",  # noqa: S104 - nothing is bound
    "0.1.2.3", "100.64.0.1", "100.100.100.200", "169.254.169.254", "169.254.170.2",
    "192.0.0.1", "192.0.0.192", "192.0.2.1", "192.88.99.1", "198.18.0.1", "198.51.100.7",
    "203.0.113.9", "224.0.0.1", "239.255.255.250", "240.0.0.1", "255.255.255.255",
    "168.63.129.16", "::", "::1", "::7f00:1", "::ffff:127.0.0.1", "::ffff:8.8.8.8",
    "::ffff:0:8.8.8.8", "64:ff9b::7f00:1", "64:ff9b::808:808", "64:ff9b:1::1", "100::1",
    "2001::1", "2001:0:4136:e378:8000:63bf:3fff:fdd2", "2001:2::1", "2001:10::1", "2001:20::1",
    "2001:db8::1", "2002:7f00:1::", "2002:808:808::1", "3fff::1", "5f00::1", "fc00::1",
    "fd00:ec2::254", "fd20:ce::254", "fe80::1", "fe80::1%eth0", "2606:4700::1%1", "fec0::1",
    "ff02::1", "ff0e::1", "127.1", "2130706433", "0x7f.1", "017700000001", "localhost", "",
]  # fmt: skip


@pytest.mark.parametrize("address", NOT_PUBLIC)
def test_what_is_not_global_is_not_public(address: str):
    assert not is_public(address)


@pytest.mark.parametrize("address", [PUBLIC, "1.1.1.1", "2606:4700::1111", "2a00:1450::1"])
def test_what_is_global_is_public(address: str):
    assert is_public(address)


@pytest.mark.parametrize(
    "host",
    ["127.0.0.1", "[::1]", "[::ffff:127.0.0.1]", "2130706433", "0x7f000001", "127.1", "0177.0.0.1",
     "localhost", "localhost."],
)  # fmt: skip
async def test_a_literal_that_is_not_public_is_never_connected_to(web: Web, host: str):
    web.pages["/"] = said(GOOD_HTML)
    web.names |= {"localhost": [LOOPBACK], "localhost.": [LOOPBACK]}
    async with client_of(web, allows=is_public) as client:
        await refusal(client, web.url(host=host))
    assert web.connections == 0


@pytest.mark.parametrize(
    "addresses",
    [[LOOPBACK], [PUBLIC, LOOPBACK], [LOOPBACK, PUBLIC], [PUBLIC, "::1"], [], [PUBLIC] * 99],
)
async def test_a_name_with_one_address_that_is_not_public_is_none(web: Web, addresses: list[str]):
    web.names[HOST] = addresses
    async with client_of(web, allows=is_public) as client:
        assert await refusal(client, web.url()) == "ClientConnectorDNSError"
    assert (web.connections, web.looked_up) == (0, [HOST])


async def test_as_it_is_made_for_the_server_it_refuses_what_the_machine_resolves_to_itself():
    assert LOOPBACK in await fetch.resolve("localhost")
    client = PublicWeb("Parley tests", Sandbox(Metrics(), READERS))
    assert await refusal(client, "https://localhost/") == "ClientConnectorDNSError"
    assert await refusal(client, f"https://{LOOPBACK}/") == "not public"
    await client.stop()


async def test_a_name_that_leads_elsewhere_the_next_time_is_looked_at_anew(web: Web):
    """Nothing is taken from before: neither the answer of the resolver nor a connection."""
    inside = "127.0.0.2"
    web.pages["/"] = said(GOOD_HTML)
    async with client_of(web) as client:
        assert await client.get_page(WHO, web.url()) == GOOD
        web.names[HOST] = [inside]
        await refusal(client, web.url())
    assert (web.connections, web.looked_up) == (1, [HOST, HOST])


async def test_a_name_is_asked_for_once_and_connected_to_where_that_said(web: Web):
    """Whoever answers otherwise the second time is not asked a second time."""
    answers = iter([[LOOPBACK], ["10.0.0.1"]])
    web.pages["/"] = said(GOOD_HTML)

    async def changing(host: str) -> list[str]:
        web.looked_up.append(host)
        return next(answers)

    client = PublicWeb(
        "x",
        web.sandbox,
        allows=lambda one: one == LOOPBACK,
        tls=web.tls,
        port=web.port,
        names=changing,
    )
    assert await client.get_page(WHO, web.url()) == GOOD
    await client.stop()
    assert web.looked_up == [HOST]


async def test_an_address_is_looked_at_again_as_it_is_connected_to(web: Web):
    """Were the first look passed by, the second still stands."""
    looks = iter([True, False])
    web.pages["/"] = said(GOOD_HTML)
    async with client_of(web, allows=lambda address: next(looks)) as client:
        assert await refusal(client, web.url()) == "ClientConnectorError"
    assert web.connections == 0


async def test_a_certificate_of_another_name_is_wrong(web: Web):
    web.pages["/"] = said(GOOD_HTML)
    web.names["page.wrong"] = [LOOPBACK]
    async with client_of(web) as client:
        refused = await refusal(client, web.url(host="page.wrong"))
    assert (refused, web.asked) == ("ClientConnectorCertificateError", [])


async def test_a_certificate_that_nobody_vouches_for_is_wrong(web: Web):
    web.pages["/"] = said(GOOD_HTML)
    web.tls = ssl.create_default_context()
    async with client_of(web) as client:
        refused = await refusal(client, web.url())
    assert (refused, web.asked) == ("ClientConnectorCertificateError", [])


async def test_a_packed_page_is_unpacked(web: Web):
    web.pages["/"] = said(gzip.compress(GOOD_HTML), headers="Content-Encoding: gzip\r\n")
    async with client_of(web) as client:
        assert await client.get_page(WHO, web.url()) == GOOD


async def test_of_what_swells_no_more_is_unpacked_than_is_read(web: Web, monkeypatch):
    bomb = gzip.compress(GOOD_HTML + b" " * 50_000_000)
    read, run = [], web.sandbox.run

    async def run_and_note(person_id, reader, content, *args):
        read.append(len(content))
        return await run(person_id, reader, content, *args)

    monkeypatch.setattr(web.sandbox, "run", run_and_note)
    web.pages["/"] = said(bomb, headers="Content-Encoding: gzip\r\n")
    async with client_of(web) as client:
        await client.get_page(WHO, web.url())
    assert read == [READ_MAX]


@pytest.mark.parametrize("encoding", ["br", "deflate", "gzip, gzip", "zstd", "gzip"])
async def test_what_is_packed_in_another_way_is_no_page(web: Web, encoding: str):
    """The last of them says gzip and is none."""
    web.pages["/"] = said(GOOD_HTML, headers=f"Content-Encoding: {encoding}\r\n")
    async with client_of(web) as client:
        await refusal(client, web.url())


async def test_a_page_without_end_is_read_to_the_bound(web: Web):
    sent = 0

    async def endless() -> AsyncIterator[bytes]:
        nonlocal sent
        yield b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\n\r\n" + GOOD_HTML
        while True:
            yield b"a" * 65_536
            sent += 65_536

    web.pages["/"] = endless
    async with client_of(web) as client:
        assert await client.get_page(WHO, web.url()) == GOOD
        await until(lambda: web.asked)
    assert sent < 20 * READ_MAX


@pytest.mark.parametrize("part", ["head", "body"])
async def test_a_slow_drip_ends_in_time(web: Web, monkeypatch, part: str):
    monkeypatch.setattr(fetch, "WITHIN_S", 0.3)
    begin = b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\n"

    async def dripping() -> AsyncIterator[bytes]:
        yield begin + (b"" if part == "head" else b"\r\n")
        while True:
            yield b"X" if part == "body" else b"X: y\r\n"
            await asyncio.sleep(0.02)

    web.pages["/"] = dripping
    async with client_of(web) as client:
        began = time.monotonic()
        assert await refusal(client, web.url()) == "TimeoutError"
    assert time.monotonic() - began < 3


async def test_a_resolver_that_does_not_answer_ends_in_time(web: Web, monkeypatch):
    monkeypatch.setattr(fetch, "WITHIN_S", 0.2)

    async def silent(host: str) -> list[str]:
        await asyncio.Event().wait()
        return []

    client = PublicWeb("x", web.sandbox, tls=web.tls, port=web.port, names=silent)
    assert await refusal(client, web.url()) == "TimeoutError"
    await client.stop()


@pytest.mark.parametrize(
    "headers",
    ["X: " + "a" * 20_000 + "\r\n", "a" * 20_000 + ": x\r\n", "X-Some: x\r\n" * 5_000],
)
async def test_headers_without_measure_are_no_page(web: Web, headers: str):
    web.pages["/"] = said(GOOD_HTML, headers=headers)
    async with client_of(web) as client:
        await refusal(client, web.url())


@pytest.mark.parametrize(
    "answer",
    [b"", b"\r\n\r\n", b"garbage\r\n\r\n", b"HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n",
     b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
     b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: 9999\r\n\r\n<title>a"],
)  # fmt: skip
async def test_what_is_no_answer_is_no_page(web: Web, answer: bytes):
    web.pages["/"] = answer
    async with client_of(web) as client:
        await refusal(client, web.url())


async def test_beyond_so_many_at_a_time_nobody_waits(web: Web):
    held = asyncio.Event()

    async def holding() -> AsyncIterator[bytes]:
        await held.wait()
        yield said(GOOD_HTML)

    web.pages["/"] = holding
    async with client_of(web) as client:
        waiting = [
            asyncio.create_task(client.get_page(WHO, web.url()))
            for _ in range(CONCURRENT_FETCHES_MAX)
        ]
        await until(lambda: len(web.asked) == CONCURRENT_FETCHES_MAX)
        assert await refusal(client, web.url()) == "too many at once"
        held.set()
        assert await asyncio.gather(*waiting) == [GOOD] * CONCURRENT_FETCHES_MAX


async def test_a_sandbox_that_others_hold_says_nothing_of_the_page(web: Web, monkeypatch):
    async def hold(*_: object) -> None:
        await asyncio.Event().wait()

    async def refuse(*_: object) -> None:
        raise RateLimited

    web.pages["/"] = said(GOOD_HTML)
    for run in (hold, refuse):
        async with client_of(web) as client:
            with monkeypatch.context() as patched:
                patched.setattr(web.sandbox, "run", run)
                patched.setattr(fetch, "READ_WITHIN_S", 0.1)
                with pytest.raises(Busy):
                    await client.get_page(WHO, web.url())
            assert await client.get_page(WHO, web.url()) == GOOD


async def test_a_page_is_read_in_the_sandbox(web: Web):
    web.pages["/"] = said(GOOD_HTML)
    async with client_of(web) as client:
        await client.get_page(WHO, web.url())
    assert web.sandbox.pid
