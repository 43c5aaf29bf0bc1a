"""An object store in a bucket of S3 or a compatible service, which clients access directly."""

import asyncio
import base64
from collections.abc import AsyncIterator, Awaitable
from contextlib import AsyncExitStack
from datetime import datetime
from typing import Any, BinaryIO, TypeVar
from urllib.parse import quote, urlsplit

from aiobotocore.config import AioConfig
from aiobotocore.session import get_session
from aiohttp import ClientConnectionError, ClientPayloadError
from botocore.exceptions import BotoCoreError, ClientError

from storage.objects import SIGNED_FOR, ObjectsUnavailable, Promise, Reading, SignedRequest

T = TypeVar("T")
CHUNK = 262_144
PIECE = 16 * 1024**2
PARTS_LISTED = 1_000
PART_NAMES = ("PartNumber", "ETag", "ChecksumSHA256")
"""The fields of a part that completing an upload sends, if the store returned them."""
READINGS: dict[Reading, str] = {"GET": "get_object", "HEAD": "head_object"}
GONE = ("404", "NoSuchKey", "NoSuchUpload", "NotFound")
CONFIG = AioConfig(
    signature_version="s3v4",
    s3={"addressing_style": "path"},
    connect_timeout=5,
    read_timeout=30,
    retries={"max_attempts": 3, "mode": "standard"},
    request_checksum_calculation="when_required",
    response_checksum_validation="when_required",
)


class Bucket:
    """A store in one bucket; without `key_id`, it uses the credentials of the machine."""

    def __init__(
        self, bucket: str, *, endpoint: str, region: str, key_id: str, secret: str
    ) -> None:
        self._bucket = bucket
        self._options = {
            "region_name": region,
            "endpoint_url": endpoint or None,
            "aws_access_key_id": key_id or None,
            "aws_secret_access_key": secret or None,
            "config": CONFIG,
        }
        self._open = AsyncExitStack()
        self._s3: Any = None
        parts = urlsplit(endpoint or f"https://s3.{region}.amazonaws.com")
        self.origin: str | None = f"{parts.scheme}://{parts.netloc}"

    async def start(self) -> None:
        client = get_session().create_client("s3", **self._options)
        self._s3 = await self._open.enter_async_context(client)

    async def stop(self) -> None:
        await self._open.aclose()

    # Signed requests.

    async def sign_put(self, key: str, promise: Promise) -> SignedRequest:
        return await self._sign("put_object", promise, Key=key, ContentType=promise.content_type)

    async def sign_part(
        self, key: str, parts_id: str, number: int, promise: Promise
    ) -> SignedRequest:
        return await self._sign(
            "upload_part", promise, Key=key, UploadId=parts_id, PartNumber=number
        )

    async def _sign(self, action: str, promise: Promise, **more: Any) -> SignedRequest:
        checksum = base64.b64encode(bytes.fromhex(promise.sha256)).decode()
        params = {"ContentLength": promise.size, "ChecksumSHA256": checksum, **more}
        headers = {"x-amz-checksum-sha256": checksum}
        if "ContentType" in more:
            headers["Content-Type"] = promise.content_type
        return SignedRequest("PUT", await self._signed_url(action, **params), headers)

    async def sign_get(
        self, key: str, name: str, content_type: str, method: Reading = "GET"
    ) -> str:
        return await self._signed_url(
            READINGS[method],
            Key=key,
            ResponseContentType=content_type,
            ResponseContentDisposition=f"attachment; filename*=UTF-8''{quote(name, safe='')}",
        )

    async def _signed_url(self, action: str, **params: Any) -> str:
        signing: Awaitable[str] = self._s3.generate_presigned_url(
            action,
            Params={"Bucket": self._bucket, **params},
            ExpiresIn=int(SIGNED_FOR.total_seconds()),
        )
        return await self._ask(signing)

    # Objects.

    async def size_of(self, key: str) -> int | None:
        try:
            answer = await self._ask(self._s3.head_object(Bucket=self._bucket, Key=key))
        except FileNotFoundError:
            return None
        return int(answer["ContentLength"])

    async def read(self, key: str) -> AsyncIterator[bytes]:
        answer = await self._ask(self._s3.get_object(Bucket=self._bucket, Key=key))
        async with answer["Body"] as body:
            while chunk := await self._ask(body.read(CHUNK)):
                yield chunk

    async def write(self, key: str, content_type: str, content: bytes) -> None:
        await self._ask(
            self._s3.put_object(
                Bucket=self._bucket, Key=key, ContentType=content_type, Body=content
            )
        )

    async def keep(self, key: str, content_type: str, file: BinaryIO) -> None:
        """Upload in parts, so that only one part is in memory at a time."""
        parts_id = await self.begin_parts(key, content_type)
        number = 0
        await asyncio.to_thread(file.seek, 0)
        try:
            while piece := await asyncio.to_thread(file.read, PIECE):
                number += 1
                part = {"UploadId": parts_id, "PartNumber": number, "Body": piece}
                await self._ask(self._s3.upload_part(Bucket=self._bucket, Key=key, **part))
            await self.join_parts(key, parts_id)
        except BaseException:
            await self.drop_parts(key, parts_id)
            raise

    async def move(self, key: str, to: str) -> None:
        """Copy without the uploaded headers, which could change how browsers treat the object."""
        copying = self._s3.copy_object(
            Bucket=self._bucket,
            Key=to,
            CopySource={"Bucket": self._bucket, "Key": key},
            MetadataDirective="REPLACE",
            ContentType="application/octet-stream",
        )
        try:
            await self._ask(copying)
        except FileNotFoundError:
            if await self.size_of(to) is None:
                raise
        await self.delete(key)

    async def delete(self, key: str) -> None:
        try:
            await self._ask(self._s3.delete_object(Bucket=self._bucket, Key=key))
        except FileNotFoundError:
            return

    async def sweep(self, before: datetime) -> None:
        """Delete old uploads in parts, including those whose id was lost."""
        pages = self._s3.get_paginator("list_multipart_uploads").paginate(Bucket=self._bucket)
        walk = aiter(pages)
        while (page := await self._ask(anext(walk, None))) is not None:
            for begun in page.get("Uploads", []):
                if begun["Initiated"] < before:
                    await self.drop_parts(begun["Key"], begun["UploadId"])

    # Parts.

    async def begin_parts(self, key: str, content_type: str) -> str:
        answer = await self._ask(
            self._s3.create_multipart_upload(Bucket=self._bucket, Key=key, ContentType=content_type)
        )
        return str(answer["UploadId"])

    async def list_parts(self, key: str, parts_id: str) -> dict[int, int]:
        try:
            parts = await self._list_parts(key, parts_id)
        except FileNotFoundError:
            return {}
        return {part["PartNumber"]: part["Size"] for part in parts}

    async def _list_parts(self, key: str, parts_id: str) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = []
        after = 0
        while True:
            answer = await self._ask(
                self._s3.list_parts(
                    Bucket=self._bucket,
                    Key=key,
                    UploadId=parts_id,
                    PartNumberMarker=after,
                    MaxParts=PARTS_LISTED,
                )
            )
            found += answer.get("Parts", [])
            if not answer.get("IsTruncated"):
                return found
            after = answer["NextPartNumberMarker"]

    async def join_parts(self, key: str, parts_id: str) -> None:
        try:
            parts = await self._list_parts(key, parts_id)
        except FileNotFoundError:
            if await self.size_of(key) is None:
                raise
            return
        listed = [{name: part[name] for name in PART_NAMES if name in part} for part in parts]
        await self._ask(
            self._s3.complete_multipart_upload(
                Bucket=self._bucket,
                Key=key,
                UploadId=parts_id,
                MultipartUpload={"Parts": listed},
            )
        )

    async def drop_parts(self, key: str, parts_id: str) -> None:
        try:
            await self._ask(
                self._s3.abort_multipart_upload(Bucket=self._bucket, Key=key, UploadId=parts_id)
            )
        except FileNotFoundError:
            return

    async def _ask(self, asking: Awaitable[T]) -> T:
        """The answer of S3; raises FileNotFoundError or ObjectsUnavailable."""
        try:
            return await asking
        except ClientError as error:
            code = str(error.response.get("Error", {}).get("Code", ""))
            if code in GONE:
                raise FileNotFoundError(code) from None
            raise ObjectsUnavailable(code) from error
        except (BotoCoreError, ClientConnectionError, ClientPayloadError, OSError) as error:
            raise ObjectsUnavailable(type(error).__name__) from error
