"""What neighbours and housekeeping need of pincodes."""

from handlers.pincodes.askers import Asker, session, visitor
from handlers.pincodes.service import make_ticket, send_pincode, spend_pincode, try_pincode
from storage.pincodes import forget_pincodes

__all__ = [
    "Asker",
    "forget_pincodes",
    "make_ticket",
    "send_pincode",
    "session",
    "spend_pincode",
    "try_pincode",
    "visitor",
]
