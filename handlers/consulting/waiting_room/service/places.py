"""Places of students: taken, kept while a device is connected, and given up."""

from datetime import datetime

from handlers.consulting.booking import public as bookings
from handlers.consulting.booking.contracts import BookingView, WrongState
from handlers.consulting.call import public as calls
from handlers.consulting.waiting_room.contracts import (
    EnterRoom,
    GetStand,
    LeaveRoom,
    PlaceDue,
    PlaceView,
    RemovalReason,
    StandView,
    TooEarly,
    WaitingRoomChanged,
)
from handlers.consulting.waiting_room.service import rooms
from handlers.kit.contract import Empty
from handlers.kit.errors import NotFound
from handlers.kit.transaction import Transaction
from rooms import names
from storage.consulting import waiting_room as store
from storage.consulting.waiting_room import PlaceRow, RoomRow, Stay

REASONS: dict[str, RemovalReason] = {
    "approved": "moved",  # to another block
    "cancelled": "cancelled",
    "completed": "completed",
    "missed": "missed",
}
"""Why a place ended, by the status of its booking."""


def enter(tx: Transaction, ask: EnterRoom, lease_id: str) -> PlaceView:
    """Take a place at the end, or return to an existing one; raises TooEarly or WrongState."""
    booking = bookings.lock_booking(tx, ask.booking_id)
    if booking is None or booking.student_id != tx.actor.id:
        raise NotFound
    room = _open(tx, booking)
    remove_if_lost(tx, booking.id)
    if store.find_place(tx, booking.id) is None:
        place = PlaceRow(booking.id, room.block_id, tx.actor.id, tx.now, None, None)
        store.insert_place(tx, place)
        rooms.enter_queue(tx, room, booking.id)
    reconnect(tx, room, booking.id, lease_id)
    bookings.note_arrival(tx, booking.id, "student")
    view = rooms.view_of(tx, room, booking.id)
    if view is None:
        raise WrongState("The call has already begun.")
    return view


def reconnect(tx: Transaction, room: RoomRow, booking_id: str, lease_id: str) -> None:
    """Record that a device of the student is connected, and keep the place."""
    store.insert_stay(tx, Stay(lease_id, booking_id, tx.instance_id))
    _set_lost(tx, room, booking_id, None)
    tx.cancel_timer(f"place:{booking_id}")


def reconnect_all(tx: Transaction, lease_id_of: dict[str, str]) -> None:
    """Reconnect the student to all these places."""
    for booking_id, lease_id in lease_id_of.items():
        remove_if_lost(tx, booking_id)
        place = _lock_place(tx, booking_id)
        room = store.find_room(tx, place.block_id) if place else None
        if room is not None:
            reconnect(tx, room, booking_id, lease_id)


def get_stand(tx: Transaction, ask: GetStand) -> StandView:
    """Raises NotFound without a place in the queue."""
    place = store.find_place(tx, ask.booking_id)
    room = store.find_room(tx, place.block_id) if place else None
    if place is None or room is None or place.student_id != tx.actor.id:
        raise NotFound
    view = rooms.view_of(tx, room, place.booking_id)
    if view is None:
        raise NotFound
    return StandView(
        place=view,
        consultant=rooms.consultant_state(tx, room),
        seq=tx.head("/waiting-room", names.user(tx.actor.id)),
    )


def list_my_places(tx: Transaction) -> list[str]:
    """The ids of the bookings for which the actor has a place."""
    return [place.booking_id for place in store.list_places_of(tx, tx.actor.id)]


def leave(tx: Transaction, ask: LeaveRoom, lease_id: str | None) -> Empty:
    """Leave with one device; the place goes with the student's last device."""
    booking = bookings.get_booking(tx, ask.booking_id)
    if booking.student_id != tx.actor.id:
        raise NotFound
    _lock_place(tx, booking.id)
    if lease_id is not None:
        store.end_stay(tx, lease_id)
    if not store.count_stays(tx, booking.id):
        rooms.remove(tx, booking.id, "left")
    return Empty()


def disconnect(tx: Transaction, booking_id: str, lease_id: str, at: datetime) -> None:
    """Record that a device disconnected at `at`.

    After the last device, the place is kept for `place_kept_s`.
    """
    place = _lock_place(tx, booking_id)
    if not store.end_stay(tx, lease_id) or store.count_stays(tx, booking_id):
        return
    room = store.find_room(tx, place.block_id) if place else None
    if room is not None:
        _set_lost(tx, room, booking_id, at)
        _set_place_timer(tx, booking_id, at + tx.rules.span("place_kept_s"))


def remove_if_lost(tx: Transaction, booking_id: str) -> None:
    """Remove a place whose student did not return in time; if it is early, set the timer again."""
    place = _lock_place(tx, booking_id)
    if place is None or place.lost_at is None:
        return
    due = place.lost_at + tx.rules.span("place_kept_s")
    if due <= tx.now:
        rooms.remove(tx, booking_id, "lost")
    else:
        _set_place_timer(tx, booking_id, due)


def remove_if_invalid(tx: Transaction, booking_id: str) -> None:
    """Remove a place unless its booking is approved and still in the place's block."""
    booking = bookings.lock_booking(tx, booking_id)
    block_id = booking.block_id if booking and booking.status == "approved" else None
    place = store.find_place(tx, booking_id)
    if place is not None and place.block_id != block_id:
        rooms.remove(tx, booking_id, REASONS[booking.status if booking else "cancelled"])


def _open(tx: Transaction, booking: BookingView) -> RoomRow:
    """The room of a booking's block, locked; raises TooEarly or WrongState."""
    if booking.status != "approved" or booking.block_id is None or booking.ends_at <= tx.now:
        raise WrongState
    opens_at = booking.starts_at - tx.rules.span("waiting_room_opens_s")
    if tx.now < opens_at:
        raise TooEarly(details={"opens_at": opens_at})
    if calls.is_going_on(tx, booking.id):
        raise WrongState("The call has already begun.")
    _leave_previous_block(tx, booking.id, booking.block_id)
    call = calls.find_live(tx, booking.consultant_id)
    fresh = RoomRow(
        block_id=booking.block_id,
        consultant_id=booking.consultant_id,
        starts_at=booking.starts_at,
        closes_at=booking.ends_at,
        finished_calls=0,
        talked_s=0,
        call_id=call.id if call else None,
        call_started_at=call.started_at if call else None,
        desk_at=None,
    )
    room = store.open_room(tx, fresh)
    rooms.set_close_timer(tx, room)
    if rooms.consultant_state(tx, room) == "expected":
        rooms.set_late_timer(tx, room)
    return room


def _leave_previous_block(tx: Transaction, booking_id: str, block_id: str) -> None:
    """Remove the place that a moved booking still has in its previous block."""
    place = store.find_place(tx, booking_id)
    if place is not None and place.block_id != block_id:
        store.lock_rooms(tx, place.block_id, block_id)
        rooms.remove(tx, booking_id, "moved")


def _set_lost(tx: Transaction, room: RoomRow, booking_id: str, at: datetime | None) -> None:
    """Record since when all devices of a student are gone, and tell the consultant."""
    place = store.find_place(tx, booking_id)
    if place is None or place.lost_at == at:
        return
    store.set_lost(tx, booking_id, at)
    view = rooms.view_of(tx, room, booking_id)
    if view is not None and (place.lost_at is None) != (at is None):
        tx.publish(WaitingRoomChanged(place=view, consultant_id=room.consultant_id))


def _set_place_timer(tx: Transaction, booking_id: str, due: datetime) -> None:
    tx.publish_later(PlaceDue(booking_id=booking_id), due, f"place:{booking_id}")


def _lock_place(tx: Transaction, booking_id: str) -> PlaceRow | None:
    """A place, read under the lock of its room."""
    place = store.find_place(tx, booking_id)
    if place is not None:
        store.lock_room(tx, place.block_id)
        place = store.find_place(tx, booking_id)
    return place
