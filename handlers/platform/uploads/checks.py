"""Looks at what came before anybody may use it.

What came is moved away from where its signed request could write it once more, and only then is
looked at. Whatever stops in the middle is done again from the start by the next `complete`.
"""

import asyncio
import hashlib
from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor

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
from handlers.platform.uploads.kinds import TEXTS, is_what_it_says
from handlers.platform.uploads.magic import HEAD, look_at
from handlers.platform.uploads.pictures import Picture, remake
from handlers.platform.uploads.service import Seen
from storage.objects import ObjectStore
from storage.platform.uploads import UploadRow

READ_MAX = 262_144
"""So much of a text the filter reads."""
PIECE = 8_192
OVERLAP = 256
"""Longer than anything that a list has in one entry."""
FAULTS = (SizeWrong, ChecksumWrong, ContentWrong, QuotaExceeded, TextRefused)
_FILTERING = ThreadPoolExecutor(1, thread_name_prefix="texts")


async def complete(ctx: Context, upload_id: str, poster_id: str | None = None) -> UploadRow:
    """Check an upload and let it be used; one that is not what it should be goes at once.

    Raises NotFound, NotUploaded, Conflict and what is in FAULTS.
    """
    row = await ctx.transact(service.claim, upload_id, poster_id)
    if row.status == "ready":
        return row
    try:
        key, seen = await _look(ctx.kernel, row)
        if poster_id is not None:
            await _copy_small(ctx.kernel.objects, poster_id, row.id)
        return await ctx.transact(service.accept, row, key, seen, poster_id)
    except Unreadable as error:
        await ctx.transact(service.reject, row)
        raise ContentWrong(details={"reason": str(error)}) from None
    except FAULTS:
        await ctx.transact(service.reject, row)
        raise
    except Exception:  # whatever stopped it, the next one may begin at once
        await ctx.transact(service.unclaim, row)
        raise


async def _gather(objects: ObjectStore, row: UploadRow) -> str:
    """Bring what came together, out of the reach of who sent it; raises NotUploaded."""
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
        return  # they were joined before
    there = await objects.list_parts(row.key, parts_id)
    count = -(-row.size // service.PART_SIZE)
    missing = [number for number in range(1, count + 1) if number not in there]
    if missing:
        raise NotUploaded(details={"missing": missing[:100]})
    if any(size != service.part_size_of(row, number) for number, size in there.items()):
        raise SizeWrong
    await objects.join_parts(row.key, parts_id)


async def _look(kernel: Kernel, row: UploadRow) -> tuple[str, Seen]:
    """Where it is kept and what is to be known of it; raises what is wrong with it."""
    if row.kind == "image":
        async with kernel.checks.turn(row.user_id):
            key = await _gather(kernel.objects, row)
        return key, Seen(picture=await _remake(kernel, row, key))
    async with kernel.checks.turn(row.user_id):
        key = await _gather(kernel.objects, row)
        begins = await _read(kernel.objects, row, key)
    looks = await kernel.sandbox.run(row.user_id, look_at, begins[:HEAD])
    if not is_what_it_says(row.content_type, looks):
        raise ContentWrong
    if row.content_type not in TEXTS:
        return key, Seen()
    async with kernel.checks.turn(row.user_id):
        return key, Seen(hit=await _filter(kernel, begins.decode(errors="ignore")))


async def _read(objects: ObjectStore, row: UploadRow, key: str) -> bytes:
    """How it begins, once all of it was read; raises SizeWrong or ChecksumWrong."""
    most, begins = READ_MAX if row.content_type in TEXTS else HEAD, bytearray()
    async for chunk in _as_promised(objects, row, key):
        begins += chunk[: most - len(begins)]
    return bytes(begins)


async def _as_promised(objects: ObjectStore, row: UploadRow, key: str) -> AsyncIterator[bytes]:
    """All of an object; the last piece comes only when all is what was promised.

    Raises SizeWrong or ChecksumWrong instead of it.
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
    """What the filter says to a text; it stays in this process, where the list of words is.

    The largest list takes the sandbox 70 MB and five seconds at each start. The filter takes up
    to 1.3 s for a text; it does so beside the loop, for one person at a time.
    """
    pieces = [text[at : at + PIECE + OVERLAP] for at in range(0, len(text), PIECE)]
    loop = asyncio.get_running_loop()
    return await loop.run_in_executor(_FILTERING, kernel.filter.check, *pieces)


async def _copy_small(objects: ObjectStore, from_id: str, to_id: str) -> None:
    """Let an upload have the small picture of another; raises NotFound."""
    try:
        small = b"".join([chunk async for chunk in objects.read(service.thumbnail_key(from_id))])
    except FileNotFoundError:
        raise NotFound from None
    await objects.write(service.thumbnail_key(to_id), "image/webp", small)


async def _remake(kernel: Kernel, row: UploadRow, key: str) -> Picture:
    """The picture that it is, kept with its small one; raises what is wrong with it."""
    objects = kernel.objects
    if await objects.size_of(key) != row.size:
        raise SizeWrong
    content = Streamed(row.size, _as_promised(objects, row, key))
    picture = await kernel.sandbox.run(row.user_id, remake, content, row.content_type)
    await objects.write(service.picture_key(row.id), row.content_type, picture.content)
    await objects.write(service.thumbnail_key(row.id), "image/webp", picture.thumbnail)
    return picture
