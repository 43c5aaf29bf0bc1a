"""What is said about signing up."""

from handlers.auth.contracts import Password
from handlers.kit.contract import Name, Request
from handlers.pincodes.contracts import Pincode
from handlers.profile.contracts import Email


class StartSignup(Request):
    email: Email


class CompleteSignup(Request):
    email: Email
    pincode: Pincode
    first_name: Name
    last_name: Name
    password: Password
