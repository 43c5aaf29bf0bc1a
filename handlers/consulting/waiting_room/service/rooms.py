"""The queue of a room: order of arrival, positions, expected waiting times, and who is told.

Invariants:
- Every change of a block's queue holds the lock of its room, so that nobody computes positions from
  a queue that is changing.
- A transaction that also needs a booking locks the booking before any room.
- An admitted student keeps the place until the call starts. If the call ends before, the place is
  in the queue again, where it was.
"""

from datetime import datetime

from handlers.consulting.waiting_room.contracts import (
    ConsultantState,
    LateDue,
    PlaceView,
    RemovalReason,
    RoomCloseDue,
    WaitingRoomConsultantChanged,
    WaitingRoomEnded,
    WaitingRoomEntered,
    WaitingRoomLeft,
    WaitingRoomMoved,
    WaitingRoomPassedOver,
)
from handlers.consulting.waiting_room.rules import WaitingRoomRules
from handlers.kit.transaction import Transaction
from storage.consulting import waiting_room as store
from storage.consulting.waiting_room import PlaceRow, RoomRow


def views_of(tx: Transaction, room: RoomRow) -> list[PlaceView]:
    """The current queue, with computed positions and waiting times."""
    waiting = [place for place in store.list_places(tx, room.block_id) if place.call_id is None]
    return [
        PlaceView(
            booking_id=place.booking_id,
            block_id=place.block_id,
            student_id=place.student_id,
            position=ahead + 1,
            ahead=ahead,
            eta_s=wait_s(tx, room, ahead),
            entered_at=place.entered_at,
            away=place.lost_at is not None,
        )
        for ahead, place in enumerate(waiting)
    ]


def view_of(tx: Transaction, room: RoomRow, booking_id: str) -> PlaceView | None:
    """A student's place in the queue; None without one."""
    return next((view for view in views_of(tx, room) if view.booking_id == booking_id), None)


def consultant_state(tx: Transaction, room: RoomRow) -> ConsultantState:
    """Where the consultant is: in a call, at the queue, not here yet, or late."""
    if room.call_id is not None:
        return "in_call"
    if room.desk_at is not None:
        return "here"
    return "late" if late_at(tx, room) <= tx.now else "expected"


def late_at(tx: Transaction, room: RoomRow) -> datetime:
    return room.starts_at + tx.rules.span("consultant_late_s")


def wait_s(tx: Transaction, room: RoomRow, ahead: int) -> int:
    """The expected seconds of waiting with `ahead` students ahead, including the current call.

    The current call is any call of the consultant. A call is assumed to last as long as the average
    call that the consultant finished since the room opened.
    """
    usual = tx.rules.of(WaitingRoomRules).usual_call_s
    if room.finished_calls:
        usual = room.talked_s // room.finished_calls
    rest = 0
    if room.call_id is not None:
        since = room.call_started_at or tx.now
        rest = max(usual - int((tx.now - since).total_seconds()), 0)
    return rest + ahead * usual


def publish_moves(tx: Transaction, room: RoomRow, before: list[PlaceView]) -> None:
    """Publish the new position and waiting time of each student for whom they changed."""
    was = {view.booking_id: (view.position, view.eta_s) for view in before}
    for view in views_of(tx, room):
        if was.get(view.booking_id) != (view.position, view.eta_s):
            tx.publish(WaitingRoomMoved(place=view))


def publish_consultant(tx: Transaction, room: RoomRow, was: ConsultantState | None) -> None:
    """Tell the students who wait what the consultant does now, if it is not as it `was`."""
    now = consultant_state(tx, room)
    if now != was:
        for view in views_of(tx, room):
            tx.publish(WaitingRoomConsultantChanged(place=view, consultant=now))


def publish_passed_over(tx: Transaction, room: RoomRow, admitted: PlaceView) -> None:
    """Tell those who waited before an admitted student."""
    for view in views_of(tx, room):
        if view.position < admitted.position:
            tx.publish(WaitingRoomPassedOver(place=view))


def enter_queue(tx: Transaction, room: RoomRow, booking_id: str) -> None:
    """Publish that a student is in the queue now."""
    view = view_of(tx, room, booking_id)
    if view is not None:
        tx.publish(WaitingRoomEntered(place=view, consultant_id=room.consultant_id))


def remove(tx: Transaction, booking_id: str, reason: RemovalReason) -> None:
    """Remove a place, if there is one; the students behind it move up."""
    place = store.find_place(tx, booking_id)
    room = store.lock_room(tx, place.block_id) if place else None
    if room is not None and place is not None:
        before = views_of(tx, room)
        remove_place(tx, room, place, before, reason)
        publish_moves(tx, room, before)


def remove_place(
    tx: Transaction, room: RoomRow, place: PlaceRow, before: list[PlaceView], reason: RemovalReason
) -> None:
    """Remove a place of the queue `before`, and tell the consultant and the student."""
    store.delete_place(tx, place.booking_id)
    tx.cancel_timer(f"place:{place.booking_id}")
    left = next((view for view in before if view.booking_id == place.booking_id), None)
    if left is not None:  # not of an admitted student, whose place has left the queue already
        tx.publish(WaitingRoomLeft(place=left, consultant_id=room.consultant_id))
        if reason != "left":  # none of the student's devices is there any more
            tx.publish(WaitingRoomEnded(place=left, reason=reason))


def close(tx: Transaction, block_id: str) -> None:
    """Remove all places at the end of the block; if it is early, set the timer again."""
    room = store.lock_room(tx, block_id)
    if room is None:
        return
    if room.closes_at > tx.now:
        set_close_timer(tx, room)
        return
    before = views_of(tx, room)
    for place in store.list_places(tx, block_id):
        remove_place(tx, room, place, before, "closed")


def tell_late(tx: Transaction, block_id: str) -> None:
    """Tell the students who wait that the consultant is late."""
    room = store.lock_room(tx, block_id)
    if room is None or consultant_state(tx, room) in ("here", "in_call"):
        return
    if late_at(tx, room) > tx.now:
        set_late_timer(tx, room)
        return
    publish_consultant(tx, room, None)


def set_close_timer(tx: Transaction, room: RoomRow) -> None:
    close_due = RoomCloseDue(block_id=room.block_id)
    tx.publish_later(close_due, room.closes_at, f"room:{room.block_id}")


def set_late_timer(tx: Transaction, room: RoomRow) -> None:
    tx.publish_later(LateDue(block_id=room.block_id), late_at(tx, room), f"late:{room.block_id}")
