"""Mails to people who cannot sign in."""

from handlers.platform.auth import auth

RESET_MAIL = auth.mail("reset", says=("pincode", "life"))
NO_ACCOUNT_MAIL = auth.mail("no_account", action=True)
