"""The mail that brings a pincode, for whatever it is asked."""

from handlers.platform.pincodes import pincodes

PINCODE = pincodes.mail("pincode", says=("pincode", "life"))
