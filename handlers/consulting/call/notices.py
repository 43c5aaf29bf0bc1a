"""Notifications for the participants of a call."""

from collections.abc import Iterator
from datetime import timedelta

from handlers.consulting.call import call
from handlers.consulting.call.contracts import AboutCall, CallDurationRecorded, CallInitiated
from handlers.kit.notices import Notice
from handlers.kit.transaction import Transaction


@call.notifies(CallInitiated, "call_initiated", says=("within",))
def call_the_participants(tx: Transaction, event: CallInitiated) -> Iterator[Notice]:
    """Invite both participants to the open call."""
    within = tx.rules.span("call_unheld_s")
    for user_id in _both(event):
        yield Notice(
            to=user_id,
            link=f"/calls/{event.call.id}",
            data={"call_id": event.call.id},
            values={"within": within},
        )


@call.notifies(CallDurationRecorded, "call_ended", says=("talked",))
def tell_how_long(tx: Transaction, event: CallDurationRecorded) -> Iterator[Notice]:
    """Notify both participants of the talked time."""
    for user_id in _both(event):
        yield Notice(
            to=user_id,
            link=f"/calls/{event.call.id}",
            data={"call_id": event.call.id, "talked_s": event.call.talked_s},
            values={"talked": timedelta(seconds=event.call.talked_s)},
        )


def _both(event: AboutCall) -> tuple[str, str]:
    return (event.call.student_id, event.call.consultant_id)
