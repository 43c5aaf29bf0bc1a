"""Checks an uploaded file before anybody can use it.

A file is moved to a key that its signed request cannot write, and is checked only then. If a check
stops before its end, the next `complete` starts again from the beginning.
"""

import asyncio
import hashlib
from codecs import getincrementaldecoder
from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple

from handlers.kit.context import Context
from handlers.kit.errors import NotFound
from handlers.kit.filter import TextRefused
from handlers.kit.kernel import Kernel
from handlers.kit.sandbox import Streamed, Unreadable
from handlers.platform.uploads import service
from handlers.platform.uploads.contracts import (
    ChecksumWrong,
    ContentWrong,
    NotUploaded,
    QuotaExceeded,
    SizeWrong,
)
from handlers.platform.uploads.kinds import TEXTS, matches_type
from handlers.platform.uploads.magic import HEAD, UTF_8, WINDOWS_1252, guess_type
from handlers.platform.uploads.pictures import HEIC_TYPE, Picture, reencode, reencode_heic
from handlers.platform.uploads.service import CheckResult
from storage.objects import ObjectStore
from storage.platform.uploads import UploadRow

READ_MAX = 262_144
"""Bytes of a text that the filter reads."""
PIECE = 8_192
OVERLAP = 256
"""Characters by which pieces overlap; longer than any entry of the filter's list."""
FAULTS = (SizeWrong, ChecksumWrong, ContentWrong, QuotaExceeded, TextRefused)
_FILTERING = ThreadPoolExecutor(1, thread_name_prefix="texts")


async def complete(ctx: Context, upload_id: str, poster_id: str | None = None) -> UploadRow:
    """Check an upload and make it ready; one with a fault is deleted at once.

    Raises NotFound, NotUploaded, Conflict and the errors in FAULTS.
    """
    row = await ctx.transact(service.claim, upload_id, poster_id)
    if row.status == "ready":
        return row
    try:
        key, found = await _check(ctx.kernel, row)
        if poster_id is not None:
            await _copy_thumbnail(ctx.kernel.objects, poster_id, row.id)
        return await ctx.transact(service.accept, row, key, found, poster_id)
    except Unreadable as error:
        await ctx.transact(service.reject, row)
        raise ContentWrong(details={"reason": str(error)}) from None
    except FAULTS:
        await ctx.transact(service.reject, row)
        raise
    except Exception:  # the next attempt can begin at once
        await ctx.transact(service.unclaim, row)
        raise


async def _gather(objects: ObjectStore, row: UploadRow) -> str:
    """Join the parts, and move the file to where its sender cannot write; raises NotUploaded."""
    key = service.kept_key(row.id)
    if await objects.size_of(key) is not None:
        return key
    try:
        if row.parts_id is not None:
            await _join(objects, row, row.parts_id)
        await objects.move(row.key, key)
    except FileNotFoundError:
        raise NotUploaded from None
    return key


async def _join(objects: ObjectStore, row: UploadRow, parts_id: str) -> None:
    if await objects.size_of(row.key) is not None:
        return  # an earlier attempt joined the parts
    there = await objects.list_parts(row.key, parts_id)
    count = -(-row.size // service.PART_SIZE)
    missing = [number for number in range(1, count + 1) if number not in there]
    if missing:
        raise NotUploaded(details={"missing": missing[:100]})
    if any(size != service.part_size_of(row, number) for number, size in there.items()):
        raise SizeWrong
    await objects.join_parts(row.key, parts_id)


async def _check(kernel: Kernel, row: UploadRow) -> tuple[str, CheckResult]:
    """Check a file; returns its key and the result, or raises its fault."""
    if row.kind == "image":
        async with kernel.checks.turn(row.user_id):
            key = await _gather(kernel.objects, row)
        return key, CheckResult(picture=await _reencode(kernel, row, key))
    async with kernel.checks.turn(row.user_id):
        key = await _gather(kernel.objects, row)
        seen = await _read_whole(kernel.objects, row, key)
    guessed = await kernel.sandbox.run(row.user_id, guess_type, seen.head[:HEAD])
    if not matches_type(row.content_type, guessed):
        raise ContentWrong
    if row.content_type not in TEXTS or guessed.charset is None:
        return key, CheckResult()
    charset = _charset_of(guessed.charset, seen)
    async with kernel.checks.turn(row.user_id):
        hit = await _filter(kernel, seen.head.decode(charset, errors="ignore"))
    return key, CheckResult(charset=charset, hit=hit)


class Seen(NamedTuple):
    """What reading a whole file has shown: its beginning, and whether all of it is UTF-8."""

    head: bytes
    is_utf_8: bool


async def _read_whole(objects: ObjectStore, row: UploadRow, key: str) -> Seen:
    """Read a whole file; raises SizeWrong or ChecksumWrong."""
    most, head = READ_MAX if row.content_type in TEXTS else HEAD, bytearray()
    decode, is_utf_8 = getincrementaldecoder("utf-8")().decode, row.content_type in TEXTS
    async for chunk in _verified(objects, row, key):
        head += chunk[: most - len(head)]
        try:
            is_utf_8 = is_utf_8 and decode(chunk) is not None
        except UnicodeDecodeError:
            is_utf_8 = False
    return Seen(bytes(head), is_utf_8)


def _charset_of(guessed: str, seen: Seen) -> str:
    """The encoding of a whole text. If it begins with ASCII alone, its beginning looks like UTF-8,
    but the rest may show that it is not."""
    is_other = guessed == UTF_8 and seen.head[:HEAD].isascii() and not seen.is_utf_8
    return WINDOWS_1252 if is_other else guessed


async def _verified(objects: ObjectStore, row: UploadRow, key: str) -> AsyncIterator[bytes]:
    """The chunks of an object; the last one comes only if the size and checksum are as announced.

    Otherwise raises SizeWrong or ChecksumWrong instead.
    """
    digest, size, last = hashlib.sha256(), 0, b""
    async for chunk in objects.read(key):
        digest.update(chunk)
        size += len(chunk)
        if size > row.size:
            raise SizeWrong
        if last:
            yield last
        last = chunk
    if size != row.size:
        raise SizeWrong
    if row.sha256 is not None and digest.hexdigest() != row.sha256:
        raise ChecksumWrong
    yield last


async def _filter(kernel: Kernel, text: str) -> str:
    """What the filter finds in a text. It runs in this process, which has loaded the word list.

    Loading the largest list would cost the sandbox 70 MB and five seconds at each start. The filter
    takes up to 1.3 s for a text. It runs on a thread, for one upload at a time.
    """
    pieces = [text[at : at + PIECE + OVERLAP] for at in range(0, len(text), PIECE)]
    loop = asyncio.get_running_loop()
    return await loop.run_in_executor(_FILTERING, kernel.filter.check, *pieces)


async def _copy_thumbnail(objects: ObjectStore, from_id: str, to_id: str) -> None:
    """Copy the thumbnail of an upload to another upload; raises NotFound."""
    try:
        small = b"".join([chunk async for chunk in objects.read(service.thumbnail_key(from_id))])
    except FileNotFoundError:
        raise NotFound from None
    await objects.write(service.thumbnail_key(to_id), "image/webp", small)


async def _reencode(kernel: Kernel, row: UploadRow, key: str) -> Picture:
    """Re-encode a picture, and store it and its thumbnail; raises its fault."""
    objects = kernel.objects
    if await objects.size_of(key) != row.size:
        raise SizeWrong
    content = Streamed(row.size, _verified(objects, row, key))
    if row.content_type == HEIC_TYPE:
        picture = await kernel.sandbox.run(row.user_id, reencode_heic, content)
    else:
        picture = await kernel.sandbox.run(row.user_id, reencode, content, row.content_type)
    await objects.write(service.picture_key(row.id), picture.content_type, picture.content)
    await objects.write(service.thumbnail_key(row.id), "image/webp", picture.thumbnail)
    return picture
