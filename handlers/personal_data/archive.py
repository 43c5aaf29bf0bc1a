"""The file of an export: a zip of JSON by subject, and of all files that the person brought.

It is written to a disk, for it can be larger than the memory, a page of rows or a piece of a file
at a time, and then put where files are kept: whatever stops on the way leaves nothing behind, and
is done again from the start.
"""

import asyncio
import tempfile
from collections.abc import AsyncIterator, Callable
from contextlib import suppress
from time import monotonic
from typing import Any, BinaryIO, ParamSpec
from zipfile import ZIP_DEFLATED, ZIP_STORED, ZipFile, ZipInfo

import msgspec
from sqlalchemy import Table

from handlers.kit.context import Context
from handlers.kit.personal import list_namespaces, without_others_words
from handlers.kit.visible import as_file_name
from handlers.personal_data.service import exports
from handlers.uploads import public as uploads
from rooms import names
from storage import personal
from storage import personal_data as store
from storage.personal import Row

PAGE = 500
FILES_AT_ONCE = 50
EVENTS = "events"
ABOUT = """\
All that is kept of you, as of {at:%Y-%m-%d %H:%M} UTC.

Each .json file is a list of rows, in UTF-8. Moments are in UTC. Passwords, tokens and keys are
left out; what others wrote is theirs, and is not in here.

"""

P = ParamSpec("P")
Rows = list[dict[str, Any]]


class NotWanted(Exception):
    """Nobody waits for this export any more."""


async def prepare(ctx: Context, export_id: str, user_id: str) -> None:
    """Make the file and say so; nothing is left of one that nobody waits for any more.

    That may have become so when the file was there and an instance stopped before it said so.
    """
    key = exports.key_of(export_id)
    ctx.kernel.scratch.mkdir(parents=True, exist_ok=True)
    with suppress(NotWanted), tempfile.TemporaryFile(dir=ctx.kernel.scratch) as file:
        await _Archive(ctx, export_id, user_id, file).write()
        size = file.tell()
        await ctx.kernel.objects.keep(key, exports.CONTENT_TYPE, file)
        await ctx.transact(exports.finish, export_id, size)
    if not await ctx.read(exports.is_kept, export_id):
        await ctx.kernel.objects.delete(key)


async def to_the_end(write: Callable[P, Any], *args: P.args, **kwargs: P.kwargs) -> None:
    """Write off the loop's thread; who is cancelled waits, for the file is closed behind them."""
    writing = asyncio.ensure_future(asyncio.to_thread(write, *args, **kwargs))
    try:
        await asyncio.shield(writing)
    except asyncio.CancelledError:
        await asyncio.wait([writing])
        raise


class _Archive:
    """One export as it is written."""

    def __init__(self, ctx: Context, export_id: str, user_id: str, file: BinaryIO) -> None:
        self._ctx = ctx
        self._export_id = export_id
        self._user_id = user_id
        self._file = file
        self._tables = personal.list_exported()
        self._done, self._told_at = 0, float("-inf")

    async def write(self) -> None:
        """Everything; raises NotWanted."""
        brought = await self._ctx.read(uploads.count_ready, self._user_id)
        self._all = len(self._tables) + 1 + brought
        await self._tell()
        with ZipFile(self._file, "w", ZIP_DEFLATED) as self._zip:
            await to_the_end(self._zip.writestr, "README.txt", self._about())
            for table in self._tables:
                await self._write_rows(personal.personal_of(table).file or "", self._rows_of(table))
            await self._write_rows(EVENTS, self._events())
            await self._write_files()

    def _about(self) -> str:
        said = [personal.personal_of(table) for table in self._tables]
        lines = [f"{one.file}.json\n    {one.says}\n" for one in said]
        lines.append(f"{EVENTS}.json\n    What you were told of all this lately, as it happened.\n")
        return ABOUT.format(at=self._ctx.kernel.clock.now()) + "\n".join(lines)

    async def _write_rows(self, name: str, pages: AsyncIterator[Rows]) -> None:
        """One file, a page after the other."""
        with self._zip.open(f"{name}.json", "w", force_zip64=True) as entry:
            before = b"[\n"
            async for page in pages:
                for row in page:
                    await to_the_end(entry.write, before + msgspec.json.encode(row))
                    before = b",\n"
            entry.write(b"[]\n" if before == b"[\n" else b"\n]\n")
        await self._note_done()

    async def _rows_of(self, table: Table) -> AsyncIterator[Rows]:
        after: Row | None = None
        while True:
            rows, after = await self._ctx.read(
                personal.list_rows, table, self._user_id, after, PAGE
            )
            yield rows
            if after is None:
                return

    async def _events(self) -> AsyncIterator[Rows]:
        """What they heard in their own rooms."""
        for namespace in list_namespaces():
            stream, after = names.stream(namespace, names.user(self._user_id)), 0
            while heard := await self._ctx.read(store.list_heard, stream, after, PAGE):
                after = heard[-1].seq
                yield [
                    {
                        "namespace": namespace,
                        "name": one.name,
                        "at": one.at,
                        "data": without_others_words(one.data, self._user_id),
                    }
                    for one in heard
                ]

    async def _write_files(self) -> None:
        after = ""
        while page := await self._ctx.read(
            uploads.list_uploads, self._user_id, after, FILES_AT_ONCE
        ):
            after = page[-1].id
            for row in page:
                if row.status == "ready":
                    name = as_file_name(row.name) or "file"
                    await self._write_file(f"files/{row.id}/{name}", row.key)

    async def _write_file(self, name: str, key: str) -> None:
        """As it is; one that was let go of meanwhile is left out, or ends where it was."""
        chunks = self._ctx.kernel.objects.read(key)
        with suppress(FileNotFoundError):
            first = await anext(chunks, b"")
            info = ZipInfo(name)
            info.compress_type = ZIP_STORED
            with self._zip.open(info, "w", force_zip64=True) as entry:
                await to_the_end(entry.write, first)
                async for chunk in chunks:
                    await to_the_end(entry.write, chunk)
        await self._note_done()

    async def _note_done(self) -> None:
        self._done += 1
        if monotonic() - self._told_at >= self._ctx.kernel.rules.export_progress_every_s:
            await self._tell()

    async def _tell(self) -> None:
        self._told_at = monotonic()
        percent = min(99, 100 * self._done // self._all)
        wanted = await self._ctx.transact(exports.note_progress, self._export_id, percent)
        if not wanted:
            raise NotWanted
