"""The consultant's side: the queue, admission, and the effect of calls on those who wait.

Every call of the consultant counts, whatever hour it belongs to, also as a student.
"""

from handlers.consulting.availability import public as availability
from handlers.consulting.booking import public as bookings
from handlers.consulting.booking.contracts import WrongState
from handlers.consulting.call import public as calls
from handlers.consulting.call.contracts import CallView
from handlers.consulting.waiting_room.contracts import (
    AdmitStudent,
    GetQueue,
    QueueView,
    WaitingRoomLeft,
)
from handlers.consulting.waiting_room.service import rooms
from handlers.consulting.waiting_room.service.places import remove_if_lost
from handlers.kit.errors import NotFound
from handlers.kit.transaction import Transaction
from rooms import names
from storage.consulting import waiting_room as store
from storage.consulting.waiting_room import RoomRow


def get_queue(tx: Transaction, ask: GetQueue) -> QueueView:
    block = availability.find_block(tx, ask.block_id)
    if block.consultant_id != tx.actor.id:
        raise NotFound
    room = store.find_room(tx, block.id)
    return QueueView(
        places=rooms.views_of(tx, room) if room else [],
        seq=tx.head("/waiting-room", names.user(tx.actor.id)),
    )


def note_desk(tx: Transaction, block_id: str) -> None:
    """Record that the consultant looks at the queue of a block whose waiting room is open."""
    block = availability.find_block(tx, block_id)
    if block.consultant_id != tx.actor.id:
        raise NotFound
    if block.starts_at - tx.rules.span("waiting_room_opens_s") <= tx.now < block.ends_at:
        bookings.note_consultant(tx, block.id)
        room = store.lock_room(tx, block.id)
        if room is not None:
            _note_presence(tx, room)


def note_absence(tx: Transaction, consultant_id: str) -> None:
    """Record that the consultant's last device left: they are at none of their queues."""
    for block_id in store.list_open_rooms(tx, consultant_id, tx.now):
        room = store.lock_room(tx, block_id)
        if room is not None and room.desk_at is not None:
            was = rooms.consultant_state(tx, room)
            room.desk_at = None
            store.update_room(tx, room)
            rooms.publish_consultant(tx, room, was)


def admit(tx: Transaction, ask: AdmitStudent) -> CallView:
    """Initiate the student's call; raises InCall, or WrongState if they are not waiting.

    The place leaves the queue, and ends when the call starts.
    """
    booking = bookings.lock_booking(tx, ask.booking_id)
    if booking is None or booking.consultant_id != tx.actor.id or booking.block_id is None:
        raise NotFound
    room = store.lock_room(tx, booking.block_id)
    if booking.status != "approved" or room is None or room.closes_at <= tx.now:
        raise WrongState
    remove_if_lost(tx, booking.id)
    before = rooms.views_of(tx, room)
    admitted = next((view for view in before if view.booking_id == booking.id), None)
    if admitted is None:
        raise WrongState().kept()
    bookings.note_arrival(tx, booking.id, "consultant")
    call = calls.initiate(tx, booking.id, booking.student_id, booking.consultant_id)
    store.set_admitted(tx, booking.id, call.id)
    tx.publish(WaitingRoomLeft(place=admitted, consultant_id=room.consultant_id))
    was = rooms.consultant_state(tx, room)
    room.call_id, room.call_started_at, room.desk_at = call.id, None, room.desk_at or tx.now
    store.update_room(tx, room)
    rooms.publish_moves(tx, room, before)
    rooms.publish_consultant(tx, room, was)
    rooms.publish_passed_over(tx, room, admitted)
    return call


def note_call(tx: Transaction, call: CallView) -> None:
    """Update all open rooms of a call's participants after it began, started or ended.

    The consultant may have admitted the next student before the event of an ended call arrives.
    """
    block_ids = {
        block_id
        for user_id in (call.consultant_id, call.student_id)
        for block_id in store.list_open_rooms(tx, user_id, tx.now)
    }
    store.lock_rooms(tx, *block_ids)
    for block_id in sorted(block_ids):
        room = store.find_room(tx, block_id)
        if room is not None:
            _note_call(tx, room, call)


def _note_call(tx: Transaction, room: RoomRow, call: CallView) -> None:
    before, was = rooms.views_of(tx, room), rooms.consultant_state(tx, room)
    over = call.status == "ended"
    if over:
        room.finished_calls += 1 if call.started_at is not None else 0
        room.talked_s += call.talked_s
    if over and room.call_id == call.id:
        room.call_id, room.call_started_at = None, None
    if not over and room.call_id in (None, call.id):
        room.call_id, room.call_started_at = call.id, call.started_at
    store.update_room(tx, room)
    _settle_admitted(tx, room, call)
    rooms.publish_moves(tx, room, before)
    rooms.publish_consultant(tx, room, was)


def _settle_admitted(tx: Transaction, room: RoomRow, call: CallView) -> None:
    """End the place of a student whose call started; give it back if the call ended before."""
    place = store.find_place(tx, call.booking_id)
    if place is None or place.call_id != call.id:
        return
    if call.started_at is None and call.end_reason in ("unheld", "ended"):
        store.set_admitted(tx, place.booking_id, None)
        rooms.enter_queue(tx, room, place.booking_id)
    elif call.started_at is not None or call.status == "ended":
        rooms.remove_place(tx, room, place, [], "completed")


def _note_presence(tx: Transaction, room: RoomRow) -> None:
    if room.desk_at is None:
        was = rooms.consultant_state(tx, room)
        room.desk_at = tx.now
        store.update_room(tx, room)
        rooms.publish_consultant(tx, room, was)
