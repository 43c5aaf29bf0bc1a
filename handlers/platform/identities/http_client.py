"""The HTTP client for providers: limited in time and size, and without redirects."""

from typing import Any

import aiohttp
import msgspec

WITHIN_S = 10.0
ANSWER_MAX = 262_144


class ProviderUnavailable(Exception):
    """The provider cannot be reached, or its response is unusable. A retry may succeed."""


class ProviderRefused(Exception):
    """The provider refused the request, or its response cannot be trusted."""


class HttpClient:
    """One client for all providers, created when first needed."""

    def __init__(self) -> None:
        self._session: aiohttp.ClientSession | None = None

    async def stop(self) -> None:
        if self._session is not None:
            await self._session.close()

    async def get(self, url: str, headers: dict[str, str] | None = None) -> dict[str, Any]:
        return await self._ask("GET", url, headers or {}, None)

    async def post(self, url: str, headers: dict[str, str], body: str) -> dict[str, Any]:
        return await self._ask("POST", url, headers, body)

    async def _ask(
        self, method: str, url: str, headers: dict[str, str], body: str | None
    ) -> dict[str, Any]:
        """The JSON object of the response.

        Raises ProviderRefused for a 4xx status except 429, otherwise ProviderUnavailable.
        """
        if self._session is None:
            timeout = aiohttp.ClientTimeout(total=WITHIN_S)
            self._session = aiohttp.ClientSession(
                timeout=timeout, cookie_jar=aiohttp.DummyCookieJar()
            )
        headers = {"Accept": "application/json", **headers}
        try:
            async with self._session.request(
                method, url, headers=headers, data=body, allow_redirects=False
            ) as answer:
                read = await _read_at_most(answer, ANSWER_MAX)
        except (aiohttp.ClientError, TimeoutError, ValueError) as error:
            raise ProviderUnavailable(type(error).__name__) from error
        if 400 <= answer.status < 500 and answer.status != 429:
            raise ProviderRefused(f"status {answer.status}")
        if answer.status != 200:
            raise ProviderUnavailable(f"status {answer.status}")
        try:
            return msgspec.json.decode(read, type=dict[str, Any])
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            raise ProviderUnavailable("its answer is not a JSON object") from None


async def _read_at_most(answer: aiohttp.ClientResponse, limit: int) -> bytes:
    read = bytearray()
    async for chunk in answer.content.iter_chunked(16_384):
        read += chunk
        if len(read) > limit:
            raise ProviderUnavailable("its answer is too long")
    return bytes(read)
