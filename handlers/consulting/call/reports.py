"""What the webhooks of the video provider say about the participants of calls."""

from handlers.consulting.call import service
from handlers.consulting.call.providers.livekit import Webhook
from handlers.kit.transaction import Transaction
from storage.consulting.call import calls as store
from storage.consulting.call import provider_stays
from storage.consulting.call.calls import CallRow
from storage.consulting.call.provider_stays import ProviderStay

JOINED = ("participant_joined",)
LEFT = ("participant_left", "participant_connection_aborted")
FINISHED = "room_finished"
STAYS_MAX = 200


def take(tx: Transaction, webhook: Webhook) -> None:
    """Note who joined or left; ignores other events, and rooms and users that are not of a call."""
    if webhook.event not in (*JOINED, *LEFT, FINISHED):
        return
    row = store.lock_call(tx, webhook.room.name)
    if row is None or row.provider != "livekit":
        return
    if webhook.event == FINISHED:
        provider_stays.close_stays(tx, row.id, min(webhook.at, tx.now))
    else:
        _note(tx, row, webhook)
    service.correct_the_talked_time(tx, row)


def _note(tx: Transaction, row: CallRow, webhook: Webhook) -> None:
    """A report of a departure says when its stay began, so it can come before that of the start."""
    person = webhook.participant
    if person.identity not in (row.student_id, row.consultant_id) or not person.sid:
        return
    known = {stay.session for stay in provider_stays.list_stays(tx, row.id)}
    if person.sid not in known and len(known) >= STAYS_MAX:
        return
    joined_at = max(row.initiated_at, min(person.began or webhook.at, tx.now))
    left_at = max(joined_at, min(webhook.at, tx.now)) if webhook.event in LEFT else None
    stay = ProviderStay(row.id, person.sid, person.identity, joined_at, left_at)
    provider_stays.keep_stay(tx, stay)
