"""How a page is fetched that a stranger named, from a server that may be anybody's.

Invariants:
- Only https, only its own port, only with a certificate that is right; no credentials, cookies,
  proxies or redirects. A redirect is no page.
- A name is asked for once a fetch. If one of its addresses is not public, none is used. What is
  connected to are the very addresses that were looked at, and each is looked at again as its socket
  is made, so that literals and whatever the client does inside pass the same rule.
- The page itself is read in the sandbox; this process unpacks it and looks at its headers.
- Time, bytes (as they come, and unpacked), headers and fetches at a time are bounded. Who finds no
  place is refused at once: waiting here would hold up others who have something to send.
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
"""So much of a page is read, packed and unpacked: what it says of itself is at its beginning."""
HEADER_MAX, HEADERS_MAX = 8_190, 64
AT_A_TIME = 8
ADDRESSES_MAX = 32
HTTPS = 443
HEADERS = {"Accept": "text/html", "Accept-Encoding": "gzip"}

Allows = Callable[[str], bool]
Resolve = Callable[[str], Awaitable[list[str]]]
Unpack = Callable[[bytes, int], bytes]

_RESOLVING = ThreadPoolExecutor(AT_A_TIME, thread_name_prefix="names")
"""Its own threads, for a name server may be slow on purpose."""


class NoPage(Exception):
    """There is nothing that can be shown; why is nobody's business but the log's."""


class Busy(NoPage):
    """So many are fetched already; it says nothing of the page."""


async def resolve(host: str) -> list[str]:
    """All addresses that the machine's resolver has for `host`."""
    loop = asyncio.get_running_loop()
    found = await loop.run_in_executor(_RESOLVING, _look_up, host)
    return list(dict.fromkeys(str(address[0]) for *_, address in found))


def _look_up(host: str) -> list[Any]:
    return socket.getaddrinfo(host, HTTPS, type=socket.SOCK_STREAM)


class PublicWeb:
    """One client for all pages, made when it is first needed.

    `allows` is the rule for addresses; it, `tls`, `port` and `names` are others than these only
    for a server of somebody's own.
    """

    def __init__(
        self,
        called: str,
        sandbox: Sandbox,
        *,
        allows: Allows = is_public,
        tls: ssl.SSLContext | None = None,
        port: int = HTTPS,
        names: Resolve = resolve,
    ) -> None:
        self._headers = {**HEADERS, "User-Agent": called}
        self._sandbox = sandbox
        self._allows = allows
        self._tls = tls
        self._port = port
        self._names = names
        self._slots = asyncio.Semaphore(AT_A_TIME)
        self._session: aiohttp.ClientSession | None = None

    async def stop(self) -> None:
        if self._session is not None:
            await self._session.close()

    async def get_page(self, person_id: str, address: str) -> Page:
        """What the page at `address`, which this person linked, says of itself; raises NoPage."""
        if self._slots.locked():
            raise Busy("too many at a time")
        try:
            async with self._slots:
                async with asyncio.timeout(WITHIN_S):
                    content, charset = await self._fetch(URL(address))
                return await self._read(person_id, content, charset)
        except NoPage:
            raise
        except Exception as error:  # whatever a stranger's server makes of the client, it is none
            raise NoPage(type(error).__name__) from error

    async def _fetch(self, url: URL) -> tuple[bytes, str | None]:
        self._check(url)
        session = self._session = self._session or self._make_session()
        async with session.get(url, headers=self._headers, allow_redirects=False) as answer:
            if answer.status != 200:
                raise NoPage(f"status {answer.status}")
            if answer.content_type != "text/html":
                raise NoPage("no HTML")
            return await _read(answer), answer.charset

    async def _read(self, person_id: str, content: bytes, charset: str | None) -> Page:
        """What was fetched says of itself; raises NoPage, and Busy when others' files take long."""
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
        """Refuse what could not be right before anybody is asked; raises NoPage."""
        if url.scheme != "https" or url.port != self._port or not url.raw_host:
            raise NoPage("not https at its own port")
        if url.user is not None or url.password is not None:
            raise NoPage("credentials")
        if _is_literal(url.raw_host) and not self._allows(url.raw_host):
            raise NoPage("not public")

    def _make_session(self) -> aiohttp.ClientSession:
        connector = aiohttp.TCPConnector(
            limit=AT_A_TIME,
            force_close=True,
            use_dns_cache=False,
            resolver=_Names(self._names, self._allows),
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
        """A socket for an address that is about to be connected to; raises OSError."""
        family, kind, protocol, _, address = found
        if not self._allows(address[0]):
            raise OSError("not public")
        return socket.socket(family, kind, protocol)


class _Names(AbstractResolver):
    """Addresses of a name, all of which are allowed."""

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
        """There is nothing to close."""


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
    """The first part of a page, unpacked; raises NoPage for what nobody asked for."""
    unpack = _unpacker(answer.headers.get("Content-Encoding", "identity").lower())
    text, came = bytearray(), 0
    async for chunk in answer.content.iter_chunked(16_384):
        came += len(chunk)
        text += unpack(chunk, READ_MAX - len(text))
        if came >= READ_MAX or len(text) >= READ_MAX:
            break
    return bytes(text)


def _unpacker(encoding: str) -> Unpack:
    """What makes at most so many bytes of some that came; that many is never 0."""
    if encoding == "identity":
        return lambda chunk, room: chunk[:room]
    if encoding == "gzip":
        return zlib.decompressobj(wbits=31).decompress
    raise NoPage("packed in another way")
