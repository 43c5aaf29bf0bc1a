"""What neighbours and housekeeping need of pincodes."""

from handlers.pincodes.service import send_pincode, spend_pincode, try_pincode
from storage.pincodes import forget_pincodes

__all__ = ["forget_pincodes", "send_pincode", "spend_pincode", "try_pincode"]
