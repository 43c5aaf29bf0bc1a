"""Consumers that change consultants after changes of the user and their account."""

import msgspec

from handlers.consulting.consultants import consultants, service
from handlers.consulting.consultants.contracts import ConsultantOnboarded, consultant_room
from handlers.kit.life import WatchingEnded
from handlers.kit.transaction import Transaction
from handlers.platform.chat.contracts.personal import PersonBlocked
from handlers.platform.personal_data import public as accounts
from handlers.platform.profile.contracts import UserUpdated
from storage.consulting import consultants as store


@consultants.consumer(UserUpdated)
def carry_the_name(tx: Transaction, event: UserUpdated) -> None:
    """Copy a changed name of the user to the consultant."""
    row = store.lock_consultant(tx, event.user.id)
    name = {"first_name": event.user.first_name, "last_name": event.user.last_name}
    if row is not None and (row.first_name, row.last_name) != tuple(name.values()):
        service.save(tx, msgspec.structs.replace(row, **name))


@consultants.consumer(ConsultantOnboarded)
def keep_paused_for_deletion(tx: Transaction, event: ConsultantOnboarded) -> None:
    """Pause a new consultant whose account is about to be deleted, until they restore it."""
    if accounts.hold_planned_deletion(tx, event.consultant.id):
        service.pause_for_deletion(tx, event.consultant.id)


@consultants.consumer(PersonBlocked)
def end_the_watching(tx: Transaction, event: PersonBlocked) -> None:
    """Stop sending a consultant's changes to a user whom the consultant has blocked."""
    if event.on and store.find_consultant(tx, event.user_id) is not None:
        room = consultant_room(event.user_id)
        tx.publish(WatchingEnded(user_id=event.person_id, of_namespace="/consultants", room=room))
