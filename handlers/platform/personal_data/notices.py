"""Notices about exports of personal data and deletions of accounts."""

from collections.abc import Iterator

from handlers.kit.notices import Notice
from handlers.kit.transaction import Transaction
from handlers.platform.personal_data import personal_data
from handlers.platform.personal_data.contracts import (
    AccountDeletionCancelled,
    AccountDeletionPlanned,
    ExportReady,
)


@personal_data.notifies(ExportReady, "export_ready", importance="critical", says=("expires_at",))
def tell_of_the_export(tx: Transaction, event: ExportReady) -> Iterator[Notice]:
    """Notify the owner of a ready export, in case somebody else requested it."""
    yield Notice(
        to=event.user_id,
        link="/profile",
        data={"export_id": event.export.id},
        values={"expires_at": event.export.expires_at},
    )


@personal_data.notifies(
    AccountDeletionPlanned,
    "account_deletion_planned",
    importance="critical",
    says=("deleted_at",),
)
def warn_of_the_deletion(tx: Transaction, event: AccountDeletionPlanned) -> Iterator[Notice]:
    """Notify the owner of a planned deletion, and until when they can cancel it."""
    deleted_at = event.deleted_at
    yield Notice(
        to=event.user_id,
        link="/profile",
        data={"deleted_at": deleted_at},
        values={"deleted_at": deleted_at},
    )


@personal_data.notifies(
    AccountDeletionCancelled, "account_deletion_cancelled", importance="critical"
)
def tell_that_the_account_stays(
    tx: Transaction, event: AccountDeletionCancelled
) -> Iterator[Notice]:
    """Notify the owner of a cancelled deletion."""
    yield Notice(to=event.user_id, link="/profile")
