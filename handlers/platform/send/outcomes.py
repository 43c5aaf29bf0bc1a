"""What became of one try to hand a message over, in terms that hold for every channel."""

from typing import Literal

import msgspec

Verdict = Literal["sent", "refused", "deferred", "fault", "suspicion"]
"""Whose fault a failed try is:

- `refused`: this message or its recipient, for good;
- `deferred`: the recipient, for now;
- `fault`: ours (the connection, sign-in, sender or settings), so no other message gets through;
- `suspicion`: probably ours. It is about this message alone if others get through meanwhile.
"""

REASONS = {
    "no_connection": "no connection to the mail server",
    "no_answer": "the mail server did not answer in time",
    "connection_lost": "the mail server closed the connection",
    "tls_failed": "the connection to the mail server could not be secured",
    "sign_in_refused": "the mail server refused the user name or the password",
    "sender_refused": "the mail server refused the sender's address",
    "not_permitted": "the mail server does not send this for us",
    "server_unavailable": "the mail server cannot send mails now",
    "not_understood": "the mail server did not understand a command",
    "folder_not_writable": "the folder for mails cannot be written",
    "recipient_refused": "the recipient's address was refused",
    "recipient_unavailable": "the recipient's mailbox was not available",
    "content_refused": "the content was refused",
    "unusable_address": "no mail can be addressed to the recipient",
    "too_many": "the recipient got too many mails of this kind",
    "expired": "the content is no longer of use",
    "erased": "the content was erased with an account",
}
"""All reasons, in words. Metrics and events show only the codes."""


class Outcome(msgspec.Struct, frozen=True):
    """The verdict on a try, its reason (a code of `REASONS`), and the answer of the other side."""

    verdict: Verdict
    reason: str = ""
    reply: str = ""
    """Where it happened, and the answer if there was one: `RCPT TO: 550 5.1.1 No such user`."""


SENT = Outcome("sent")
