"""The mail that brings a pincode, for whatever it is asked."""

from handlers.pincodes import pincodes

PINCODE = pincodes.mail("pincode", says=("pincode", "life"))
