"""What people are told about their accounts."""

from collections.abc import Iterator

from handlers.kit.notices import Notice
from handlers.kit.transaction import Transaction
from handlers.kit.wording import Plain
from handlers.platform.account import account
from handlers.platform.account.contracts import EmailChanged


@account.notifies(EmailChanged, "email_changed", importance="critical", says=("where",))
def tell_of_the_address(tx: Transaction, event: EmailChanged) -> Iterator[Notice]:
    """The account has another address; the old one gets a mail of its own."""
    where = (event.device, Plain(event.place), tx.cause.at if tx.cause else tx.now)
    yield Notice(to=event.user_id, link="/profile", values={"where": where})
