"""What becomes of uploads by themselves."""

from handlers.kit.context import Context
from handlers.kit.transaction import Transaction
from handlers.platform.uploads import service, uploads
from handlers.platform.uploads.contracts import ObjectsDropped, UploadDue


@uploads.consumer(UploadDue)
def drop_what_nobody_used(tx: Transaction, event: UploadDue) -> None:
    """A file that did not come, or that nothing uses, goes."""
    service.drop_if_unused(tx, event.upload_id)


@uploads.consumer(ObjectsDropped, outbound=True)
async def delete_the_objects(ctx: Context, event: ObjectsDropped) -> None:
    """Delete what nobody needs; what is gone already is as good."""
    objects = ctx.kernel.objects
    if event.parts_id is not None:
        await objects.drop_parts(service.incoming_key(event.upload_id), event.parts_id)
    for key in event.keys:
        await objects.delete(key)
