"""Decisions about calls.

Invariants:
- A call is `initiated` until both participants are connected, then `active` until it ends.
- Each connected device has a stay. The talked time is computed from the stays, and from those that
  the video provider reported, so duplicate or late events cannot change it.
- While a participant is absent, the call has a timer. It ends when they do not return in time.
"""

from datetime import datetime

import msgspec

from handlers.consulting.call.contracts import (
    AboutCall,
    AccessView,
    CallDue,
    CallDurationRecorded,
    CallEnded,
    CallInitiated,
    CallInterrupted,
    CallOver,
    CallResumed,
    CallStarted,
    CallView,
    CurrentCallView,
    EndCall,
    GetAccess,
    InCall,
    JoinCall,
    JoinedCallView,
    LeaveCall,
    Signal,
    SignalEphemeral,
    VideoUnavailable,
)
from handlers.consulting.call.presence import talked_so_far
from handlers.consulting.call.providers import OPEN, Entry
from handlers.consulting.call.rules import CallRules
from handlers.kit.errors import Invalid, NotFound
from handlers.kit.transaction import Transaction
from rooms import names
from storage.consulting.call import calls as store
from storage.consulting.call.calls import CallRow, EndReason, Stay

SIGNAL_MAX = 16_384
LIVE_CALLS_MAX = 10


def initiate(tx: Transaction, booking_id: str, student_id: str, consultant_id: str) -> CallView:
    """Open a call; raises InCall while one of the participants has another open call."""
    row = CallRow(
        id=tx.new_id(),
        booking_id=booking_id,
        consultant_id=consultant_id,
        student_id=student_id,
        status="initiated",
        initiated_at=tx.now,
        started_at=None,
        interrupted_at=None,
        ended_at=None,
        end_reason=None,
        talked_s=0,
        provider=tx.rules.of(CallRules).video_provider,
    )
    busy = store.insert_call(tx, row)
    if busy is not None:
        raise InCall(details={"user_id": busy})
    _set_timer(tx, row.id, tx.now + tx.rules.span("call_unheld_s"))
    _publish(tx, CallInitiated, row)
    return view_of(tx, row)


def join(tx: Transaction, ask: JoinCall, device_id: str) -> JoinedCallView:
    """Join with one device; the call starts or resumes once both participants are connected.

    The actor's other devices leave the call, which moves to this one. Raises CallOver and
    VideoUnavailable.
    """
    row = get_as_party(tx, ask.call_id)
    end_if_overdue(tx, row)
    if row.status == "ended":
        raise CallOver().kept()
    access = access_of(tx, row)
    for other in store.list_stays(tx, row.id):
        if other.user_id == tx.actor.id and other.device_id != device_id:
            store.end_stay(tx, other.device_id, tx.now, tx.instance_id)
    stay = Stay(tx.new_id(), row.id, device_id, tx.actor.id, tx.instance_id, tx.now, None, None)
    store.insert_stay(tx, stay)
    if _both_connected(tx, row):
        _start_or_resume(tx, row)
    return JoinedCallView(**msgspec.structs.asdict(view_of(tx, row)), access=access)


def get_access(tx: Transaction, ask: GetAccess) -> AccessView:
    """New access to an open call of the actor; raises NotFound, CallOver and VideoUnavailable."""
    row = store.find_call(tx, ask.call_id)
    if row is None or tx.actor.id not in (row.student_id, row.consultant_id):
        raise NotFound
    if row.status == "ended" or (due_of(tx, row) or tx.now) < tx.now:
        raise CallOver
    return access_of(tx, row)


def access_of(tx: Transaction, row: CallRow) -> AccessView:
    """What the actor needs to take part; raises VideoUnavailable.

    A call keeps the provider that it began with, so that both users meet at the same one.
    """
    rules = tx.rules.of(CallRules)
    if row.provider not in ("browser", rules.video_provider):
        raise VideoUnavailable
    entry = Entry(row, tx.actor.id, tx.now, tx.rules.span("call_access_s"))
    return OPEN[row.provider](rules, entry)


def leave(tx: Transaction, ask: LeaveCall, device_id: str | None) -> CallView:
    """Leave with one device; the call ends if no device of either participant is left in it."""
    row = get_as_party(tx, ask.call_id)
    left = device_id is not None and store.end_stay(tx, device_id, tx.now, tx.instance_id)
    if not left or row.status == "ended":
        return view_of(tx, row)
    if row.status == "active" and not store.is_anybody_there(tx, row.id):
        end(tx, row, tx.now, "left")
    else:
        _note_absence(tx, row, tx.now)
    return view_of(tx, row)


def lose(tx: Transaction, call_id: str, device_id: str, at: datetime) -> None:
    """End the stay of a device that disconnected at `at`."""
    row = store.lock_call(tx, call_id)
    ended = row is not None and store.end_stay(tx, device_id, at, tx.instance_id)
    if row is not None and ended and row.status != "ended":
        _note_absence(tx, row, at)


def end_as_party(tx: Transaction, ask: EndCall) -> CallView:
    row = get_as_party(tx, ask.call_id)
    end(tx, row, tx.now, "ended")
    return view_of(tx, row)


def end_if_overdue(tx: Transaction, row: CallRow) -> None:
    """End a call that waited too long for a participant; otherwise set its timer again."""
    due = due_of(tx, row)
    if due is None:
        return
    if due <= tx.now:
        end(tx, row, tx.now, "unheld" if row.started_at is None else "lost")
    else:
        _set_timer(tx, row.id, due)


def due_of(tx: Transaction, row: CallRow) -> datetime | None:
    """When a call without one of its participants ends.

    None if both are connected, or if the call has ended.
    """
    if row.status == "initiated":
        return row.initiated_at + tx.rules.span("call_unheld_s")
    if row.status == "active" and row.interrupted_at is not None:
        return row.interrupted_at + tx.rules.span("call_lost_s")
    return None


def end(tx: Transaction, row: CallRow, at: datetime, reason: EndReason) -> None:
    """End a call and all its stays, and record the talked time; idempotent."""
    if row.status == "ended":
        return
    for stay in store.list_stays(tx, row.id):
        store.end_stay(tx, stay.device_id, at, tx.instance_id)
    row.status, row.ended_at, row.interrupted_at, row.end_reason = "ended", at, None, reason
    row.talked_s = talked_so_far(tx, row, at)
    store.update_call(tx, row)
    store.free_participants(tx, row.id)
    tx.cancel_timer(f"call:{row.id}")
    _publish(tx, CallEnded, row)
    if row.started_at is not None:
        _publish(tx, CallDurationRecorded, row)


def resolve(tx: Transaction, stay: Stay, at: datetime) -> None:
    """Correct a stay whose end was assumed: its instance died at `at`, so it ended then."""
    row = store.lock_call(tx, stay.call_id)
    store.shorten_stay(tx, stay.id, max(at, stay.joined_at))
    if row is not None:
        correct_the_talked_time(tx, row)


def correct_the_talked_time(tx: Transaction, row: CallRow) -> None:
    """Record the talked time of an ended call again, if what is known of its stays has changed."""
    if row.ended_at is None or row.started_at is None:
        return
    talked_s = talked_so_far(tx, row, row.ended_at)
    if talked_s != row.talked_s:
        row.talked_s = talked_s
        store.update_call(tx, row)
        _publish(tx, CallDurationRecorded, row)


def signal(tx: Transaction, ask: Signal) -> SignalEphemeral | None:
    """The event for the other participant; None while they are absent. Raises NotFound."""
    row = store.find_call(tx, ask.call_id)
    parties = (row.student_id, row.consultant_id) if row else ()
    if row is None or tx.actor.id not in parties or row.status == "ended":
        raise NotFound
    if ask.to not in parties or ask.to == tx.actor.id:
        raise NotFound
    if len(bytes(ask.data)) > SIGNAL_MAX:
        raise Invalid(details={"path": "$.data", "expected": f"at most {SIGNAL_MAX} bytes"})
    if not store.is_there(tx, row.id, ask.to):
        return None
    return SignalEphemeral(ask.call_id, tx.actor.id, ask.data)


def get_current(tx: Transaction) -> CurrentCallView:
    """The actor's newest open call, with the talked time up to now.

    An overdue call counts as ended, even if its timer has not fired yet.
    """
    rows = store.list_live_of_person(tx, tx.actor.id, LIVE_CALLS_MAX)
    row = next((row for row in rows if (due_of(tx, row) or tx.now) >= tx.now), None)
    return CurrentCallView(
        call=_view_with_current_time(tx, row) if row else None,
        interrupted=row is not None and row.interrupted_at is not None,
        seq=tx.head("/call", names.user(tx.actor.id)),
    )


def list_over(tx: Transaction, call_ids: list[str]) -> list[str]:
    """The ids in `call_ids` whose calls have ended."""
    return store.list_over(tx, call_ids)


def get_as_party(tx: Transaction, call_id: str) -> CallRow:
    row = store.lock_call(tx, call_id)
    if row is None or tx.actor.id not in (row.student_id, row.consultant_id):
        raise NotFound
    return row


def view_of(tx: Transaction, row: CallRow) -> CallView:
    return CallView(
        id=row.id,
        booking_id=row.booking_id,
        consultant_id=row.consultant_id,
        student_id=row.student_id,
        status=row.status,
        provider=row.provider,
        ice_servers=list(tx.rules.of(CallRules).ice_servers),
        started_at=row.started_at,
        ended_at=row.ended_at,
        end_reason=row.end_reason,
        talked_s=row.talked_s,
    )


def _view_with_current_time(tx: Transaction, row: CallRow) -> CallView:
    return msgspec.structs.replace(view_of(tx, row), talked_s=talked_so_far(tx, row, tx.now))


def _both_connected(tx: Transaction, row: CallRow) -> bool:
    return store.is_there(tx, row.id, row.student_id) and store.is_there(
        tx, row.id, row.consultant_id
    )


def _start_or_resume(tx: Transaction, row: CallRow) -> None:
    event: type[AboutCall] | None = None
    if row.status == "initiated":
        row.status, row.started_at, event = "active", tx.now, CallStarted
    elif row.interrupted_at is not None:
        row.interrupted_at, event = None, CallResumed
    if event is not None:
        row.talked_s = talked_so_far(tx, row, tx.now)
        store.update_call(tx, row)
        tx.cancel_timer(f"call:{row.id}")
        _publish(tx, event, row)


def _note_absence(tx: Transaction, row: CallRow, at: datetime) -> None:
    """Publish once that a participant is absent, and set a timer for the end of the call."""
    if row.status != "active" or row.interrupted_at is not None or _both_connected(tx, row):
        return
    row.interrupted_at = at
    row.talked_s = talked_so_far(tx, row, at)
    store.update_call(tx, row)
    _publish(tx, CallInterrupted, row)
    _set_timer(tx, row.id, at + tx.rules.span("call_lost_s"))


def _set_timer(tx: Transaction, call_id: str, due: datetime) -> None:
    tx.publish_later(CallDue(call_id=call_id), due, f"call:{call_id}")


def _publish(tx: Transaction, event: type[AboutCall], row: CallRow) -> None:
    tx.publish(event(call=view_of(tx, row)))
