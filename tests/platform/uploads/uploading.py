"""Uploads and downloads files as a client does."""

import hashlib
import io
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
from PIL import Image

from tests.world import Person, World

PART_SIZE = 8 * 1024**2


class RestRefused(Exception):
    """An error of a REST endpoint."""

    def __init__(self, status: int, error: dict[str, Any]) -> None:
        super().__init__(f"{status} {error}")
        self.status = status
        self.code = error["code"]
        self.details = error.get("details")


class Uploader:
    """A user with an HTTP client."""

    def __init__(self, world: World, person: Person, http: aiohttp.ClientSession) -> None:
        self.world = world
        self.person = person
        self.http = http

    async def ask(self, method: str, path: str, body: Any = None, **headers: str) -> Any:
        """Send a request; returns the JSON of the answer, or raises RestRefused."""
        headers = {"Authorization": f"Bearer {self.person.token}", **headers}
        url = f"{self.world.url}{path}"
        async with self.http.request(method, url, json=body, headers=headers) as answer:
            reply = await answer.json()
        if answer.status >= 400:
            raise RestRefused(answer.status, reply["error"])
        return reply

    async def start(self, content: bytes, kind: str, **more: Any) -> Any:
        digest = hashlib.sha256(content).hexdigest()
        about = {"name": "a file", "content_type": kind, "size": len(content)}
        return await self.ask("POST", "/uploads", {**about, "sha256": digest, **more})

    async def put(self, signed: dict[str, Any], content: Any, **headers: str) -> int:
        """Send a signed request; returns the HTTP status."""
        headers = {**signed["headers"], **headers}
        content = io.BytesIO(content) if isinstance(content, bytes) else content
        async with self.http.request(
            signed["method"], signed["url"], data=content, headers=headers
        ) as answer:
            await answer.read()
        return answer.status

    async def upload(self, content: bytes, kind: str, **more: Any) -> Any:
        """Start, put and complete an upload; returns its view."""
        begun = await self.start(content, kind, **more)
        assert await self.put(begun["put"], content) == 200
        return await self.ask("POST", f"/uploads/{begun['id']}/complete")

    async def put_part(self, upload_id: str, number: int, content: bytes) -> int:
        digest = hashlib.sha256(content).hexdigest()
        path = f"/uploads/{upload_id}/parts/{number}"
        return await self.put(await self.ask("POST", path, {"sha256": digest}), content)

    async def fetch(self, url: str, **headers: str) -> tuple[aiohttp.ClientResponse, bytes]:
        async with self.http.get(url, headers=headers) as answer:
            return answer, await answer.read()


@asynccontextmanager
async def uploader(world: World, person: Person) -> AsyncIterator[Uploader]:
    async with aiohttp.ClientSession() as http:
        yield Uploader(world, person, http)


def parts_of(content: bytes) -> list[bytes]:
    return [content[at : at + PART_SIZE] for at in range(0, len(content), PART_SIZE)]


def picture(form: str = "JPEG", size: tuple[int, int] = (640, 480), **more: Any) -> bytes:
    """A picture of a gradient."""
    made = io.BytesIO()
    Image.linear_gradient("L").resize(size).convert("RGB").save(made, form, **more)
    return made.getvalue()


def geotagged_picture() -> bytes:
    """A picture rotated by EXIF, with GPS coordinates and a description."""
    exif = Image.Exif()
    exif[0x0112] = 6  # rotated by 90 degrees
    exif[0x010E] = "at home"
    exif.get_ifd(0x8825)[2] = (52.0, 31.0, 12.0)
    return picture(exif=exif)


PDF = b"%PDF-1.7\n" + b"a page " * 100
