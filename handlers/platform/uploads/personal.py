"""Includes a user's uploads in exports, and deletes them with the account."""

from handlers.kit.personal_data import ExportedFile, Stage, more
from handlers.kit.transaction import Transaction
from handlers.kit.visible import as_file_name
from handlers.platform.uploads import uploads
from handlers.platform.uploads.service import disuse
from storage.platform import uploads as store


@uploads.personal_data.erase(Stage.FILES)
def drop_files(tx: Transaction, user_id: str, after: str, limit: int) -> str | None:
    """Delete a user's uploads, even used ones; other domains remove their references in the same
    transaction."""
    ids = [row.id for row in store.list_uploads(tx, user_id, "", limit)]
    for forget in tx.kernel.personal_data.dropped_files:
        forget(tx, user_id, ids)
    for upload_id in ids:
        disuse(tx, upload_id)
    return more(len(ids), limit)


@uploads.personal_data.export_files(count=store.count_ready)
def list_files(
    tx: Transaction, user_id: str, after: str, limit: int
) -> tuple[list[ExportedFile], str | None]:
    """A user's ready uploads, each in a folder of its own."""
    rows = store.list_uploads(tx, user_id, after, limit)
    files = [
        ExportedFile(f"files/{row.id}/{as_file_name(row.name) or 'file'}", row.key)
        for row in rows
        if row.status == "ready"
    ]
    return files, rows[-1].id if len(rows) == limit else None
