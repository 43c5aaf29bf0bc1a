"""Deletes unused uploads, and the objects of deleted ones."""

from handlers.kit.context import Context
from handlers.kit.transaction import Transaction
from handlers.platform.uploads import service, uploads
from handlers.platform.uploads.contracts import ObjectsDropped, UploadDue


@uploads.consumer(UploadDue)
def drop_what_nobody_used(tx: Transaction, event: UploadDue) -> None:
    """Delete an upload that was never completed, or that nothing uses."""
    service.drop_if_unused(tx, event.upload_id)


@uploads.consumer(ObjectsDropped, outbound=True)
async def delete_the_objects(ctx: Context, event: ObjectsDropped) -> None:
    """Delete objects that nothing needs any more; missing ones are fine."""
    objects = ctx.kernel.objects
    if event.parts_id is not None:
        await objects.drop_parts(service.incoming_key(event.upload_id), event.parts_id)
    for key in event.keys:
        await objects.delete(key)
