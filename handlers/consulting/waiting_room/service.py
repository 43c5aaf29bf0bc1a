"""Decisions about waiting rooms: order of arrival, positions and expected waiting times.

Invariants:
- Every change of a block's queue holds the lock of its room, so that nobody computes positions from
  a queue that is changing.
- A transaction that also needs a booking locks the booking before any room.
"""

from datetime import datetime

from handlers.consulting.availability import public as availability
from handlers.consulting.booking import public as bookings
from handlers.consulting.booking.contracts import BookingView, WrongState
from handlers.consulting.call import public as calls
from handlers.consulting.call.contracts import CallView
from handlers.consulting.waiting_room.contracts import (
    AdmitStudent,
    EnterRoom,
    GetQueue,
    LeaveRoom,
    PlaceDue,
    PlaceView,
    QueueView,
    RoomCloseDue,
    TooEarly,
    WaitingRoomEntered,
    WaitingRoomLeft,
    WaitingRoomMoved,
)
from handlers.consulting.waiting_room.rules import WaitingRoomRules
from handlers.kit.contract import Empty
from handlers.kit.errors import NotFound
from handlers.kit.transaction import Transaction
from rooms import names
from storage.consulting import waiting_room as store
from storage.consulting.waiting_room import PlaceRow, RoomRow, Stay


def enter(tx: Transaction, ask: EnterRoom, lease_id: str) -> PlaceView:
    """Take a place at the end, or return to an existing one; raises TooEarly or WrongState."""
    booking = bookings.lock_booking(tx, ask.booking_id)
    if booking is None or booking.student_id != tx.actor.id:
        raise NotFound
    room = _open(tx, booking)
    remove_if_lost(tx, booking.id)
    if store.find_place(tx, booking.id) is None:
        place = PlaceRow(booking.id, room.block_id, tx.actor.id, tx.now, None)
        store.insert_place(tx, place)
        view = _view_of(tx, room, booking.id)
        tx.publish(WaitingRoomEntered(place=view, consultant_id=room.consultant_id))
    reconnect(tx, booking.id, lease_id)
    bookings.note_arrival(tx, booking.id, "student")
    return _view_of(tx, room, booking.id)


def reconnect(tx: Transaction, booking_id: str, lease_id: str) -> None:
    """Record that a device of the student is connected, and keep the place."""
    store.insert_stay(tx, Stay(lease_id, booking_id, tx.instance_id))
    store.set_lost(tx, booking_id, None)
    tx.cancel_timer(f"place:{booking_id}")


def reconnect_all(tx: Transaction, lease_id_of: dict[str, str]) -> None:
    """Reconnect the student to all these places."""
    for booking_id, lease_id in lease_id_of.items():
        remove_if_lost(tx, booking_id)
        if _lock_place(tx, booking_id) is not None:
            reconnect(tx, booking_id, lease_id)


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
        remove(tx, booking.id)
    return Empty()


def disconnect(tx: Transaction, booking_id: str, lease_id: str, at: datetime) -> None:
    """Record that a device disconnected at `at`.

    After the last device, the place is kept for `place_kept_s`.
    """
    place = _lock_place(tx, booking_id)
    if not store.end_stay(tx, lease_id) or store.count_stays(tx, booking_id):
        return
    if place is not None:
        store.set_lost(tx, booking_id, at)
        _set_place_timer(tx, booking_id, at + tx.rules.span("place_kept_s"))


def remove_if_lost(tx: Transaction, booking_id: str) -> None:
    """Remove a place whose student did not return in time; if it is early, set the timer again."""
    place = _lock_place(tx, booking_id)
    if place is None or place.lost_at is None:
        return
    due = place.lost_at + tx.rules.span("place_kept_s")
    if due <= tx.now:
        remove(tx, booking_id)
    else:
        _set_place_timer(tx, booking_id, due)


def remove_if_invalid(tx: Transaction, booking_id: str) -> None:
    """Remove a place unless its booking is approved and still in the place's block."""
    booking = bookings.lock_booking(tx, booking_id)
    block_id = booking.block_id if booking and booking.status == "approved" else None
    place = store.find_place(tx, booking_id)
    if place is not None and place.block_id != block_id:
        remove(tx, booking_id)


def remove(tx: Transaction, booking_id: str) -> None:
    """Remove a place, if there is one; the students behind it move up."""
    place = store.find_place(tx, booking_id)
    room = store.lock_room(tx, place.block_id) if place else None
    if room is not None:
        before = views_of(tx, room)
        if _remove_from_queue(tx, room, before, booking_id):
            publish_moves(tx, room, before)


def get_queue(tx: Transaction, ask: GetQueue) -> QueueView:
    block = availability.find_block(tx, ask.block_id)
    if block.consultant_id != tx.actor.id:
        raise NotFound
    room = store.find_room(tx, block.id)
    return QueueView(
        places=views_of(tx, room) if room else [],
        seq=tx.head("/waiting-room", names.user(tx.actor.id)),
    )


def note_desk(tx: Transaction, block_id: str) -> None:
    """Record that the consultant looks at the queue of a block whose waiting room is open."""
    block = availability.find_block(tx, block_id)
    if block.consultant_id != tx.actor.id:
        raise NotFound
    if block.starts_at - tx.rules.span("waiting_room_opens_s") <= tx.now < block.ends_at:
        bookings.note_consultant(tx, block.id)


def admit(tx: Transaction, ask: AdmitStudent) -> CallView:
    """Initiate the student's call; raises InCall, or WrongState if they are not waiting."""
    booking = bookings.lock_booking(tx, ask.booking_id)
    if booking is None or booking.consultant_id != tx.actor.id or booking.block_id is None:
        raise NotFound
    room = store.lock_room(tx, booking.block_id)
    if booking.status != "approved" or room is None or room.closes_at <= tx.now:
        raise WrongState
    remove_if_lost(tx, booking.id)
    before = views_of(tx, room)
    if not _remove_from_queue(tx, room, before, booking.id):
        raise WrongState().kept()
    bookings.note_arrival(tx, booking.id, "consultant")
    call = calls.initiate(tx, booking.id, booking.student_id, booking.consultant_id)
    room.call_id, room.call_started_at = call.id, None
    store.update_room(tx, room)
    publish_moves(tx, room, before)
    return call


def note_call(tx: Transaction, call: CallView) -> None:
    """Update the room after one of its calls started or ended, and publish the new waiting times.

    The consultant may have admitted the next student before the event of an ended call arrives.
    """
    block_id = bookings.find_block_id(tx, call.booking_id)
    room = store.lock_room(tx, block_id) if block_id else None
    if room is None:
        return
    before = views_of(tx, room)
    if call.status == "ended":
        room.finished_calls += 1 if call.started_at is not None else 0
        room.talked_s += call.talked_s
    if room.call_id == call.id:
        over = call.status == "ended"
        room.call_id, room.call_started_at = (None, None) if over else (call.id, call.started_at)
    store.update_room(tx, room)
    publish_moves(tx, room, before)


def close(tx: Transaction, block_id: str) -> None:
    """Remove all places at the end of the block; if it is early, set the timer again."""
    room = store.lock_room(tx, block_id)
    if room is None:
        return
    if room.closes_at > tx.now:
        _set_close_timer(tx, room)
        return
    before = views_of(tx, room)
    for place in before:
        _remove_from_queue(tx, room, before, place.booking_id)


def publish_moves(tx: Transaction, room: RoomRow, before: list[PlaceView]) -> None:
    """Publish the new position and waiting time of each student for whom they changed."""
    was = {view.booking_id: (view.position, view.eta_s) for view in before}
    for view in views_of(tx, room):
        if was.get(view.booking_id) != (view.position, view.eta_s):
            tx.publish(WaitingRoomMoved(place=view))


def views_of(tx: Transaction, room: RoomRow) -> list[PlaceView]:
    """The current queue, with computed positions and waiting times."""
    return [
        PlaceView(
            booking_id=place.booking_id,
            block_id=place.block_id,
            student_id=place.student_id,
            position=ahead + 1,
            ahead=ahead,
            eta_s=wait_s(tx, room, ahead),
            entered_at=place.entered_at,
        )
        for ahead, place in enumerate(store.list_places(tx, room.block_id))
    ]


def wait_s(tx: Transaction, room: RoomRow, ahead: int) -> int:
    """The expected seconds of waiting with `ahead` students ahead, including the current call.

    A call is assumed to last as long as the average finished call of this block.
    """
    usual = tx.rules.of(WaitingRoomRules).usual_call_s
    if room.finished_calls:
        usual = room.talked_s // room.finished_calls
    rest = 0
    if room.call_id is not None:
        since = room.call_started_at or tx.now
        rest = max(usual - int((tx.now - since).total_seconds()), 0)
    return rest + ahead * usual


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
    fresh = RoomRow(booking.block_id, booking.consultant_id, booking.ends_at, 0, 0, None, None)
    room = store.open_room(tx, fresh)
    _set_close_timer(tx, room)
    return room


def _leave_previous_block(tx: Transaction, booking_id: str, block_id: str) -> None:
    """Remove the place that a moved booking still has in its previous block."""
    place = store.find_place(tx, booking_id)
    if place is not None and place.block_id != block_id:
        store.lock_rooms(tx, place.block_id, block_id)
        remove(tx, booking_id)


def _set_close_timer(tx: Transaction, room: RoomRow) -> None:
    close_due = RoomCloseDue(block_id=room.block_id)
    tx.publish_later(close_due, room.closes_at, f"room:{room.block_id}")


def _set_place_timer(tx: Transaction, booking_id: str, due: datetime) -> None:
    tx.publish_later(PlaceDue(booking_id=booking_id), due, f"place:{booking_id}")


def _lock_place(tx: Transaction, booking_id: str) -> PlaceRow | None:
    """A place, read under the lock of its room."""
    place = store.find_place(tx, booking_id)
    if place is not None:
        store.lock_room(tx, place.block_id)
        place = store.find_place(tx, booking_id)
    return place


def _remove_from_queue(
    tx: Transaction, room: RoomRow, before: list[PlaceView], booking_id: str
) -> bool:
    """Remove a place of the queue `before`; returns whether it was there."""
    left = next((view for view in before if view.booking_id == booking_id), None)
    if left is None:
        return False
    store.delete_place(tx, booking_id)
    tx.cancel_timer(f"place:{booking_id}")
    tx.publish(WaitingRoomLeft(place=left, consultant_id=room.consultant_id))
    return True


def _view_of(tx: Transaction, room: RoomRow, booking_id: str) -> PlaceView:
    return next(view for view in views_of(tx, room) if view.booking_id == booking_id)
