"""Decides from an SMTP server's reply, and the step it answers, whose fault a failed try is.

The codes are those of RFC 5321, 4.2.1, and the enhanced ones of RFC 3463 and its registry. We talk
to one configured server, so what it says about itself, our sign-in or our sender is true for every
mail. What it says about a recipient or a content is true for one mail.
"""

import re
from typing import Literal

from handlers.kit.visible import shortened
from handlers.platform.send.outcomes import Outcome

Step = Literal["connection", "TLS", "sign-in", "MAIL FROM", "RCPT TO", "DATA"]
REPLY_MAX = 200
CLOSING = 421
"""The server closes the connection, whatever the command was."""
SYNTAX = (500, 502, 503, 504)
"""The server does not know the command, or expects another one."""
NO_SIGN_IN = (530, 534, 535, 538)
OF_STEP: dict[Step, str] = {
    "connection": "no_connection",
    "TLS": "tls_failed",
    "sign-in": "sign_in_refused",
}
"""The reasons of the steps before a mail: whatever the reply, every mail would get it."""
SUSPICIOUS = {
    ("1", "7"): "sender_refused",  # many servers check the sender only when they get a recipient
    ("1", "8"): "sender_refused",
    ("3", "2"): "server_unavailable",
    ("3", "5"): "server_unavailable",
}
"""The reasons of enhanced codes (subject and detail) that are about us, or about the server."""
_ENHANCED = re.compile(r"\b[245]\.(\d{1,3})\.(\d{1,3})\b")
_RELAYING = re.compile(r"\brelay", re.IGNORECASE)


def judge(step: Step, code: int, text: str, recipient: str) -> Outcome:
    """The outcome of a reply that is not a success."""
    reply = _in_a_line(step, code, text, recipient)
    enhanced = _enhanced(text)
    if reason := _fault_of_server(step, code, enhanced[0]):
        return Outcome("fault", reason, reply)
    if reason := _suspicion(step, code, enhanced, text):
        return Outcome("suspicion", reason, reply)
    if code < 500:
        return Outcome("deferred", "recipient_unavailable", reply)
    of_recipient = step == "RCPT TO" or enhanced[0] in ("1", "2")
    return Outcome("refused", "recipient_refused" if of_recipient else "content_refused", reply)


def _fault_of_server(step: Step, code: int, subject: str) -> str | None:
    """The reason if the reply is about the server, our sign-in or our sender."""
    if step in OF_STEP:
        return OF_STEP[step]
    if code == CLOSING or (400 <= code < 500 and subject == "3"):
        return "server_unavailable"
    if step != "MAIL FROM":
        return None
    if code in NO_SIGN_IN:
        return "sign_in_refused"
    if code in SYNTAX or code < 400:
        return "not_understood"
    return "sender_refused" if code >= 500 or subject == "1" else "server_unavailable"


def _suspicion(step: Step, code: int, enhanced: tuple[str, str], text: str) -> str | None:
    """The reason if the reply to a recipient or to a content is probably about us.

    Servers use the codes 5.7 (policy) both for us ("relay access denied", "unauthenticated sender")
    and for single messages.
    """
    if code in NO_SIGN_IN:
        return "sign_in_refused"
    if code in SYNTAX or code < 400:
        return "not_understood"
    if (code >= 500 and enhanced[0] == "7") or (step == "RCPT TO" and _RELAYING.search(text)):
        return "not_permitted"
    return SUSPICIOUS.get(enhanced)


def _enhanced(text: str) -> tuple[str, str]:
    """Subject and detail of the enhanced status code; two zeros if there is none."""
    found = _ENHANCED.search(text)
    return (found[1], found[2]) if found else ("0", "0")


def _in_a_line(step: Step, code: int, text: str, recipient: str) -> str:
    """The step, the codes, and the text, without what the server may repeat: the address or, after
    a content, the whole text."""
    if step == "DATA":
        found = _ENHANCED.search(text)
        return f"{step}: {code} {found[0]}" if found else f"{step}: {code}"
    names = (recipient, recipient.rpartition("@")[0])
    repeated = "|".join(rf"\b{re.escape(name)}\b" for name in names if name)
    anonymous = re.sub(repeated, "…", text, flags=re.IGNORECASE) if repeated else text
    return f"{step}: {shortened(f'{code} {anonymous}', REPLY_MAX)}"
