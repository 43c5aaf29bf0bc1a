"""Notifications for users on a waiting list."""

from collections.abc import Iterator

from handlers.consulting.availability import availability
from handlers.consulting.availability.contracts import WaitingListOffered, WaitingListOfferExpired
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
