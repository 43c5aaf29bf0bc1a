"""Notifications for users on a waiting list."""

from collections.abc import Iterator

from handlers.consulting.availability import availability
from handlers.consulting.availability.contracts.blocks import AvailableNowLapsed
from handlers.consulting.availability.contracts.waiting_lists import (
    WaitingListClosed,
    WaitingListOffered,
    WaitingListOfferExpired,
)
from handlers.kit.notices import Notice
from handlers.kit.transaction import Transaction


@availability.notifies(
    WaitingListOffered, "waiting_list_offered", importance="mail", says=("starts_at", "expires_at")
)
def tell_of_the_offer(tx: Transaction, event: WaitingListOffered) -> Iterator[Notice]:
    """A place is reserved for the first user on the list until `expires_at`."""
    yield Notice(
        to=event.user_id,
        link=f"/consultants/{event.block.consultant_id}",
        data={"block_id": event.block.id, "expires_at": event.expires_at},
        values={"starts_at": event.block.starts_at, "expires_at": event.expires_at},
        expires_at=event.expires_at,
    )


@availability.notifies(WaitingListOfferExpired, "waiting_list_offer_expired", says=("starts_at",))
def tell_that_the_offer_is_over(
    tx: Transaction, event: WaitingListOfferExpired
) -> Iterator[Notice]:
    """The user did not take the offered place in time."""
    yield Notice(
        to=event.user_id,
        link=f"/consultants/{event.block.consultant_id}",
        data={"block_id": event.block.id},
        values={"starts_at": event.block.starts_at},
    )


@availability.notifies(
    WaitingListClosed, "waiting_list_begun", importance="mail", says=("starts_at",)
)
def tell_that_the_hour_begins(tx: Transaction, event: WaitingListClosed) -> Iterator[Notice]:
    """The block began, and no place became free for the user."""
    if event.reason == "begun":
        yield _closed(event)


@availability.notifies(
    WaitingListClosed, "waiting_list_withdrawn", importance="mail", says=("starts_at",)
)
def tell_that_the_hour_is_withdrawn(tx: Transaction, event: WaitingListClosed) -> Iterator[Notice]:
    """The consultant withdrew the block for which the user waited."""
    if event.reason == "withdrawn":
        yield _closed(event)


@availability.notifies(AvailableNowLapsed, "available_now_lapsed")
def tell_of_the_silence(tx: Transaction, event: AvailableNowLapsed) -> Iterator[Notice]:
    """A request for an immediate call was not answered, so the consultant is not available now."""
    yield Notice(to=event.consultant_id, link="/availability")


def _closed(event: WaitingListClosed) -> Notice:
    return Notice(
        to=event.user_id,
        link=f"/consultants/{event.block.consultant_id}",
        data={"block_id": event.block.id},
        values={"starts_at": event.block.starts_at},
    )
