"""Notices for users about their own account."""

from collections.abc import Iterator

from handlers.kit.notices import Notice
from handlers.kit.transaction import Transaction
from handlers.platform.profile import profile
from handlers.platform.profile.contracts import UserCreated


@profile.notifies(UserCreated, "welcome")
def welcome(tx: Transaction, event: UserCreated) -> Iterator[Notice]:
    """Welcome a new user."""
    yield Notice(to=event.user.id, link="/consultants")
