"""The consumer of session expiry timers."""

from handlers.kit.transaction import Transaction
from handlers.platform.auth import auth
from handlers.platform.auth.contracts import SessionDue
from handlers.platform.auth.service import sessions


@auth.consumer(SessionDue)
def end_the_session(tx: Transaction, event: SessionDue) -> None:
    """End a session that was not refreshed in time."""
    sessions.end_unless_refreshed(tx, event.session_id)
