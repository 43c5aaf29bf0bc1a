"""Views of uploads: with a signed request to send the file, or with links to fetch it."""

from typing import NamedTuple

from handlers.kit.context import Context
from handlers.kit.visible import as_file_name
from handlers.platform.uploads import service
from handlers.platform.uploads.contracts import SignedPut, UploadView
from handlers.platform.uploads.kinds import without_parameters
from storage.objects import SIGNED_FOR, Promise, Reading, SignedRequest
from storage.platform.uploads import UploadRow


async def view_of(ctx: Context, row: UploadRow) -> UploadView:
    """The complete view of an upload, for its owner."""
    view = _bare(row)
    objects = ctx.kernel.objects
    if row.status == "ready":
        view.url = await content_of(ctx, row)
        view.thumbnail_url = await thumbnail_of(ctx, row)
    elif row.parts_id is not None:
        view.part_size = service.PART_SIZE
        view.parts = sorted(await objects.list_parts(row.key, row.parts_id))
    else:
        promise = Promise(row.content_type, row.size, row.sha256 or "")
        view.put = put_of(ctx, await objects.sign_put(row.key, promise))
    return view


class Links(NamedTuple):
    """Links to a file and its thumbnail, which work for `expires_in_s` seconds."""

    url: str
    thumbnail_url: str | None
    expires_in_s: int


async def links_of(ctx: Context, upload_id: str) -> Links:
    """Links to a ready file, for any user; the caller checks access. Raises NotFound."""
    return await _links_to(ctx, await ctx.read(service.find_ready, upload_id))


async def list_links(ctx: Context, upload_ids: list[str]) -> dict[str, Links]:
    """Links to those of these files that are ready, by the ids of their uploads, as `links_of`."""
    rows = await ctx.read(service.list_ready, upload_ids)
    return {row.id: await _links_to(ctx, row) for row in rows}


async def _links_to(ctx: Context, row: UploadRow) -> Links:
    expires_in_s = int(SIGNED_FOR.total_seconds())
    return Links(await content_of(ctx, row), await thumbnail_of(ctx, row), expires_in_s)


async def content_of(ctx: Context, row: UploadRow, method: Reading = "GET") -> str:
    """A link to the content of an upload."""
    return await _link_of(ctx, row.key, name_of(row), row.content_type, method)


async def thumbnail_of(ctx: Context, row: UploadRow, method: Reading = "GET") -> str | None:
    """A link to the thumbnail of an upload, if it has one."""
    if not row.thumbnail:
        return None
    key = service.thumbnail_key(row.id)
    return await _link_of(ctx, key, f"{name_of(row)}.webp", "image/webp", method)


async def _link_of(ctx: Context, key: str, name: str, content_type: str, method: Reading) -> str:
    """A link that downloads an object as the file `name`."""
    signing = ctx.kernel.objects.sign_get(key, name, content_type, method)
    return ctx.as_reached(await signing)


def name_of(row: UploadRow) -> str:
    """The file name for downloads; names stored before they were checked may be invalid."""
    return as_file_name(row.name) or "file"


def media_type_of(row: UploadRow) -> str:
    """The accepted type of an upload; `content_type` also has the encoding of a ready text."""
    return without_parameters(row.content_type)


def put_of(ctx: Context, signed: SignedRequest) -> SignedPut:
    url = ctx.as_reached(signed.url)
    return SignedPut(method=signed.method, url=url, headers=signed.headers)


def _bare(row: UploadRow) -> UploadView:
    return UploadView(
        id=row.id,
        name=row.name,
        content_type=media_type_of(row),
        kind=row.kind,
        size=row.size,
        status=row.status,
        width=row.width,
        height=row.height,
        created_at=row.created_at,
    )
