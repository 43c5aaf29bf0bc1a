"""How calls, timers and changes of consultants move availability."""

from handlers.consulting.availability import availability
from handlers.consulting.availability.contracts import OfferDue, TopUpDue
from handlers.consulting.availability.service import lists, now, weeks
from handlers.consulting.call.contracts import CallEnded, CallStarted
from handlers.consulting.consultants import public as consultants
from handlers.consulting.consultants.contracts import ConsultantDeactivated, ConsultantOnboarded
from handlers.kit.transaction import Transaction
from storage.events import holds


@availability.consumer(CallStarted, CallEnded)
def be_away_during_the_call(tx: Transaction, event: CallStarted | CallEnded) -> None:
    """A consultant in a call is not available now; after it they are again, if they wished so.

    One consumer hears both, so that the end is never heard before the start.
    """
    if isinstance(event, CallStarted):
        now.pause_for_call(tx, event.call.consultant_id, event.call.id)
    else:
        now.resume_after_call(tx, event.call.consultant_id, event.call.id)


@availability.consumer(OfferDue)
def offer_the_place_on(tx: Transaction, event: OfferDue) -> None:
    """An offer that was not taken up goes to the next."""
    holds.lock_pool(tx, event.block_id)
    lists.expire_and_tell(tx, event.block_id)
    lists.look_again(tx, event.block_id)


@availability.consumer(TopUpDue)
def make_blocks_ahead(tx: Transaction, event: TopUpDue) -> None:
    """Every day the weeks in sight get their blocks."""
    weeks.top_up(tx, event.consultant_id)


@availability.consumer(ConsultantDeactivated)
def withdraw_the_week(tx: Transaction, event: ConsultantDeactivated) -> None:
    """Who stopped offers nothing more; what is booked stays."""
    consultant_id = event.consultant.id
    began_again = consultants.lock_consultant(tx, consultant_id)
    if not (began_again and consultants.shows_available_now(tx, consultant_id)):
        now.withdraw(tx, consultant_id)
    if not began_again:
        weeks.withdraw_free(tx, consultant_id)


@availability.consumer(ConsultantOnboarded)
def bring_the_week_back(tx: Transaction, event: ConsultantOnboarded) -> None:
    """Who begins again has their old week again."""
    weeks.top_up(tx, event.consultant.id)
