"""The reasons that the server itself gives for cancelling a booking.

A booking and its history have them in English, like a reason that a user wrote. Notifications and
mails have them in the reader's language.
"""

from handlers.consulting.booking import booking
from handlers.consulting.booking.contracts import ReasonCode

IN_ENGLISH: dict[ReasonCode, str] = {
    "hour_withdrawn": "The consultant withdrew this hour.",
    "call_not_held": "The call did not take place.",
    "account_closing": "The other person's account will be deleted.",
    "account_closed": "The other person's account was deleted.",
}
TRANSLATED = {code: booking.sentence(f"reason_{code}") for code in IN_ENGLISH}
