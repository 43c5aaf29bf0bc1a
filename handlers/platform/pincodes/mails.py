"""The mail that carries a pincode, whatever its purpose."""

from handlers.platform.pincodes import pincodes

PINCODE = pincodes.mail("pincode", says=("pincode", "life"))
