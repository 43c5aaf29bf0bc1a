"""What is said about waiting lists and their offers."""

from datetime import datetime
from typing import ClassVar, Literal

from handlers.consulting.availability.contracts.blocks import BlockView
from handlers.kit.contract import Change, Event, Id, Nothing, ToUser, View
from handlers.kit.errors import Refusal


class BlockNotFull(Refusal):
    """This block has a free place; request a booking instead."""


class AlreadyHolds(Refusal):
    """You already have a place in this block."""


class JoinWaitingList(Change, kw_only=True):
    block_id: Id


class LeaveWaitingList(Change, kw_only=True):
    block_id: Id


class ListWaits(Nothing):
    """Ask for your places on waiting lists."""


class PositionView(View):
    """Your position on a waiting list, starting at 1."""

    position: int


class WaitView(View):
    """Your place on the waiting list of a block, with the end of your offer, if you have one."""

    block: BlockView
    position: int
    joined_at: datetime
    offer_expires_at: datetime | None


class WaitsView(View):
    """Your places on waiting lists, by the start of the block, as of event `seq` of your room."""

    waits: list[WaitView]
    seq: int


class _ToWaiting(ToUser):
    """An event for `user_id`, who is or was on the waiting list of the block."""

    NAMESPACE: ClassVar[str | None] = "/availability"
    PRIVATE: ClassVar[tuple[str, ...]] = ("user_id",)
    block: BlockView


class WaitingListClosed(_ToWaiting):
    """The waiting list ended without a place: the block began or was withdrawn."""

    NAME: ClassVar[str] = "WAITING_LIST_CLOSED"
    reason: Literal["begun", "withdrawn"]


class _Offer(_ToWaiting):
    expires_at: datetime


class WaitingListOffered(_Offer):
    """A place became free and is reserved for the first user on the waiting list."""

    NAME: ClassVar[str] = "WAITING_LIST_OFFERED"


class WaitingListOfferExpired(_Offer):
    """The user did not take the offered place in time, or the place was withdrawn."""

    NAME: ClassVar[str] = "WAITING_LIST_OFFER_EXPIRED"


class OfferDue(Event):
    """It is time to look at the offers of a block: one may be over, or a place may be free."""

    NAME: ClassVar[str] = "OFFER_DUE"
    block_id: str

    def key(self) -> str:
        return f"block:{self.block_id}"


class BeginDue(Event):
    """A block that has a waiting list begins."""

    NAME: ClassVar[str] = "WAITING_LIST_BEGIN_DUE"
    block_id: str

    def key(self) -> str:
        return f"block:{self.block_id}"
