"""Functions about pincodes that other domains call in their own transactions."""

from handlers.platform.pincodes.askers import Asker, session, visitor
from handlers.platform.pincodes.service import make_ticket, send_pincode, spend_pincode, try_pincode

__all__ = [
    "Asker",
    "make_ticket",
    "send_pincode",
    "session",
    "spend_pincode",
    "try_pincode",
    "visitor",
]
