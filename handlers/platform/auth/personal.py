"""Ends the sessions of an account when it is closed."""

from handlers.kit.transaction import Transaction
from handlers.platform.auth import auth
from handlers.platform.auth.service.sessions import end_sessions_of


@auth.personal_data.on_closed
def end_sessions(tx: Transaction, user_id: str) -> None:
    """End the sessions.

    This runs after the credentials are deleted. So it also ends a session that started just before.
    """
    end_sessions_of(tx, user_id, "account_deleted")
