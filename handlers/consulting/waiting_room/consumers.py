"""How connections, timers, bookings and calls move the queue."""

from datetime import datetime

from handlers.consulting.booking.contracts import (
    AboutBooking,
    BookingCancelled,
    BookingCompleted,
    BookingRescheduled,
)
from handlers.consulting.call.contracts import AboutCall, CallEnded, CallStarted
from handlers.consulting.waiting_room import service, waiting_room
from handlers.consulting.waiting_room.contracts import MorePlacesLeft, PlaceDue, RoomCloseDue
from handlers.kit.context import Context
from handlers.kit.life import InstanceLost
from handlers.kit.transaction import Transaction
from storage.consulting import waiting_room as store

STAYS_AT_ONCE = 200


@waiting_room.arrives
async def take_the_place_again(ctx: Context) -> None:
    """Who reconnects has their place again, without asking."""
    booking_ids = await ctx.read(service.list_my_places)
    lease_id_of = {booking_id: ctx.hold_lease(booking_id) for booking_id in booking_ids}
    if lease_id_of:
        await ctx.transact(service.come_back_to_all, lease_id_of)


@waiting_room.disconnects
async def note_the_lost_device(ctx: Context, booking_id: str, lease_id: str, at: datetime) -> None:
    """A waiting student's device is gone."""
    await ctx.transact(service.lose, booking_id, lease_id, at)


@waiting_room.consumer(InstanceLost, MorePlacesLeft)
def keep_places_for_a_while(tx: Transaction, event: InstanceLost) -> None:
    """Students of a dead instance have the same time to come back."""
    left = store.list_stays_of_instance(tx, event.instance_id, STAYS_AT_ONCE)
    for stay in left:
        service.lose(tx, stay.booking_id, stay.id, event.at)
    if len(left) == STAYS_AT_ONCE:
        tx.publish(MorePlacesLeft(instance_id=event.instance_id, at=event.at))


@waiting_room.consumer(PlaceDue)
def give_the_place_up(tx: Transaction, event: PlaceDue) -> None:
    """A lost student did not come back."""
    service.remove_if_lost(tx, event.booking_id)


@waiting_room.consumer(RoomCloseDue)
def close_the_room(tx: Transaction, event: RoomCloseDue) -> None:
    """The block is over."""
    service.close(tx, event.block_id)


@waiting_room.consumer(BookingCancelled, BookingRescheduled, BookingCompleted)
def free_the_place(tx: Transaction, event: AboutBooking) -> None:
    """A booking that is over, or elsewhere, waits no more."""
    service.remove_if_not_there(tx, event.booking.id)


@waiting_room.consumer(CallStarted, CallEnded)
def tell_the_new_wait(tx: Transaction, event: AboutCall) -> None:
    """A call that starts or ends changes how long the others wait."""
    service.note_call(tx, event.call)
