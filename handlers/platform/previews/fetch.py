"""Fetches a page from an untrusted server, at a URL that an untrusted user chose.

Invariants:
- Only https, on the default port, with a valid certificate; without credentials, cookies or
  proxies. Redirects are not followed and count as failures.
- Each fetch resolves the host name once. If one of its addresses is not public, none is used. The
  client connects only to the addresses that were checked. Each address is checked again when its
  socket is created, which covers literal addresses and anything the HTTP client does by itself.
- The sandbox parses the page. This process only decompresses it and reads its headers.
- Time, bytes (as received and decompressed), headers and concurrent fetches are limited. A fetch
  over the limit is refused at once, because waiting here would delay other deliveries.
"""

import asyncio
import socket
import ssl
import zlib
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from ipaddress import ip_address
from typing import Any

import aiohttp
from aiohttp.abc import AbstractResolver, ResolveResult
from yarl import URL

from handlers.kit.errors import Refusal
from handlers.kit.sandbox import Sandbox, Unreadable
from handlers.platform.previews.addresses import is_public
from handlers.platform.previews.page import Page, read_page

WITHIN_S, READ_WITHIN_S = 6.0, 6.0
READ_MAX = 262_144
"""Bytes of a page that are read, both compressed and decompressed. The metadata of a page is at its
beginning."""
HEADER_MAX, HEADERS_MAX = 8_190, 64
CONCURRENT_FETCHES_MAX = 8
ADDRESSES_MAX = 32
HTTPS = 443
HEADERS = {"Accept": "text/html", "Accept-Encoding": "gzip"}

Allows = Callable[[str], bool]
Resolve = Callable[[str], Awaitable[list[str]]]
Unpack = Callable[[bytes, int], bytes]

_RESOLVER_THREADS = ThreadPoolExecutor(CONCURRENT_FETCHES_MAX, thread_name_prefix="names")
"""A separate pool, because a name server may be slow on purpose."""


class NoPage(Exception):
    """The page has no preview. The reason is for the log only, not for users."""


class Busy(NoPage):
    """The server is too busy to fetch or read the page now; nothing is known about the page."""


async def resolve(host: str) -> list[str]:
    """All addresses of `host`, from the resolver of the operating system."""
    loop = asyncio.get_running_loop()
    found = await loop.run_in_executor(_RESOLVER_THREADS, _look_up, host)
    return list(dict.fromkeys(str(address[0]) for *_, address in found))


def _look_up(host: str) -> list[Any]:
    return socket.getaddrinfo(host, HTTPS, type=socket.SOCK_STREAM)


class PublicWeb:
    """The client for all pages. It opens its HTTP session at the first fetch.

    `allows` is the rule for addresses, `names` the resolver. Only tests replace the defaults, to
    fetch from a server of their own.
    """

    def __init__(
        self,
        user_agent: str,
        sandbox: Sandbox,
        *,
        allows: Allows = is_public,
        tls: ssl.SSLContext | None = None,
        port: int = HTTPS,
        names: Resolve = resolve,
    ) -> None:
        self._headers = {**HEADERS, "User-Agent": user_agent}
        self._sandbox = sandbox
        self._allows = allows
        self._tls = tls
        self._port = port
        self._names = names
        self._slots = asyncio.Semaphore(CONCURRENT_FETCHES_MAX)
        self._session: aiohttp.ClientSession | None = None

    async def stop(self) -> None:
        if self._session is not None:
            await self._session.close()

    async def get_page(self, person_id: str, address: str) -> Page:
        """Fetch and parse the page at `address`, which this user linked to; raises NoPage."""
        if self._slots.locked():
            raise Busy("too many at once")
        try:
            async with self._slots:
                async with asyncio.timeout(WITHIN_S):
                    content, charset = await self._fetch(URL(address))
                return await self._read(person_id, content, charset)
        except NoPage:
            raise
        except Exception as error:  # an untrusted server can make the client raise anything
            raise NoPage(type(error).__name__) from error

    async def _fetch(self, url: URL) -> tuple[bytes, str | None]:
        self._check(url)
        session = self._session = self._session or self._make_session()
        async with session.get(url, headers=self._headers, allow_redirects=False) as answer:
            if answer.status != 200:
                raise NoPage(f"status {answer.status}")
            if answer.content_type != "text/html":
                raise NoPage("not HTML")
            return await _read(answer), answer.charset

    async def _read(self, person_id: str, content: bytes, charset: str | None) -> Page:
        """Parse a page in the sandbox; raises NoPage, and Busy when the sandbox is overloaded."""
        try:
            async with asyncio.timeout(READ_WITHIN_S):
                page = await self._sandbox.run(person_id, read_page, content, charset)
        except Unreadable as error:
            raise NoPage(str(error)) from None
        except (Refusal, TimeoutError) as error:
            raise Busy(type(error).__name__) from None
        if page is None:
            raise NoPage("no title")
        return page

    def _check(self, url: URL) -> None:
        """Check a URL before anything is sent; raises NoPage."""
        if url.scheme != "https" or url.port != self._port or not url.raw_host:
            raise NoPage("not https on port 443")
        if url.user is not None or url.password is not None:
            raise NoPage("credentials")
        if _is_literal(url.raw_host) and not self._allows(url.raw_host):
            raise NoPage("not public")

    def _make_session(self) -> aiohttp.ClientSession:
        connector = aiohttp.TCPConnector(
            limit=CONCURRENT_FETCHES_MAX,
            force_close=True,
            use_dns_cache=False,
            resolver=_CheckedResolver(self._names, self._allows),
            socket_factory=self._make_socket,
            ssl=self._tls or ssl.create_default_context(),
        )
        return aiohttp.ClientSession(
            connector=connector,
            cookie_jar=aiohttp.DummyCookieJar(),
            auto_decompress=False,
            trust_env=False,
            max_line_size=HEADER_MAX,
            max_field_size=HEADER_MAX,
            max_headers=HEADERS_MAX,
        )

    def _make_socket(self, found: tuple[Any, ...]) -> socket.socket:
        """Create the socket for an address; raises OSError if the address is not allowed."""
        family, kind, protocol, _, address = found
        if not self._allows(address[0]):
            raise OSError("not public")
        return socket.socket(family, kind, protocol)


class _CheckedResolver(AbstractResolver):
    """Resolves a name, and fails unless all of its addresses are allowed."""

    def __init__(self, names: Resolve, allows: Allows) -> None:
        self._names = names
        self._allows = allows

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_UNSPEC
    ) -> list[ResolveResult]:
        addresses = await self._names(host)
        if not 0 < len(addresses) <= ADDRESSES_MAX:
            raise OSError("no addresses")
        if not all(self._allows(address) for address in addresses):
            raise OSError("not public")
        return [_resolved(host, port, address) for address in addresses]

    async def close(self) -> None:
        """Nothing to close."""


def _resolved(host: str, port: int, address: str) -> ResolveResult:
    return {
        "hostname": host,
        "host": address,
        "port": port,
        "family": socket.AF_INET if ip_address(address).version == 4 else socket.AF_INET6,
        "proto": socket.IPPROTO_TCP,
        "flags": socket.AI_NUMERICHOST | socket.AI_NUMERICSERV,
    }


def _is_literal(host: str) -> bool:
    try:
        ip_address(host)
    except ValueError:
        return False
    return True


async def _read(answer: aiohttp.ClientResponse) -> bytes:
    """The first part of a page, decompressed; raises NoPage for an unsupported encoding."""
    unpack = _unpacker(answer.headers.get("Content-Encoding", "identity").lower())
    text, came = bytearray(), 0
    async for chunk in answer.content.iter_chunked(16_384):
        came += len(chunk)
        text += unpack(chunk, READ_MAX - len(text))
        if came >= READ_MAX or len(text) >= READ_MAX:
            break
    return bytes(text)


def _unpacker(encoding: str) -> Unpack:
    """A function that decompresses a chunk into at most as many bytes as its second argument, which
    is never 0."""
    if encoding == "identity":
        return lambda chunk, room: chunk[:room]
    if encoding == "gzip":
        return zlib.decompressobj(wbits=31).decompress
    raise NoPage("unsupported content encoding")
