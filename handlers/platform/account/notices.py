"""Notices to users about their accounts."""

from collections.abc import Iterator

from handlers.kit.notices import Notice
from handlers.kit.transaction import Transaction
from handlers.platform.account import account
from handlers.platform.account.contracts import EmailChanged
from handlers.platform.auth import public as accounts


@account.notifies(EmailChanged, "email_changed", importance="critical", says=("where",))
def notify_of_the_new_address(tx: Transaction, event: EmailChanged) -> Iterator[Notice]:
    """The account has a new address. The old address gets a separate mail."""
    where = accounts.where(event.device, event.place, tx.cause.at if tx.cause else tx.now)
    yield Notice(to=event.user_id, link="/profile", values={"where": where})
