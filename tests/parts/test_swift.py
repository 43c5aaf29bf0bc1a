"""The S3 server refuses uploads that differ from their signature, and combines parts."""

import base64
import hashlib
import io
import re
import tempfile
from collections.abc import AsyncIterator
from contextlib import ExitStack, asynccontextmanager
from pathlib import Path
from subprocess import Popen
from typing import Any

import aiohttp
import pytest
from aiobotocore.config import AioConfig
from aiobotocore.session import get_session

from tests.parts import swift as part
from tests.parts.swift import Swift, running_swift
from tests.world import until

BODY = b"what was signed for"
MIB = 2**20


@asynccontextmanager
async def client_of(swift: Swift, secret: str = "") -> AsyncIterator[Any]:
    config = AioConfig(
        signature_version="s3v4",
        s3={"addressing_style": "path"},
        request_checksum_calculation="when_required",
        response_checksum_validation="when_required",
    )
    async with get_session().create_client(
        "s3",
        endpoint_url=swift.endpoint,
        region_name=swift.region,
        aws_access_key_id=swift.key_id,
        aws_secret_access_key=secret or swift.secret,
        config=config,
    ) as client:
        yield client


def checksum_of(body: bytes) -> str:
    return base64.b64encode(hashlib.sha256(body).digest()).decode()


async def sign(swift: Swift, bucket: str, within_s: int = 60, secret: str = "") -> str:
    """A signed URL to put BODY, as plain text, in the bucket."""
    async with client_of(swift, secret) as client:
        signed = {"ContentType": "text/plain", "ContentLength": len(BODY)}
        place = {"Bucket": bucket, "Key": "a", "ChecksumSHA256": checksum_of(BODY)}
        url: str = await client.generate_presigned_url("put_object", place | signed, within_s)
        return url


async def put(url: str, body: bytes = BODY, **changed: str) -> str:
    """Put the body with the signed headers and changes; returns the status and S3's code."""
    headers = {"content_type": "text/plain", "x_amz_checksum_sha256": checksum_of(BODY)} | changed
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    async with (
        aiohttp.ClientSession() as session,
        session.put(url, data=io.BytesIO(body), headers=named) as answer,
    ):
        code = re.search("<Code>(.*)</Code>", await answer.text())
        return f"{answer.status} {code[1] if code else ''}".strip()


async def test_an_upload_must_match_its_signature(swift: Swift) -> None:
    bucket = swift.create_bucket()
    url = await sign(swift, bucket)
    other = BODY[:-1] + b"?"
    assert await put(url, content_type="text/html") == "403 SignatureDoesNotMatch"
    assert await put(url, BODY + b"!") == "403 SignatureDoesNotMatch"
    assert await put(url, BODY[:-1]) == "403 SignatureDoesNotMatch"
    assert await put(url, other) == "400 BadDigest"
    changed = {"x_amz_checksum_sha256": checksum_of(other)}
    assert await put(url, other, **changed) == "403 SignatureDoesNotMatch"
    assert await put(url, x_amz_acl="public-read") == "403 AccessDenied"
    async with client_of(swift) as client:
        assert (await client.list_objects_v2(Bucket=bucket))["KeyCount"] == 0
        assert await put(url) == "200"
        stored = await client.get_object(Bucket=bucket, Key="a")
        assert stored["ContentType"] == "text/plain"
        assert await stored["Body"].read() == BODY


async def test_an_upload_needs_the_secret_and_to_be_in_time(swift: Swift) -> None:
    bucket = swift.create_bucket()
    assert await put(await sign(swift, bucket, secret="guessed")) == "403 SignatureDoesNotMatch"
    url = await sign(swift, bucket, within_s=1)

    async def is_late() -> bool:
        return await put(url) == "403 AccessDenied"

    await until(is_late)
    longer = url.replace("X-Amz-Expires=1&", "X-Amz-Expires=60&")
    assert await put(longer) == "403 SignatureDoesNotMatch"


async def test_parts_are_put_together_copied_and_read_in_ranges(swift: Swift) -> None:
    place = {"Bucket": swift.create_bucket(), "Key": "big"}
    bodies = [b"1" * 5 * MIB, b"2" * 10]
    async with client_of(swift) as client:
        place["UploadId"] = (await client.create_multipart_upload(**place))["UploadId"]
        for number, body in enumerate(bodies, 1):
            size = {"PartNumber": number, "ContentLength": len(body)}
            signed = {**place, **size, "ChecksumSHA256": checksum_of(body)}
            url = await client.generate_presigned_url("upload_part", signed)
            changed = {"x_amz_checksum_sha256": checksum_of(body)}
            assert await put(url, body[:-1] + b"?", **changed) == "400 BadDigest"
            assert await put(url, body, **changed) == "200"
        parts = (await client.list_parts(**place))["Parts"]
        assert [part["Size"] for part in parts] == [len(body) for body in bodies]
        named = [{"PartNumber": part["PartNumber"], "ETag": part["ETag"]} for part in parts]
        await client.complete_multipart_upload(**place, MultipartUpload={"Parts": named})
        copy = {"Bucket": place["Bucket"], "Key": "copy"}
        await client.copy_object(**copy, CopySource={"Bucket": place["Bucket"], "Key": "big"})
        read = await client.get_object(**copy, Range=f"bytes={5 * MIB - 2}-{5 * MIB + 1}")
        assert await read["Body"].read() == b"1122"


def test_a_start_that_fails_says_why_and_leaves_nothing(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    started = []

    def start(stack: ExitStack, folder: Path, name: str) -> Popen[bytes]:
        started.append(start_of_the_part(stack, folder, name))
        return started[-1]

    start_of_the_part = part._start
    monkeypatch.setattr(part, "_start", start)
    monkeypatch.setattr(part, "PROXY_PIPELINE", "healthcheck s3api proxy-server")
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    with pytest.raises(RuntimeError, match="expected auth between s3api"), running_swift():
        pass
    assert [process.returncode is None for process in started] == [False] * 4
    assert list(tmp_path.iterdir()) == []
