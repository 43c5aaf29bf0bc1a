"""What is said about signing up."""

from handlers.auth.contracts import Password
from handlers.kit.contract import Name, Request
from handlers.kit.errors import Refusal
from handlers.pincodes.contracts import Pincode
from handlers.profile.contracts import Email


class EmailTaken(Refusal):
    """There is an account with this address already."""

    KEEPS = True


class StartSignup(Request):
    email: Email


class CompleteSignup(Request):
    email: Email
    pincode: Pincode
    first_name: Name
    last_name: Name
    password: Password
