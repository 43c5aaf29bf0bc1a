"""REST endpoints to start an upload, send the file (large ones in parts), complete and fetch it.

With S3, clients send files to it and fetch them from it directly. With a folder, they use `/files/`
on this server, with signed URLs of the same kind.
"""

import asyncio
import re
from collections.abc import AsyncIterator
from time import monotonic
from urllib.parse import quote, urlsplit

from aiohttp import web
from aiohttp.abc import AbstractStreamWriter

from handlers.kit.context import Context
from handlers.kit.contract import Empty
from handlers.kit.errors import NotFound, Unavailable
from handlers.kit.filter import TextRefused
from handlers.kit.rest import answer, read_body
from handlers.platform.uploads import checks, service, uploads
from handlers.platform.uploads.contracts import (
    ChecksumWrong,
    CompleteUpload,
    NotUploaded,
    QuotaExceeded,
    SignedPut,
    SizeWrong,
    StartPart,
    StartUpload,
    TooLarge,
    TypeNotAllowed,
    UploadView,
)
from handlers.platform.uploads.views import content_of, put_of, thumbnail_of, view_of
from storage.objects import ObjectsUnavailable, Promise, Reading
from storage.objects.folder import Folder, NotAsPromised
from storage.platform.uploads import UploadRow

CHUNK = 262_144
PUT_WITHIN_S = 1_800
PIECE_WITHIN_S = 60
"""A body is dropped if its client sends nothing for this time."""
SLOWEST_BYTES_PER_S = 4_096
SLOW_START_S = 30.0
"""A body is dropped if, after the first `SLOW_START_S`, its average rate is below
`SLOWEST_BYTES_PER_S`."""
ONE_RANGE = re.compile(r"bytes=(\d+-\d*|-0*[1-9]\d*)", re.ASCII | re.IGNORECASE)


@uploads.route(
    "POST",
    "/uploads",
    takes=StartUpload,
    gives=UploadView,
    refuses=(TypeNotAllowed, TooLarge, QuotaExceeded, TextRefused),
)
async def start(ctx: Context, request: web.Request) -> web.Response:
    """Start an upload."""
    ask = read_body(request, StartUpload)
    row = await with_parts(ctx, await ctx.transact(service.begin, ask))
    return answer(await view_of(ctx, row), 201)


@uploads.route("GET", "/uploads/{upload_id}", gives=UploadView)
async def show(ctx: Context, request: web.Request) -> web.Response:
    """Get the state of an upload, with new signed requests."""
    row = await ctx.read(service.find_mine, request.match_info["upload_id"])
    return answer(await view_of(ctx, await with_parts(ctx, row)))


@uploads.route(
    "POST",
    "/uploads/{upload_id}/parts/{number:[0-9]{1,5}}",
    takes=StartPart,
    gives=SignedPut,
)
async def start_part(ctx: Context, request: web.Request) -> web.Response:
    """Get a signed request for one part; a part can be uploaded again until completion."""
    ask = read_body(request, StartPart)
    row = await ctx.read(service.find_mine, request.match_info["upload_id"])
    number = int(request.match_info["number"])
    size = service.part_size_of(row, number)
    if row.status == "ready" or row.parts_id is None:
        raise NotFound
    promise = Promise("application/octet-stream", size, ask.sha256)
    signed = await ctx.kernel.objects.sign_part(row.key, row.parts_id, number, promise)
    return answer(put_of(ctx, signed))


@uploads.route(
    "POST",
    "/uploads/{upload_id}/complete",
    takes=CompleteUpload,
    gives=UploadView,
    refuses=(NotUploaded, *checks.FAULTS),
)
async def complete(ctx: Context, request: web.Request) -> web.Response:
    """Complete an upload, which checks the file. The body is optional."""
    ask = read_body(request, CompleteUpload) if request.body_exists else CompleteUpload()
    row = await checks.complete(ctx, request.match_info["upload_id"], ask.poster_id)
    return answer(await view_of(ctx, row))


@uploads.route("DELETE", "/uploads/{upload_id}", gives=Empty)
async def drop(ctx: Context, request: web.Request) -> web.Response:
    """Delete a file that nothing uses."""
    return answer(await ctx.transact(service.drop_mine, request.match_info["upload_id"]))


@uploads.route("GET", "/pictures/{upload_id}", visitors=True, rate="files", head=True)
async def get_picture(ctx: Context, request: web.Request) -> web.Response:
    """Redirect to a public picture; with `?small`, to its small version."""
    row = await ctx.read(service.find_picture, request.match_info["upload_id"])
    method: Reading = "HEAD" if request.method == "HEAD" else "GET"
    small = await thumbnail_of(ctx, row, method) if "small" in request.query else None
    place = small or await content_of(ctx, row, method)
    if ctx.kernel.objects.origin is None:  # it is here, by whatever name this server was reached
        place = urlsplit(place)._replace(scheme="", netloc="").geturl()
    headers = {"Location": place, "Cache-Control": "public, max-age=240"}
    return web.Response(status=302, headers=headers)


async def with_parts(ctx: Context, row: UploadRow) -> UploadRow:
    """With a place for its parts, if it comes in parts and has none yet."""
    if service.is_whole(row) or row.parts_id is not None or row.status == "ready":
        return row
    parts_id = await ctx.kernel.objects.begin_parts(row.key, row.content_type)
    row = await ctx.transact(service.note_parts, row.id, parts_id)
    if row.parts_id != parts_id:  # another request was faster
        await ctx.kernel.objects.drop_parts(row.key, parts_id)
    return row


# Requests to the folder store.


@uploads.route(
    "PUT",
    "/files/{key:[a-z]+/.+}",
    visitors=True,
    rate="files",
    cross_site=True,
    streams=True,
    refuses=(SizeWrong, ChecksumWrong),
)
async def put_file(ctx: Context, request: web.Request) -> web.Response:
    """Upload a file to a signed address."""
    folder, key = signed_folder(ctx, request)
    query = request.query
    promise = Promise(query["type"], int(query["size"]), query["sha256"])
    if request.content_length is not None and request.content_length != promise.size:
        raise SizeWrong
    if "parts/" not in key and request.headers.get("Content-Type", "") != promise.content_type:
        raise NotFound
    await ctx.read(service.check_waits, key)
    try:
        async with asyncio.timeout(PUT_WITHIN_S):
            await folder.take(key, promise, chunks_of(request))
    except NotAsPromised:
        raise ChecksumWrong from None
    except FileNotFoundError:  # the upload was deleted meanwhile
        raise NotFound from None
    except ObjectsUnavailable:
        raise Unavailable(retry_after_s=5) from None
    return web.Response(status=200)


@uploads.route("GET", "/files/{key:[a-z]+/.+}", visitors=True, rate="files", head=True)
async def get_file(ctx: Context, request: web.Request) -> web.StreamResponse:
    """Download a file, or one range of it, from a signed address."""
    folder, key = signed_folder(ctx, request)
    path = folder.path_of(key)
    if not path.is_file():
        raise NotFound
    name = quote(request.query["name"], safe="")
    headers = {
        "Content-Type": request.query["type"],
        "Content-Disposition": f"attachment; filename*=UTF-8''{name}",
        "X-Content-Type-Options": "nosniff",
        "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'; sandbox",
        "Cross-Origin-Resource-Policy": "cross-origin",
        "Cache-Control": "private, max-age=300",
    }
    return File(path, headers=headers)


class File(web.FileResponse):
    """A file, or one range of it. Any other Range header is ignored (RFC 9110, section 14.2)."""

    async def prepare(self, request: web.BaseRequest) -> AbstractStreamWriter | None:
        wanted = request.headers.get("Range")
        if wanted is not None and not ONE_RANGE.fullmatch(wanted):
            headers = request.headers.copy()
            del headers["Range"]
            request = request.clone(headers=headers)
        return await super().prepare(request)


def signed_folder(ctx: Context, request: web.Request) -> tuple[Folder, str]:
    """The folder store and the object key of a signed URL; raises NotFound for any other URL."""
    folder, key = ctx.kernel.objects, request.match_info["key"]
    method = "GET" if request.method == "HEAD" else request.method
    if not isinstance(folder, Folder) or not folder.is_signed(method, key, request.query):
        raise NotFound
    return folder, key


async def chunks_of(request: web.Request) -> AsyncIterator[bytes]:
    """The body in chunks. Raises RequestPayloadError if the connection breaks.

    Raises TimeoutError if the body stops, or is so slow that it only holds the connection.
    """
    began, size = monotonic(), 0
    while True:
        try:
            async with asyncio.timeout(PIECE_WITHIN_S):
                chunk = await request.content.read(CHUNK)
        except ConnectionError as error:
            raise web.RequestPayloadError("The connection broke.") from error
        if not chunk:
            return
        size += len(chunk)
        if size < (monotonic() - began - SLOW_START_S) * SLOWEST_BYTES_PER_S:
            raise TimeoutError("the body arrives too slowly")
        yield chunk
