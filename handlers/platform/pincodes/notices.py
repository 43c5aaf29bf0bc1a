"""Notices about attempts to guess pincodes."""

from collections.abc import Iterator

from handlers.kit.notices import Notice
from handlers.kit.transaction import Transaction
from handlers.platform.pincodes import pincodes
from handlers.platform.pincodes.contracts import PincodesGuessed
from handlers.platform.profile import public as profiles
from storage.events.log import wipe_event


@pincodes.notifies(PincodesGuessed, "pincodes_guessed", importance="critical", says=("count",))
def warn_of_the_guesses(tx: Transaction, event: PincodesGuessed) -> Iterator[Notice]:
    """Notify the owner of an address for which many wrong pincodes were tried.

    Wipes the event, because its address may belong to somebody without an account here.
    """
    if tx.cause is not None:
        wipe_event(tx, tx.cause.id)
    user = profiles.find_user_by_email(tx, event.email)
    if user is not None:
        data = {"tries": event.tries}
        yield Notice(to=user.id, link="/profile", data=data, values={"count": event.tries})
