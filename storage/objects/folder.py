"""An object store in a folder. Clients use signed URLs under this server's own `/files/`.

Invariants:
- A file appears under its key only with the complete, expected content: it is written under a
  temporary name, synced and renamed.
- Only the server creates keys. No input from a client becomes part of a path.
"""

import asyncio
import hashlib
import os
import re
import secrets
import shutil
import time
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager, suppress
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import BinaryIO, ParamSpec, TypeVar
from urllib.parse import urlencode

from storage.objects import (
    SIGNED_FOR,
    ObjectsUnavailable,
    Promise,
    Reading,
    SignedRequest,
    copying,
)

P = ParamSpec("P")
T = TypeVar("T")
Sign = Callable[..., str]
CHUNK = 262_144
SIGNED = {"PUT": ("type", "size", "sha256", "until"), "GET": ("name", "type", "until")}
"""The query parameters of a signed request, by method, in the order in which they are signed."""
FORMS = {
    "size": re.compile(r"[0-9]{1,15}"),
    "sha256": re.compile(r"[0-9a-f]{64}"),
    "until": re.compile(r"[0-9]{1,12}"),
}


class NotAsPromised(Exception):
    """The uploaded content is not the content for which the upload was signed."""


class Folder:
    """A store in `folder`, served at `public_url`; `sign` computes a keyed hash of texts."""

    def __init__(self, folder: Path, public_url: str, sign: Sign) -> None:
        self.origin: str | None = None
        self._folder = folder
        self._base = f"{public_url.rstrip('/')}/files"
        self._sign = sign
        self._uploads: dict[str, asyncio.Timeout] = {}

    async def start(self) -> None:
        await self._in_thread(self._folder.mkdir, parents=True, exist_ok=True)
        await self._in_thread(_sweep_joined, self._folder)

    async def stop(self) -> None:
        """Nothing to close."""

    # Signed requests.

    async def sign_put(self, key: str, promise: Promise) -> SignedRequest:
        about = {"type": promise.content_type, "size": str(promise.size), "sha256": promise.sha256}
        headers = {"Content-Type": promise.content_type}
        return SignedRequest("PUT", self._signed_url("PUT", key, about), headers)

    async def sign_get(
        self, key: str, name: str, content_type: str, method: Reading = "GET"
    ) -> str:
        return self._signed_url("GET", key, {"name": name, "type": content_type})

    def _signed_url(self, method: str, key: str, about: dict[str, str]) -> str:
        until = str(int(time.time() + SIGNED_FOR.total_seconds()))
        query = {**about, "until": until}
        signed = {**query, "signature": self._signature(method, key, query)}
        return f"{self._base}/{key}?{urlencode(signed)}"

    def _signature(self, method: str, key: str, query: Mapping[str, str]) -> str:
        return self._sign("file", method, key, *(query[name] for name in SIGNED[method]))

    def is_signed(self, method: str, key: str, query: Mapping[str, str]) -> bool:
        """Whether this server signed exactly this request and the signature has not expired.

        If so, the query has exactly the parameters of the method, each once and well-formed.
        """
        if sorted(query) != sorted((*SIGNED.get(method, ()), "signature")):
            return False
        if not all(FORMS[name].fullmatch(query[name]) for name in query if name in FORMS):
            return False
        expected, given = self._signature(method, key, query), query["signature"]
        right = secrets.compare_digest(expected.encode(), given.encode("utf-8", "replace"))
        return right and time.time() < int(query["until"])

    # Files.

    def path_of(self, key: str) -> Path:
        return self._folder / key

    async def take(self, key: str, promise: Promise, chunks: AsyncIterator[bytes]) -> None:
        """Store the content of `chunks` under `key`.

        Raises NotAsPromised for other content, and TimeoutError if a newer upload of the same key
        starts meanwhile. In both cases it stores nothing.
        """
        async with self._latest_only(key):
            await self._take(key, promise, chunks)

    @asynccontextmanager
    async def _latest_only(self, key: str) -> AsyncIterator[None]:
        """Cancel an earlier upload of the same key, whose connection may be dead.

        At most one upload of a key therefore uses disk space at a time.
        """
        before = self._uploads.get(key)
        if before is not None:
            before.reschedule(0)
        async with asyncio.timeout(None) as mine:
            self._uploads[key] = mine
            try:
                yield
            finally:
                if self._uploads.get(key) is mine:
                    del self._uploads[key]

    async def _take(self, key: str, promise: Promise, chunks: AsyncIterator[bytes]) -> None:
        path = self.path_of(key)
        temporary = path.with_name(f"{path.name}.{secrets.token_hex(8)}.coming")
        digest, size = hashlib.sha256(), 0
        async with self._opened(partial(_create, temporary), partial(_discard, temporary)) as file:
            async for chunk in chunks:
                size += len(chunk)
                if size > promise.size:
                    raise NotAsPromised("more bytes than announced")
                digest.update(chunk)
                await self._in_thread(file.write, chunk)
            if (size, digest.hexdigest()) != (promise.size, promise.sha256):
                raise NotAsPromised("other bytes than announced")
            await self._in_thread(_sync_and_rename, file, temporary, path)

    async def write(self, key: str, content_type: str, content: bytes) -> None:
        async def whole() -> AsyncIterator[bytes]:
            yield content

        promise = Promise(content_type, len(content), hashlib.sha256(content).hexdigest())
        await self.take(key, promise, whole())

    async def keep(self, key: str, content_type: str, file: BinaryIO) -> None:
        await self._in_thread(_copy, file, self.path_of(key))

    async def size_of(self, key: str) -> int | None:
        return await self._in_thread(_size_of, self.path_of(key))

    async def read(self, key: str) -> AsyncIterator[bytes]:
        path = self.path_of(key)
        async with self._opened(lambda: path.open("rb"), lambda file: file.close()) as file:
            while chunk := await self._in_thread(file.read, CHUNK):
                yield chunk

    async def move(self, key: str, to: str) -> None:
        await self._in_thread(_move, self.path_of(key), self.path_of(to))

    async def delete(self, key: str) -> None:
        await self._in_thread(copying.delete, self._folder, key)

    async def sweep(self, before: datetime) -> None:
        await self._in_thread(_sweep, self._folder, before.timestamp())

    # Parts: files in the folder `<key>.parts`.

    async def begin_parts(self, key: str, content_type: str) -> str:
        return "parts"

    async def sign_part(
        self, key: str, parts_id: str, number: int, promise: Promise
    ) -> SignedRequest:
        return await self.sign_put(_part(key, number), promise)

    async def list_parts(self, key: str, parts_id: str) -> dict[int, int]:
        return await self._in_thread(_sizes_in, self.path_of(f"{key}.parts"))

    async def join_parts(self, key: str, parts_id: str) -> None:
        await self._in_thread(_join, self.path_of(f"{key}.parts"), self.path_of(key))

    async def drop_parts(self, key: str, parts_id: str) -> None:
        await self._in_thread(shutil.rmtree, self.path_of(f"{key}.parts"), ignore_errors=True)

    @asynccontextmanager
    async def _opened(
        self, start: Callable[[], BinaryIO], end: Callable[[BinaryIO], None]
    ) -> AsyncIterator[BinaryIO]:
        """A file that is ended also if the caller is cancelled while a thread opens it."""
        opening = asyncio.ensure_future(self._in_thread(start))
        try:
            yield await asyncio.shield(opening)
        finally:
            await self._in_thread(end, await opening)

    async def _in_thread(self, work: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Run `work` in a thread; raises ObjectsUnavailable for an error of the disk."""
        try:
            return await asyncio.to_thread(work, *args, **kwargs)
        except FileNotFoundError:
            raise
        except OSError as error:
            raise ObjectsUnavailable(type(error).__name__) from error


def _sweep(folder: Path, before: float) -> None:
    for half in folder.rglob("*.coming"):
        with suppress(FileNotFoundError):  # the upload has just finished
            if half.stat().st_mtime < before:
                half.unlink()
    copying.sweep_deleted(folder)


def _sweep_joined(folder: Path) -> None:
    """Delete the joined parts that a crash left behind."""
    for joined in folder.rglob("*.joined"):
        shutil.rmtree(joined, ignore_errors=True)


def _part(key: str, number: int) -> str:
    return f"{key}.parts/{number:05}"


def _create(path: Path) -> BinaryIO:
    path.parent.mkdir(parents=True, exist_ok=True)
    return path.open("xb")


def _copy(source: BinaryIO, path: Path) -> None:
    """Copy the whole file to `path`, atomically."""
    temporary = path.with_name(f"{path.name}.{secrets.token_hex(8)}.coming")
    file = _create(temporary)
    try:
        source.seek(0)
        shutil.copyfileobj(source, file, CHUNK)
        _sync_and_rename(file, temporary, path)
    finally:
        _discard(temporary, file)


def _discard(temporary: Path, file: BinaryIO) -> None:
    """Close and delete the temporary file; closing flushes, which fails if the disk is full."""
    try:
        file.close()
    finally:
        temporary.unlink(missing_ok=True)


def _sync_and_rename(file: BinaryIO, temporary: Path, path: Path) -> None:
    file.flush()
    os.fsync(file.fileno())
    temporary.replace(path)
    _sync_folder(path.parent)


def _sync_folder(folder: Path) -> None:
    """Sync a folder: a rename is durable only after its folder is synced."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _size_of(path: Path) -> int | None:
    try:
        return path.stat().st_size
    except FileNotFoundError:
        return None


def _move(path: Path, to: Path) -> None:
    to.parent.mkdir(parents=True, exist_ok=True)
    try:
        path.replace(to)
    except FileNotFoundError:
        if not to.exists():
            raise
    _sync_folder(to.parent)


def _sizes_in(folder: Path) -> dict[int, int]:
    if not folder.is_dir():
        return {}
    return {int(one.name): one.stat().st_size for one in folder.iterdir() if one.name.isdecimal()}


def _join(folder: Path, path: Path) -> None:
    """Concatenate the parts into one file, and delete them once it is on disk.

    The folder of parts is renamed in one step before its files are deleted. A concurrent join that
    still finds the folder after reading has therefore read all parts; otherwise it discards its
    result.
    """
    if not folder.is_dir() and path.exists():
        return
    temporary = path.with_name(f"{path.name}.{secrets.token_hex(8)}.coming")
    whole = _create(temporary)
    try:
        for part in sorted(one for one in folder.iterdir() if one.name.isdecimal()):
            with part.open("rb") as file:
                shutil.copyfileobj(file, whole, CHUNK)
        if not folder.is_dir():
            raise FileNotFoundError(folder)
        _sync_and_rename(whole, temporary, path)
        _delete_parts(folder)
    except FileNotFoundError:
        if not path.exists():
            raise
    finally:
        _discard(temporary, whole)


def _delete_parts(folder: Path) -> None:
    aside = folder.with_name(f"{folder.name}.{secrets.token_hex(8)}.joined")
    folder.rename(aside)
    shutil.rmtree(aside, ignore_errors=True)
