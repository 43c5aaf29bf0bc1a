"""Consumers that change the queue after connections, timers, bookings and calls."""

from datetime import datetime

from handlers.consulting.booking.contracts import (
    AboutBooking,
    BookingCancelled,
    BookingCompleted,
    BookingMissed,
    BookingRescheduled,
)
from handlers.consulting.call.contracts import AboutCall, CallEnded, CallInitiated, CallStarted
from handlers.consulting.waiting_room import waiting_room
from handlers.consulting.waiting_room.contracts import (
    LateDue,
    MorePlacesLeft,
    PlaceDue,
    RoomCloseDue,
)
from handlers.consulting.waiting_room.service import desk, places, rooms
from handlers.kit.context import Context
from handlers.kit.life import InstanceLost
from handlers.kit.transaction import Transaction
from handlers.platform.presence.contracts import UserOffline
from storage.consulting import waiting_room as store

STAYS_BATCH = 200


@waiting_room.arrives
async def take_the_place_again(ctx: Context) -> None:
    """Give reconnecting students their places back automatically."""
    booking_ids = await ctx.read(places.list_my_places)
    lease_id_of = {booking_id: ctx.leases.hold(booking_id) for booking_id in booking_ids}
    if lease_id_of:
        await ctx.transact(places.reconnect_all, lease_id_of)


@waiting_room.disconnects
async def note_the_lost_device(ctx: Context, booking_id: str, lease_id: str, at: datetime) -> None:
    """Record that a waiting student's device disconnected."""
    await ctx.transact(places.disconnect, booking_id, lease_id, at)


@waiting_room.consumer(InstanceLost, MorePlacesLeft)
def keep_places_for_a_while(tx: Transaction, event: InstanceLost) -> None:
    """Keep the places of a dead instance's students for the usual time."""
    left = store.list_stays_of_instance(tx, event.instance_id, STAYS_BATCH)
    for stay in left:
        places.disconnect(tx, stay.booking_id, stay.id, event.at)
    if len(left) == STAYS_BATCH:
        tx.publish(MorePlacesLeft(instance_id=event.instance_id, at=event.at))


@waiting_room.consumer(PlaceDue)
def give_the_place_up(tx: Transaction, event: PlaceDue) -> None:
    """Remove a disconnected student who did not return in time."""
    places.remove_if_lost(tx, event.booking_id)


@waiting_room.consumer(RoomCloseDue)
def close_the_room(tx: Transaction, event: RoomCloseDue) -> None:
    """Remove all remaining students at the end of the block."""
    rooms.close(tx, event.block_id)


@waiting_room.consumer(LateDue)
def tell_of_the_delay(tx: Transaction, event: LateDue) -> None:
    """Tell the students who wait that the consultant is late."""
    rooms.tell_late(tx, event.block_id)


@waiting_room.consumer(UserOffline)
def leave_the_desk(tx: Transaction, event: UserOffline) -> None:
    """Tell the students who wait that the consultant has gone."""
    desk.note_absence(tx, event.user_id)


@waiting_room.consumer(BookingCancelled, BookingRescheduled, BookingCompleted, BookingMissed)
def free_the_place(tx: Transaction, event: AboutBooking) -> None:
    """Remove the place of a booking that ended or moved to another block."""
    places.remove_if_invalid(tx, event.booking.id)


@waiting_room.consumer(CallInitiated, CallStarted, CallEnded)
def tell_the_new_wait(tx: Transaction, event: AboutCall) -> None:
    """Publish what a call that began, started or ended means for those who wait."""
    desk.note_call(tx, event.call)
