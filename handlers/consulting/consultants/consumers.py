"""What follows from changes of the person behind a consultant."""

import msgspec

from handlers.consulting.consultants import consultants, service
from handlers.consulting.consultants.contracts import ConsultantOnboarded
from handlers.kit.transaction import Transaction
from handlers.platform.personal_data import public as accounts
from handlers.platform.profile.contracts import UserUpdated
from storage.consulting import consultants as store


@consultants.consumer(UserUpdated)
def carry_the_name(tx: Transaction, event: UserUpdated) -> None:
    """Keep a consultant's name as the person's is."""
    row = store.lock_consultant(tx, event.user.id)
    name = {"first_name": event.user.first_name, "last_name": event.user.last_name}
    if row is not None and (row.first_name, row.last_name) != tuple(name.values()):
        service.save(tx, msgspec.structs.replace(row, **name))


@consultants.consumer(
    ConsultantOnboarded, formerly=("personal_data.keep_who_is_about_to_go_paused",)
)
def keep_paused_for_deletion(tx: Transaction, event: ConsultantOnboarded) -> None:
    """Who begins to consult while their account is to be deleted does so once they restored it."""
    if accounts.hold_planned_deletion(tx, event.consultant.id):
        service.pause_for_deletion(tx, event.consultant.id)
