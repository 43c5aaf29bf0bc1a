"""What consultants are told."""

from collections.abc import Iterator

from handlers.consulting.consultants import consultants
from handlers.consulting.consultants.contracts import ConsultantOnboarded
from handlers.kit.notices import Notice
from handlers.kit.transaction import Transaction


@consultants.notifies(ConsultantOnboarded, "consultant_onboarded")
def confirm_the_onboarding(tx: Transaction, event: ConsultantOnboarded) -> Iterator[Notice]:
    """A new consultant is told what comes next."""
    yield Notice(to=event.consultant.id, link="/week")
