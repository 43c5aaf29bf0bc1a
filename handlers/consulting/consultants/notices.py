"""Notifications for consultants."""

from collections.abc import Iterator

from handlers.consulting.consultants import consultants
from handlers.consulting.consultants.contracts import ConsultantOnboarded
from handlers.kit.notices import Notice
from handlers.kit.transaction import Transaction


@consultants.notifies(ConsultantOnboarded, "consultant_onboarded")
def confirm_the_onboarding(tx: Transaction, event: ConsultantOnboarded) -> Iterator[Notice]:
    """Welcome a new consultant, with a link to the next step."""
    yield Notice(to=event.consultant.id, link="/week")
