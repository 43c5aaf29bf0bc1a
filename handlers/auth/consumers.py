"""What auth does on its own timers."""

from handlers.auth import auth
from handlers.auth.contracts import SessionDue
from handlers.auth.service import sessions
from handlers.kit.context import Transaction


@auth.consumer(SessionDue)
def end_the_session(tx: Transaction, event: SessionDue) -> None:
    """End a session that was not refreshed in time."""
    sessions.end_unless_refreshed(tx, event.session_id)
