"""The mails of who cannot sign in."""

from handlers.auth import auth

RESET = auth.mail("reset", says=("pincode", "life"))
NO_ACCOUNT = auth.mail("no_account", action=True)
