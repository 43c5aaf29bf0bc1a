"""Requests, views, events and refusals of exports and account deletions."""

from datetime import datetime
from typing import ClassVar, Literal

from handlers.kit.contract import ChangeNothing, Event, Moment, Nothing, ToUser, View
from handlers.kit.errors import Refusal


class DeletionPlanned(Refusal):
    """Your account is about to be deleted. Restore it first."""


class ExportUnderWay(Refusal):
    """An export is already being prepared."""


class AskExport(ChangeNothing):
    """Ask for a file with all your personal data."""


class GetAccount(Nothing):
    """Ask for the state of your account."""


class DeleteAccount(ChangeNothing):
    """Request the deletion of your account."""


class RestoreAccount(ChangeNothing):
    """Cancel the deletion."""


class ExportView(View):
    """An export; `percent` is its progress. You can download a ready one until `expires_at`."""

    id: str
    status: Literal["preparing", "ready"]
    percent: int
    size: int | None
    asked_at: datetime
    expires_at: datetime


class DeletionView(View):
    """When the account will be deleted, or null."""

    deleted_at: datetime | None


class AccountView(View):
    """The latest export and the planned deletion, as of event `seq` of the user's own room.

    `url` downloads a ready export for `url_expires_in_s` seconds; it requires a fresh proof.
    """

    export: ExportView | None
    url: str | None
    deleted_at: datetime | None
    seq: int
    url_expires_in_s: int | None = None


class _OfUser(ToUser):
    NAMESPACE: ClassVar[str | None] = "/account"


class _OfExport(_OfUser):
    export: ExportView


class ExportProgressed(_OfExport):
    """The preparation of an export progressed."""

    NAME: ClassVar[str] = "EXPORT_PROGRESSED"


class ExportReady(_OfExport):
    """An export can be downloaded."""

    NAME: ClassVar[str] = "EXPORT_READY"


class ExportDropped(_OfExport):
    """An export expired or failed."""

    NAME: ClassVar[str] = "EXPORT_DROPPED"


class AccountDeletionPlanned(_OfUser):
    """A user requested the deletion of their account, and can cancel it until `deleted_at`."""

    NAME: ClassVar[str] = "ACCOUNT_DELETION_PLANNED"
    deleted_at: Moment


class AccountDeletionCancelled(_OfUser):
    """The user cancelled the deletion."""

    NAME: ClassVar[str] = "ACCOUNT_DELETION_CANCELLED"


class AccountDeleted(_OfUser):
    """The user's personal data was deleted."""

    NAME: ClassVar[str] = "ACCOUNT_DELETED"


class _Inner(Event):
    user_id: str

    def key(self) -> str:
        return f"account:{self.user_id}"


class ExportRequested(_Inner):
    """A user requested an export."""

    NAME: ClassVar[str] = "EXPORT_REQUESTED"
    export_id: str

    def key(self) -> str:
        return f"export:{self.export_id}"


class ExportDue(_Inner):
    """An export has expired."""

    NAME: ClassVar[str] = "EXPORT_DUE"
    export_id: str


class WithdrawalGoesOn(_Inner):
    """A user who is leaving has more bookings than one transaction can cancel."""

    NAME: ClassVar[str] = "WITHDRAWAL_GOES_ON"


class AccountDeletionDue(_Inner):
    """The time to cancel a deletion is over."""

    NAME: ClassVar[str] = "ACCOUNT_DELETION_DUE"


class ErasureGoesOn(_Inner):
    """An erasure continues with `step`, after the position `after`."""

    NAME: ClassVar[str] = "ERASURE_GOES_ON"
    PLAIN: ClassVar[tuple[str, ...]] = ("step", "after")
    step: str
    after: str
    round: int = 0
    """All steps run again in later rounds, for data that was written meanwhile."""
