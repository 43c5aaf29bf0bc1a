"""Where bytes are kept: a folder, or S3. Clients put and get them there by signed requests.

A signed request is good for one object and a few minutes. A put is bound to its type, length and
SHA-256 too. What is big comes in parts, each put by itself, and is joined when all are there.
"""

from collections.abc import AsyncIterator
from datetime import datetime, timedelta
from typing import BinaryIO, Protocol

import msgspec

from storage.engine.database import StorageUnavailable

SIGNED_FOR = timedelta(minutes=5)


class ObjectsUnavailable(StorageUnavailable):
    """The object store is away, full, or does not do what it should."""


class Promise(msgspec.Struct, frozen=True):
    """What a put will bring: `size` in bytes, `sha256` in hexadecimal digits."""

    content_type: str
    size: int
    sha256: str


class SignedRequest(msgspec.Struct, frozen=True):
    """A request that a client may make, with all the headers that it has to send."""

    method: str
    url: str
    headers: dict[str, str]


class ObjectStore(Protocol):
    """A store of objects by key; every call may raise ObjectsUnavailable."""

    origin: str | None
    """The web origin to which clients' requests go; None when it is this server's own."""

    async def start(self) -> None: ...

    async def stop(self) -> None: ...

    async def sign_put(self, key: str, promise: Promise) -> SignedRequest: ...

    async def sign_get(self, key: str, name: str, content_type: str) -> str:
        """The address by which the object can be fetched as the file `name`."""
        ...

    async def begin_parts(self, key: str, content_type: str) -> str:
        """Begin an object that comes in parts; gives its parts' id."""
        ...

    async def sign_part(
        self, key: str, parts_id: str, number: int, promise: Promise
    ) -> SignedRequest: ...

    async def list_parts(self, key: str, parts_id: str) -> dict[int, int]:
        """The sizes of the parts that are there, by their numbers, which begin at 1."""
        ...

    async def join_parts(self, key: str, parts_id: str) -> None:
        """Make the object of the parts that are there, in their order; again changes nothing."""
        ...

    async def drop_parts(self, key: str, parts_id: str) -> None: ...

    async def size_of(self, key: str) -> int | None:
        """None when there is no such object."""
        ...

    def read(self, key: str) -> AsyncIterator[bytes]:
        """The object's bytes, some at a time."""
        ...

    async def write(self, key: str, content_type: str, content: bytes) -> None: ...

    async def keep(self, key: str, content_type: str, file: BinaryIO) -> None:
        """Write all of a file, some at a time; whole or not at all."""
        ...

    async def move(self, key: str, to: str) -> None:
        """Rename an object; one that was moved before is as good."""
        ...

    async def delete(self, key: str) -> None:
        """One that is not there is as good."""
        ...

    async def sweep(self, before: datetime) -> None:
        """Let go of what a crash left half-written, and nobody has gone on with since `before`."""
        ...
