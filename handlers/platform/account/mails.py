"""Mails to the old address when an account changes its address."""

from handlers.platform.account import account

LEAVING_ADDRESS = account.mail(
    "leaving_address", says=("pincode", "life", "new_email"), action=True
)
ADDRESS_LEFT = account.mail("address_left", says=("new_email", "where"), action=True)
