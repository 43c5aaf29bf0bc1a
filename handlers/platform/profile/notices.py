"""What people are told about being users."""

from collections.abc import Iterator

from handlers.kit.notices import Notice
from handlers.kit.transaction import Transaction
from handlers.platform.profile import profile
from handlers.platform.profile.contracts import UserCreated


@profile.notifies(UserCreated, "welcome")
def welcome(tx: Transaction, event: UserCreated) -> Iterator[Notice]:
    """A new user is welcome."""
    yield Notice(to=event.user.id, link="/consultants")
