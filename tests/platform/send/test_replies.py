"""Whose fault a reply of an SMTP server is, by its step and its codes."""

import pytest

from handlers.platform.send.outcomes import REASONS
from handlers.platform.send.replies import judge

TO = "ana@example.org"
FAULT, SUSPICION, REFUSED, DEFERRED = "fault", "suspicion", "refused", "deferred"
REPLIES = [
    ("connection", 421, "4.3.2 too many connections", FAULT, "no_connection"),
    ("connection", 554, "no SMTP service here", FAULT, "no_connection"),
    ("connection", -1, "HTTP/1.1 400 Bad Request", FAULT, "no_connection"),
    ("TLS", 454, "4.7.0 TLS not available", FAULT, "tls_failed"),
    ("sign-in", 535, "5.7.8 authentication credentials invalid", FAULT, "sign_in_refused"),
    ("sign-in", 454, "4.7.0 temporary authentication failure", FAULT, "sign_in_refused"),
    ("MAIL FROM", 530, "5.7.0 authentication required", FAULT, "sign_in_refused"),
    ("MAIL FROM", 550, "5.7.1 not authorized to send as this", FAULT, "sender_refused"),
    ("MAIL FROM", 553, "5.1.8 no such domain", FAULT, "sender_refused"),
    ("MAIL FROM", 501, "5.1.7 bad sender", FAULT, "sender_refused"),
    ("MAIL FROM", 450, "4.1.8 domain not found", FAULT, "sender_refused"),
    ("MAIL FROM", 452, "4.3.1 insufficient system storage", FAULT, "server_unavailable"),
    ("MAIL FROM", 451, "try later", FAULT, "server_unavailable"),
    ("MAIL FROM", 503, "5.5.1 say EHLO first", FAULT, "not_understood"),
    ("RCPT TO", 550, "5.1.1 no such user", REFUSED, "recipient_refused"),
    ("RCPT TO", 550, "nobody here", REFUSED, "recipient_refused"),
    ("RCPT TO", 501, "5.1.3 bad address", REFUSED, "recipient_refused"),
    ("RCPT TO", 550, "5.1.10 recipient not found", REFUSED, "recipient_refused"),
    ("RCPT TO", 552, "5.2.2 mailbox full", REFUSED, "recipient_refused"),
    ("RCPT TO", 550, "5.2.1 mailbox disabled", REFUSED, "recipient_refused"),
    ("RCPT TO", 550, "5.4.1 no route to the domain", REFUSED, "recipient_refused"),
    ("RCPT TO", 450, "4.7.1 greylisted", DEFERRED, "recipient_unavailable"),
    ("RCPT TO", 450, "4.2.1 mailbox busy", DEFERRED, "recipient_unavailable"),
    ("RCPT TO", 452, "4.2.2 mailbox full", DEFERRED, "recipient_unavailable"),
    ("RCPT TO", 451, "come back later", DEFERRED, "recipient_unavailable"),
    ("RCPT TO", 451, "4.4.3 the domain's name servers do not answer", DEFERRED,
     "recipient_unavailable"),
    ("RCPT TO", 421, "closing", FAULT, "server_unavailable"),
    ("RCPT TO", 452, "4.3.1 insufficient system storage", FAULT, "server_unavailable"),
    ("RCPT TO", 530, "5.7.0 must sign in first", SUSPICION, "sign_in_refused"),
    ("RCPT TO", 553, "5.1.8 sender rejected: domain not found", SUSPICION, "sender_refused"),
    ("RCPT TO", 450, "4.1.8 sender rejected: domain not found", SUSPICION, "sender_refused"),
    ("RCPT TO", 550, "5.1.7 bad sender's mailbox", SUSPICION, "sender_refused"),
    ("RCPT TO", 554, "5.7.1 Relay access denied", SUSPICION, "not_permitted"),
    ("RCPT TO", 550, "relay not permitted", SUSPICION, "not_permitted"),
    ("RCPT TO", 454, "4.7.1 Relay access denied", SUSPICION, "not_permitted"),
    ("RCPT TO", 550, "5.7.1 rejected by policy", SUSPICION, "not_permitted"),
    ("RCPT TO", 503, "5.5.1 bad sequence", SUSPICION, "not_understood"),
    ("RCPT TO", 550, "5.3.2 system not accepting messages", SUSPICION, "server_unavailable"),
    ("DATA", 550, "5.7.26 unauthenticated sender", SUSPICION, "not_permitted"),
    ("DATA", 554, "5.6.0 malformed content", REFUSED, "content_refused"),
    ("DATA", 552, "5.3.4 message too big", REFUSED, "content_refused"),
    ("DATA", 554, "transaction failed", REFUSED, "content_refused"),
    ("DATA", 550, "5.1.1 no such user", REFUSED, "recipient_refused"),
    ("DATA", 451, "4.7.0 try again", DEFERRED, "recipient_unavailable"),
    ("DATA", 452, "4.3.1 insufficient system storage", FAULT, "server_unavailable"),
    ("DATA", 421, "shutting down", FAULT, "server_unavailable"),
]  # fmt: skip


@pytest.mark.parametrize(
    ("step", "code", "text", "verdict", "reason"),
    REPLIES,
    ids=[f"{step}-{code}-{text}" for step, code, text, *_ in REPLIES],
)
def test_a_reply_is_the_fault_of(step, code, text, verdict, reason):
    outcome = judge(step, code, text, TO)
    assert (outcome.verdict, outcome.reason) == (verdict, reason)
    assert reason in REASONS
    assert outcome.reply.startswith(f"{step}: {code}")


def test_a_kept_reply_is_one_line_and_does_not_repeat_what_was_sent():
    outcome = judge("RCPT TO", 550, "5.1.1 <Ana@example.org>:\nuser ana is unknown", TO)
    assert outcome.reply == "RCPT TO: 550 5.1.1 <…>: user … is unknown"
    outcome = judge("DATA", 554, "5.6.0 Your pincode is 123456: spam", TO)
    assert outcome.reply == "DATA: 554 5.6.0"
    assert len(judge("RCPT TO", 550, "x" * 9_000, TO).reply) < 300
