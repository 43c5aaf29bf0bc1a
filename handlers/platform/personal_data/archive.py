"""The file of an export: a zip of JSON by subject, and of all files that the person brought.

What is in it, tables (`storage/engine/personal.py`) and domains (`handlers/kit/personal_data.py`)
declare.

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
from handlers.kit.personal_data import ExportedFiles, ListRows, Rows
from handlers.platform.personal_data.service import exports
from storage.platform.personal_data.personal_rows import Row, list_exported, list_rows

PAGE = 500
FILES_AT_ONCE = 50
ABOUT = """\
All that is kept of you, as of {at:%Y-%m-%d %H:%M} UTC.

Each .json file is a list of rows, in UTF-8. Moments are in UTC. Passwords, tokens and keys are
left out; what others wrote is theirs, and is not in here.

"""

P = ParamSpec("P")


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
        self._tables = list_exported()
        self._declared = ctx.kernel.personal_data
        self._done, self._told_at = 0, float("-inf")

    async def write(self) -> None:
        """Everything; raises NotWanted."""
        self._all = len(self._tables) + len(self._declared.exported_rows)
        for files in self._declared.exported_files:
            self._all += await self._ctx.read(files.count, self._user_id)
        await self._tell()
        with ZipFile(self._file, "w", ZIP_DEFLATED) as self._zip:
            await to_the_end(self._zip.writestr, "README.txt", self._about())
            for table, export in self._tables:
                await self._write_rows(export.file, self._rows_of(table))
            for rows in self._declared.exported_rows:
                await self._write_rows(rows.file, self._pages_of(rows.list_page))
            for files in self._declared.exported_files:
                await self._write_files(files)

    def _about(self) -> str:
        said = [(export.file, export.description) for _, export in self._tables]
        said += [(rows.file, rows.description) for rows in self._declared.exported_rows]
        lines = [f"{file}.json\n    {description}\n" for file, description in said]
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
            rows, after = await self._ctx.read(list_rows, table, self._user_id, after, PAGE)
            yield rows
            if after is None:
                return

    async def _pages_of(self, list_page: ListRows) -> AsyncIterator[Rows]:
        after: str | None = ""
        while after is not None:
            rows, after = await self._ctx.read(list_page, self._user_id, after, PAGE)
            yield rows

    async def _write_files(self, files: ExportedFiles) -> None:
        after: str | None = ""
        while after is not None:
            page, after = await self._ctx.read(files.list_page, self._user_id, after, FILES_AT_ONCE)
            for one in page:
                await self._write_file(one.path, one.key)

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
