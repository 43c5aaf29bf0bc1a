"""Decisions about sign-up."""

from handlers.kit.transaction import Transaction
from handlers.platform.auth import public as accounts
from handlers.platform.auth.contracts import SessionView
from handlers.platform.pincodes import public as pincodes
from handlers.platform.pincodes.contracts import PincodeSent
from handlers.platform.profile import public as profiles
from handlers.platform.profile.contracts import EmailTaken
from handlers.platform.signup.contracts import CompleteSignup, StartSignup

PURPOSE = "signup"


def start(tx: Transaction, ask: StartSignup) -> PincodeSent:
    """Mail a pincode. Addresses that already have an account get the same answer."""
    return pincodes.send_pincode(tx, ask.email, PURPOSE, pincodes.visitor(tx))


def complete(tx: Transaction, ask: CompleteSignup, password_hash: str) -> SessionView:
    """Spend the pincode and create the user; raises `PINCODE_REFUSALS` and EmailTaken."""
    email = ask.email
    pincodes.spend_pincode(tx, email, PURPOSE, ask.pincode, pincodes.visitor(tx), ticket=ask.ticket)
    user = profiles.create_user(tx, email, ask.first_name, ask.last_name)
    if user is None:
        raise EmailTaken().kept()  # the pincode is spent
    accounts.set_password(tx, user.id, password_hash)
    return accounts.open_session(tx, user.id)
