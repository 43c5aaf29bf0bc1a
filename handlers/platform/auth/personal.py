"""The sessions of an account that is erased end."""

from handlers.kit.transaction import Transaction
from handlers.platform.auth import auth
from handlers.platform.auth.service.sessions import end_sessions_of


@auth.personal_data.on_closed
def end_sessions(tx: Transaction, user_id: str) -> None:
    """End them last: who signed in just before the credentials were deleted has one by now."""
    end_sessions_of(tx, user_id, "account_deleted")
