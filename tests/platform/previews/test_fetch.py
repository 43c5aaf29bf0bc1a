"""Pages are fetched from public addresses only, with limits on time, size and concurrency."""

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
PERSON_ID = "ana"
PUBLIC = "93.184.215.14"


@asynccontextmanager
async def client_of(web: Web, **rules) -> AsyncIterator[PublicWeb]:
    client = web.client(**rules)
    yield client
    await client.stop()


async def refusal(client: PublicWeb, url: str) -> str:
    with pytest.raises(NoPage) as raised:
        await client.get_page(PERSON_ID, url)
    return str(raised.value)


async def test_a_page_is_fetched_with_one_request_without_credentials(web: Web, monkeypatch):
    monkeypatch.setenv("HTTPS_PROXY", "http://127.0.0.1:9")
    web.pages["/a?b=c"] = said(GOOD_HTML, headers="Set-Cookie: id=1; Path=/\r\n")
    async with client_of(web) as client:
        assert await client.get_page(PERSON_ID, web.url("/a?b=c#part")) == GOOD
        assert await client.get_page(PERSON_ID, web.url("/a?b=c")) == GOOD
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
async def test_only_https_urls_on_the_allowed_port_without_credentials_are_fetched(
    web: Web, url: str
):
    web.pages["/"] = said(GOOD_HTML)
    async with client_of(web) as client:
        await refusal(client, url.format(port=web.port))
    assert (web.connections, web.looked_up) == (0, [])


@pytest.mark.parametrize("status", ["301 Moved", "302 Found", "303 See", "307 T", "308 P"])
async def test_redirects_are_not_followed(web: Web, status: str):
    web.pages["/"] = said(GOOD_HTML, status=status, headers="Location: /there\r\n")
    web.pages["/there"] = said(GOOD_HTML)
    async with client_of(web) as client:
        assert status[:3] in await refusal(client, web.url())
    assert len(web.asked) == 1


@pytest.mark.parametrize("status", ["204 No", "206 Part", "403 No", "404 No", "500 No", "101 Up"])
async def test_only_a_200_response_is_accepted(web: Web, status: str):
    web.pages["/"] = said(GOOD_HTML, status=status)
    async with client_of(web) as client:
        await refusal(client, web.url())


@pytest.mark.parametrize(
    "content_type", ["text/plain", "application/json", "image/svg+xml", "text/htmlx", ""]
)
async def test_only_html_is_accepted(web: Web, content_type: str):
    web.pages["/"] = said(GOOD_HTML, content_type=content_type)
    async with client_of(web) as client:
        await refusal(client, web.url())


SPECIAL_PURPOSE_ADDRESSES = [
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


@pytest.mark.parametrize("address", SPECIAL_PURPOSE_ADDRESSES)
def test_special_purpose_addresses_are_not_public(address: str):
    assert not is_public(address)


@pytest.mark.parametrize("address", [PUBLIC, "1.1.1.1", "2606:4700::1111", "2a00:1450::1"])
def test_global_addresses_are_public(address: str):
    assert is_public(address)


@pytest.mark.parametrize(
    "host",
    ["127.0.0.1", "[::1]", "[::ffff:127.0.0.1]", "2130706433", "0x7f000001", "127.1", "0177.0.0.1",
     "localhost", "localhost."],
)  # fmt: skip
async def test_a_literal_address_that_is_not_public_is_refused(web: Web, host: str):
    web.pages["/"] = said(GOOD_HTML)
    web.names |= {"localhost": [LOOPBACK], "localhost.": [LOOPBACK]}
    async with client_of(web, allows=is_public) as client:
        await refusal(client, web.url(host=host))
    assert web.connections == 0


@pytest.mark.parametrize(
    "addresses",
    [[LOOPBACK], [PUBLIC, LOOPBACK], [LOOPBACK, PUBLIC], [PUBLIC, "::1"], [], [PUBLIC] * 99],
)
async def test_a_host_with_any_address_that_is_not_public_is_refused(
    web: Web, addresses: list[str]
):
    web.names[HOST] = addresses
    async with client_of(web, allows=is_public) as client:
        assert await refusal(client, web.url()) == "ClientConnectorDNSError"
    assert (web.connections, web.looked_up) == (0, [HOST])


async def test_the_default_client_refuses_hosts_that_resolve_to_loopback():
    assert LOOPBACK in await fetch.resolve("localhost")
    client = PublicWeb("Parley tests", Sandbox(Metrics(), READERS))
    assert await refusal(client, "https://localhost/") == "ClientConnectorDNSError"
    assert await refusal(client, f"https://{LOOPBACK}/") == "not public"
    await client.stop()


async def test_each_fetch_resolves_and_checks_the_host_again(web: Web):
    """Neither DNS answers nor connections are reused."""
    inside = "127.0.0.2"
    web.pages["/"] = said(GOOD_HTML)
    async with client_of(web) as client:
        assert await client.get_page(PERSON_ID, web.url()) == GOOD
        web.names[HOST] = [inside]
        await refusal(client, web.url())
    assert (web.connections, web.looked_up) == (1, [HOST, HOST])


async def test_a_host_is_resolved_once_per_fetch(web: Web):
    """This prevents DNS rebinding between the check and the connection."""
    answers = iter([[LOOPBACK], ["10.0.0.1"]])
    web.pages["/"] = said(GOOD_HTML)

    async def resolve_differently(host: str) -> list[str]:
        web.looked_up.append(host)
        return next(answers)

    client = PublicWeb(
        "x",
        web.sandbox,
        allows=lambda one: one == LOOPBACK,
        tls=web.tls,
        port=web.port,
        names=resolve_differently,
    )
    assert await client.get_page(PERSON_ID, web.url()) == GOOD
    await client.stop()
    assert web.looked_up == [HOST]


async def test_the_address_is_checked_again_when_connecting(web: Web):
    """The second check refuses the address even if the first one was passed."""
    looks = iter([True, False])
    web.pages["/"] = said(GOOD_HTML)
    async with client_of(web, allows=lambda address: next(looks)) as client:
        assert await refusal(client, web.url()) == "ClientConnectorError"
    assert web.connections == 0


async def test_a_certificate_for_another_host_is_refused(web: Web):
    web.pages["/"] = said(GOOD_HTML)
    web.names["page.wrong"] = [LOOPBACK]
    async with client_of(web) as client:
        refused = await refusal(client, web.url(host="page.wrong"))
    assert (refused, web.asked) == ("ClientConnectorCertificateError", [])


async def test_an_untrusted_certificate_is_refused(web: Web):
    web.pages["/"] = said(GOOD_HTML)
    web.tls = ssl.create_default_context()
    async with client_of(web) as client:
        refused = await refusal(client, web.url())
    assert (refused, web.asked) == ("ClientConnectorCertificateError", [])


async def test_a_gzip_page_is_decompressed(web: Web):
    web.pages["/"] = said(gzip.compress(GOOD_HTML), headers="Content-Encoding: gzip\r\n")
    async with client_of(web) as client:
        assert await client.get_page(PERSON_ID, web.url()) == GOOD


async def test_a_gzip_bomb_is_decompressed_only_up_to_the_limit(web: Web, monkeypatch):
    bomb = gzip.compress(GOOD_HTML + b" " * 50_000_000)
    read, run = [], web.sandbox.run

    async def run_and_note(person_id, reader, content, *args):
        read.append(len(content))
        return await run(person_id, reader, content, *args)

    monkeypatch.setattr(web.sandbox, "run", run_and_note)
    web.pages["/"] = said(bomb, headers="Content-Encoding: gzip\r\n")
    async with client_of(web) as client:
        await client.get_page(PERSON_ID, web.url())
    assert read == [READ_MAX]


@pytest.mark.parametrize("encoding", ["br", "deflate", "gzip, gzip", "zstd", "gzip"])
async def test_other_content_encodings_are_refused(web: Web, encoding: str):
    """The last one declares gzip for content that is not compressed."""
    web.pages["/"] = said(GOOD_HTML, headers=f"Content-Encoding: {encoding}\r\n")
    async with client_of(web) as client:
        await refusal(client, web.url())


async def test_an_endless_page_is_read_up_to_the_limit(web: Web):
    sent = 0

    async def endless() -> AsyncIterator[bytes]:
        nonlocal sent
        yield b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\n\r\n" + GOOD_HTML
        while True:
            yield b"a" * 65_536
            sent += 65_536

    web.pages["/"] = endless
    async with client_of(web) as client:
        assert await client.get_page(PERSON_ID, web.url()) == GOOD
        await until(lambda: web.asked)
    assert sent < 20 * READ_MAX


@pytest.mark.parametrize("part", ["head", "body"])
async def test_a_slow_response_times_out(web: Web, monkeypatch, part: str):
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


async def test_a_silent_resolver_times_out(web: Web, monkeypatch):
    monkeypatch.setattr(fetch, "WITHIN_S", 0.2)

    async def never_answer(host: str) -> list[str]:
        await asyncio.Event().wait()
        return []

    client = PublicWeb("x", web.sandbox, tls=web.tls, port=web.port, names=never_answer)
    assert await refusal(client, web.url()) == "TimeoutError"
    await client.stop()


@pytest.mark.parametrize(
    "headers",
    ["X: " + "a" * 20_000 + "\r\n", "a" * 20_000 + ": x\r\n", "X-Some: x\r\n" * 5_000],
)
async def test_oversized_headers_are_refused(web: Web, headers: str):
    web.pages["/"] = said(GOOD_HTML, headers=headers)
    async with client_of(web) as client:
        await refusal(client, web.url())


@pytest.mark.parametrize(
    "answer",
    [b"", b"\r\n\r\n", b"garbage\r\n\r\n", b"HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n",
     b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
     b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: 9999\r\n\r\n<title>a"],
)  # fmt: skip
async def test_malformed_responses_are_refused(web: Web, answer: bytes):
    web.pages["/"] = answer
    async with client_of(web) as client:
        await refusal(client, web.url())


async def test_fetches_over_the_concurrency_limit_are_refused_immediately(web: Web):
    held = asyncio.Event()

    async def holding() -> AsyncIterator[bytes]:
        await held.wait()
        yield said(GOOD_HTML)

    web.pages["/"] = holding
    async with client_of(web) as client:
        waiting = [
            asyncio.create_task(client.get_page(PERSON_ID, web.url()))
            for _ in range(CONCURRENT_FETCHES_MAX)
        ]
        await until(lambda: len(web.asked) == CONCURRENT_FETCHES_MAX)
        assert await refusal(client, web.url()) == "too many at once"
        held.set()
        assert await asyncio.gather(*waiting) == [GOOD] * CONCURRENT_FETCHES_MAX


async def test_a_busy_sandbox_is_not_reported_as_a_missing_page(web: Web, monkeypatch):
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
                    await client.get_page(PERSON_ID, web.url())
            assert await client.get_page(PERSON_ID, web.url()) == GOOD


async def test_a_page_is_parsed_in_the_sandbox(web: Web):
    web.pages["/"] = said(GOOD_HTML)
    async with client_of(web) as client:
        await client.get_page(PERSON_ID, web.url())
    assert web.sandbox.pid
