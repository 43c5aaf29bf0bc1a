"""Writes the file of an export: a zip with one JSON file per subject, and all uploads of the user.

Tables (`storage/engine/personal.py`) and domains (`handlers/kit/personal_data.py`) declare its
content.

The archive can be larger than the memory, so it is written to a temporary file, one page of rows or
one chunk of an upload at a time, and then copied to the object store. If anything stops on the
way, nothing is left behind, and the next attempt starts from the beginning.
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
from handlers.platform.personal_data.rules import PersonalDataRules
from handlers.platform.personal_data.service import exports
from storage.platform.personal_data.personal_rows import Row, list_exported, list_rows

ROWS_PAGE = 500
FILES_PAGE = 50
README_HEAD = """\
All data stored about you, as of {at:%Y-%m-%d %H:%M} UTC.

Each .json file is a list of rows, in UTF-8. Times are in UTC. Passwords, tokens and keys are left
out, and so is what other people wrote.

"""

P = ParamSpec("P")


class ExportCancelled(Exception):
    """The export was deleted, or is no longer in preparation."""


async def prepare(ctx: Context, export_id: str, user_id: str) -> None:
    """Write and store the file, and mark the export as ready.

    Deletes the file if the export no longer exists. An earlier attempt may have left it, if its
    instance stopped after it stored the file.
    """
    key = exports.key_of(export_id)
    ctx.kernel.scratch.mkdir(parents=True, exist_ok=True)
    with suppress(ExportCancelled), tempfile.TemporaryFile(dir=ctx.kernel.scratch) as file:
        await _Archive(ctx, export_id, user_id, file).write()
        size = file.tell()
        await ctx.kernel.objects.keep(key, exports.CONTENT_TYPE, file)
        await ctx.transact(exports.finish, export_id, size)
    if not await ctx.read(exports.is_kept, export_id):
        await ctx.kernel.objects.delete(key)


async def run_to_completion(write: Callable[P, Any], *args: P.args, **kwargs: P.kwargs) -> None:
    """Run `write` on a thread. A cancelled caller still waits for it, because the caller then
    closes the file."""
    writing = asyncio.ensure_future(asyncio.to_thread(write, *args, **kwargs))
    try:
        await asyncio.shield(writing)
    except asyncio.CancelledError:
        await asyncio.wait([writing])
        raise


class _Archive:
    """The archive of one export while it is being written."""

    def __init__(self, ctx: Context, export_id: str, user_id: str, file: BinaryIO) -> None:
        self._ctx = ctx
        self._export_id = export_id
        self._user_id = user_id
        self._file = file
        self._tables = list_exported()
        self._declared = ctx.kernel.personal_data
        self._done, self._reported_at = 0, float("-inf")

    async def write(self) -> None:
        """Write the whole archive; raises ExportCancelled."""
        self._total = len(self._tables) + len(self._declared.exported_rows)
        for files in self._declared.exported_files:
            self._total += await self._ctx.read(files.count, self._user_id)
        await self._report()
        with ZipFile(self._file, "w", ZIP_DEFLATED) as self._zip:
            await run_to_completion(self._zip.writestr, "README.txt", self._readme())
            for table, export in self._tables:
                await self._write_rows(export.file, self._rows_of(table))
            for rows in self._declared.exported_rows:
                await self._write_rows(rows.file, self._pages_of(rows.list_page))
            for files in self._declared.exported_files:
                await self._write_files(files)

    def _readme(self) -> str:
        files = [(export.file, export.description) for _, export in self._tables]
        files += [(rows.file, rows.description) for rows in self._declared.exported_rows]
        lines = [f"{file}.json\n    {description}\n" for file, description in files]
        return README_HEAD.format(at=self._ctx.kernel.clock.now()) + "\n".join(lines)

    async def _write_rows(self, name: str, pages: AsyncIterator[Rows]) -> None:
        """Write one JSON file, page by page."""
        with self._zip.open(f"{name}.json", "w", force_zip64=True) as entry:
            before = b"[\n"
            async for page in pages:
                for row in page:
                    await run_to_completion(entry.write, before + msgspec.json.encode(row))
                    before = b",\n"
            entry.write(b"[]\n" if before == b"[\n" else b"\n]\n")
        await self._note_done()

    async def _rows_of(self, table: Table) -> AsyncIterator[Rows]:
        after: Row | None = None
        while True:
            rows, after = await self._ctx.read(list_rows, table, self._user_id, after, ROWS_PAGE)
            yield rows
            if after is None:
                return

    async def _pages_of(self, list_page: ListRows) -> AsyncIterator[Rows]:
        after: str | None = ""
        while after is not None:
            rows, after = await self._ctx.read(list_page, self._user_id, after, ROWS_PAGE)
            yield rows

    async def _write_files(self, files: ExportedFiles) -> None:
        after: str | None = ""
        while after is not None:
            page, after = await self._ctx.read(files.list_page, self._user_id, after, FILES_PAGE)
            for one in page:
                await self._write_file(one.path, one.key)

    async def _write_file(self, name: str, key: str) -> None:
        """Copy one upload unchanged. One that is deleted meanwhile is left out or cut short."""
        chunks = self._ctx.kernel.objects.read(key)
        with suppress(FileNotFoundError):
            first = await anext(chunks, b"")
            info = ZipInfo(name)
            info.compress_type = ZIP_STORED
            with self._zip.open(info, "w", force_zip64=True) as entry:
                await run_to_completion(entry.write, first)
                async for chunk in chunks:
                    await run_to_completion(entry.write, chunk)
        await self._note_done()

    async def _note_done(self) -> None:
        self._done += 1
        every_s = self._ctx.kernel.rules.of(PersonalDataRules).export_progress_every_s
        if monotonic() - self._reported_at >= every_s:
            await self._report()

    async def _report(self) -> None:
        self._reported_at = monotonic()
        percent = min(99, 100 * self._done // self._total)
        wanted = await self._ctx.transact(exports.note_progress, self._export_id, percent)
        if not wanted:
            raise ExportCancelled
