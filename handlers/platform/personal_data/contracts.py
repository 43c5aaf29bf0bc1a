"""What is said about all that is kept of a person."""

from datetime import datetime
from typing import ClassVar, Literal

from handlers.kit.contract import ChangeNothing, Event, Moment, Nothing, View
from handlers.kit.errors import Refusal
from rooms import names


class ExportUnderWay(Refusal):
    """One is being prepared already."""


class AskExport(ChangeNothing):
    """Ask for a file of all that is kept of oneself."""


class GetAccount(Nothing):
    """Ask what is under way with one's account."""


class DeleteAccount(ChangeNothing):
    """Have one's account deleted."""


class RestoreAccount(ChangeNothing):
    """Take that back."""


class ExportView(View):
    """An export; `percent` of it is done. A ready one can be fetched until `expires_at`."""

    id: str
    status: Literal["preparing", "ready"]
    percent: int
    size: int | None
    asked_at: datetime
    expires_at: datetime


class DeletionView(View):
    """When one's account is to be deleted, if it is."""

    deleted_at: datetime | None


class AccountView(View):
    """The latest export, when the account is to be deleted, and the number that this reflects.

    `url` fetches a ready export, for five minutes; it is given with a fresh proof only.
    """

    export: ExportView | None
    url: str | None
    deleted_at: datetime | None
    seq: int


class _OfUser(Event):
    NAMESPACE: ClassVar[str | None] = "/account"
    user_id: str

    def key(self) -> str:
        return f"user:{self.user_id}"

    def rooms(self) -> tuple[str, ...]:
        return (names.user(self.user_id),)


class _OfExport(_OfUser):
    export: ExportView


class ExportProgressed(_OfExport):
    """More of an export is done."""

    NAME: ClassVar[str] = "EXPORT_PROGRESSED"


class ExportReady(_OfExport):
    """An export can be fetched."""

    NAME: ClassVar[str] = "EXPORT_READY"


class ExportDropped(_OfExport):
    """An export can be fetched no more, or was given up."""

    NAME: ClassVar[str] = "EXPORT_DROPPED"


class AccountDeletionPlanned(_OfUser):
    """Somebody wants their account deleted; until `deleted_at` they can take that back."""

    NAME: ClassVar[str] = "ACCOUNT_DELETION_PLANNED"
    deleted_at: Moment


class AccountDeletionCancelled(_OfUser):
    """They took it back."""

    NAME: ClassVar[str] = "ACCOUNT_DELETION_CANCELLED"


class AccountDeleted(_OfUser):
    """Nothing is kept of them any more."""

    NAME: ClassVar[str] = "ACCOUNT_DELETED"


class _Inner(Event):
    user_id: str

    def key(self) -> str:
        return f"account:{self.user_id}"


class ExportRequested(_Inner):
    """An export is to be prepared."""

    NAME: ClassVar[str] = "EXPORT_REQUESTED"
    export_id: str

    def key(self) -> str:
        return f"export:{self.export_id}"


class ExportDue(_Inner):
    """The time of an export is over."""

    NAME: ClassVar[str] = "EXPORT_DUE"
    export_id: str


class WithdrawalGoesOn(_Inner):
    """Somebody who is about to go has more to be called off than one transaction does."""

    NAME: ClassVar[str] = "WITHDRAWAL_GOES_ON"


class AccountDeletionDue(_Inner):
    """The time in which a deletion could be taken back is over."""

    NAME: ClassVar[str] = "ACCOUNT_DELETION_DUE"


class ErasureGoesOn(_Inner):
    """The next piece of an erasure: of this step, after what was done last."""

    NAME: ClassVar[str] = "ERASURE_GOES_ON"
    PLAIN: ClassVar[tuple[str, ...]] = ("step", "after")
    step: str
    after: str
    round: int = 0
    """All steps run again in later rounds, for what was written meanwhile."""
