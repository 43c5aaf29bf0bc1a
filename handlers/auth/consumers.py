"""What auth does on its own timers."""

from handlers.auth import auth, service
from handlers.auth.contracts import SessionDue
from handlers.kit.context import Transaction


@auth.consumer(SessionDue)
def end_the_session(tx: Transaction, event: SessionDue) -> None:
    """End a session that was not refreshed in time."""
    service.end_unless_refreshed(tx, event.session_id)
