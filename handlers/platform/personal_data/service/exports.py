"""Decisions about exports, from the request to the deletion.

Invariant: at most one export per user is in preparation (a unique index ensures it), and a user
can request `exports_per_day`.
"""

from datetime import timedelta

import msgspec

from handlers.kit.context import Context
from handlers.kit.errors import RateLimited
from handlers.kit.transaction import Transaction
from handlers.platform.auth import public as accounts
from handlers.platform.personal_data.contracts import (
    AccountView,
    ExportDropped,
    ExportDue,
    ExportProgressed,
    ExportReady,
    ExportRequested,
    ExportUnderWay,
    ExportView,
)
from handlers.platform.personal_data.rules import PersonalDataRules
from handlers.platform.uploads.contracts import ObjectsDropped
from storage.objects import SIGNED_FOR
from storage.platform.personal_data import tables as store
from storage.platform.personal_data.tables import ExportRow

DAY = timedelta(days=1)
GIVEN_UP_AFTER = DAY
"""An export that never succeeds is deleted after this time, so that a new one can be requested."""
CONTENT_TYPE = "application/zip"


def ask(tx: Transaction) -> ExportView:
    """Begin an export; raises ProofNeeded, ExportUnderWay or RateLimited."""
    accounts.require_fresh_proof(tx)
    most = tx.rules.of(PersonalDataRules).exports_per_day
    if store.count_exports(tx, tx.actor.id, tx.now - DAY) >= most:
        raise RateLimited(retry_after_s=DAY.total_seconds())
    row = ExportRow(
        id=tx.new_id(),
        user_id=tx.actor.id,
        status="preparing",
        percent=0,
        size=None,
        asked_at=tx.now,
        expires_at=tx.now + GIVEN_UP_AFTER,
    )
    if not store.insert_export(tx, row):
        raise ExportUnderWay
    tx.publish(ExportRequested(user_id=row.user_id, export_id=row.id))
    _drop_later(tx, row)
    return view_of(row)


def note_progress(tx: Transaction, export_id: str, percent: int) -> bool:
    """Record and publish the progress; False if the export is no longer in preparation."""
    row = store.lock_export(tx, export_id)
    if row is None or row.status != "preparing":
        return False
    row.percent = percent
    store.update_export(tx, row)
    tx.publish(ExportProgressed(user_id=row.user_id, export=view_of(row)))
    return True


def finish(tx: Transaction, export_id: str, size: int) -> None:
    """Mark the export as ready for download, unless it is no longer in preparation."""
    row = store.lock_export(tx, export_id)
    if row is None or row.status != "preparing":
        return
    row.status, row.percent, row.size = "ready", 100, size
    row.expires_at = tx.now + tx.rules.span("exports_kept_days")
    store.update_export(tx, row)
    _drop_later(tx, row)
    tx.publish(ExportReady(user_id=row.user_id, export=view_of(row)))


def is_kept(tx: Transaction, export_id: str) -> bool:
    """Whether the export still exists."""
    return store.find_export(tx, export_id) is not None


def drop_when_due(tx: Transaction, export_id: str) -> None:
    row = store.lock_export(tx, export_id)
    if row is None:
        return
    if row.expires_at > tx.now:
        _drop_later(tx, row)
    else:
        drop(tx, row)


def drop(tx: Transaction, row: ExportRow) -> None:
    """Delete an export and its file."""
    store.delete_export(tx, row.id)
    tx.cancel_timer(f"export:{row.id}")
    tx.publish(ObjectsDropped(upload_id=row.id, keys=[key_of(row.id)]))
    tx.publish(ExportDropped(user_id=row.user_id, export=view_of(row)))


async def with_link(ctx: Context, view: AccountView) -> AccountView:
    """Add the download link of a ready export, if the actor has a fresh proof."""
    proved = await ctx.read(accounts.has_fresh_proof)
    if proved and view.export is not None and view.export.status == "ready":
        name = f"parley-{view.export.asked_at:%Y-%m-%d}.zip"
        key = key_of(view.export.id)
        view.url_expires_in_s = int(SIGNED_FOR.total_seconds())
        view.url = ctx.as_reached(await ctx.kernel.objects.sign_get(key, name, CONTENT_TYPE))
    return view


def key_of(export_id: str) -> str:
    return f"exports/{export_id}"


def view_of(row: ExportRow) -> ExportView:
    fields = msgspec.structs.asdict(row)
    del fields["user_id"]
    return ExportView(**fields)


def _drop_later(tx: Transaction, row: ExportRow) -> None:
    due = ExportDue(user_id=row.user_id, export_id=row.id)
    tx.publish_later(due, row.expires_at, f"export:{row.id}")
