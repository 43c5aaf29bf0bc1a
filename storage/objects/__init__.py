"""The object store: a folder or S3. Clients upload and download with signed requests.

A signed request is valid for one object and a few minutes. A signed upload also fixes the type,
length and SHA-256 of the content. Large objects are uploaded in parts, which the server joins once
all have arrived.
"""

from collections.abc import AsyncIterator
from datetime import datetime, timedelta
from typing import BinaryIO, Literal, Protocol

import msgspec

from storage.engine.database import StorageUnavailable

SIGNED_FOR = timedelta(minutes=5)
Reading = Literal["GET", "HEAD"]
"""The methods that read an object, or only its headers."""


class ObjectsUnavailable(StorageUnavailable):
    """The object store is unreachable, full or faulty."""


class Promise(msgspec.Struct, frozen=True):
    """The content that an upload must have: `size` in bytes, `sha256` in hexadecimal digits."""

    content_type: str
    size: int
    sha256: str


class SignedRequest(msgspec.Struct, frozen=True):
    """A request that a client may make, with all the headers that it must send."""

    method: str
    url: str
    headers: dict[str, str]


class ObjectStore(Protocol):
    """A store of objects by key; every call may raise ObjectsUnavailable."""

    origin: str | None
    """The web origin of the signed requests; None if it is this server's own."""

    async def start(self) -> None: ...

    async def stop(self) -> None: ...

    async def sign_put(self, key: str, promise: Promise) -> SignedRequest: ...

    async def sign_get(
        self, key: str, name: str, content_type: str, method: Reading = "GET"
    ) -> str:
        """The signed URL that downloads the object as the file `name`.

        In a bucket, a URL is valid for one method. In a folder, a URL for GET is also one for HEAD.
        """
        ...

    async def begin_parts(self, key: str, content_type: str) -> str:
        """Start an upload in parts; returns the id of the upload."""
        ...

    async def sign_part(
        self, key: str, parts_id: str, number: int, promise: Promise
    ) -> SignedRequest: ...

    async def list_parts(self, key: str, parts_id: str) -> dict[int, int]:
        """The sizes in bytes of the uploaded parts, by their numbers, which start at 1."""
        ...

    async def join_parts(self, key: str, parts_id: str) -> None:
        """Create the object from the uploaded parts, in their order; idempotent."""
        ...

    async def drop_parts(self, key: str, parts_id: str) -> None: ...

    async def size_of(self, key: str) -> int | None:
        """The size in bytes; None if there is no such object."""
        ...

    def read(self, key: str) -> AsyncIterator[bytes]:
        """The content of the object, in chunks."""
        ...

    async def write(self, key: str, content_type: str, content: bytes) -> None: ...

    async def keep(self, key: str, content_type: str, file: BinaryIO) -> None:
        """Store the whole content of a file, in chunks; a failure stores nothing."""
        ...

    async def move(self, key: str, to: str) -> None:
        """Rename an object; does nothing if it has already been moved."""
        ...

    async def delete(self, key: str) -> None:
        """Delete an object; does nothing if it does not exist."""
        ...

    async def sweep(self, before: datetime) -> None:
        """Delete incomplete uploads that have not changed since `before`."""
        ...
