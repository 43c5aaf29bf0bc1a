"""The SMTP carrier: hands one mail to the configured server, over one connection."""

import asyncio
import ipaddress
import ssl
from typing import Literal, NamedTuple
from urllib.parse import parse_qsl, unquote, urlsplit

import aiosmtplib

from handlers.kit.visible import shortened
from handlers.platform.send.mail import Carry, Letter
from handlers.platform.send.outcomes import SENT, Outcome, Verdict
from handlers.platform.send.replies import REPLY_MAX, Step, judge

SMTP_STEP_S = 15.0
SMTP_WHOLE_S = 25.0
"""A complete delivery. With another `SMTP_STEP_S` to close the connection, it ends well within the
relay's lease."""


class MailServer(NamedTuple):
    """The mail server, and how to secure the connection to it.

    `tls` is "implicit" (smtps), "required" (STARTTLS, otherwise nothing is sent) or "opportunistic"
    (STARTTLS if the server offers it, with any certificate).
    """

    host: str
    port: int | None
    username: str | None
    password: str | None
    tls: Literal["implicit", "required", "opportunistic"]


class NoStartTls(Exception):
    """The server offers no STARTTLS: an attacker may have removed the offer."""


def read_mail_url(url: str) -> MailServer:
    """Parse `smtp://` or `smtps://user:password@host:port`, with `?tls=opportunistic` for a relay.

    Without that option, TLS with a verified certificate is required, because passwords and pincodes
    are sent. The exception is a server on this machine that needs no password.
    Raises ValueError, whose text contains no secrets.
    """
    parts = urlsplit(url)
    try:
        port = parts.port
    except ValueError:
        raise ValueError("has an invalid port") from None
    options = dict(parse_qsl(parts.query, keep_blank_values=True))
    tls = options.pop("tls", "")
    if options or tls not in ("", "opportunistic"):
        raise ValueError("accepts only the option ?tls=opportunistic")
    if tls and (parts.scheme == "smtps" or parts.username is not None):
        raise ValueError(
            "cannot have a password with ?tls=opportunistic, which does not verify TLS"
        )
    host = parts.hostname or "localhost"
    any_tls = tls or (is_loopback(host) and parts.username is None)
    return MailServer(
        host,
        port,
        unquote(parts.username) if parts.username else None,
        unquote(parts.password) if parts.password else None,
        "implicit" if parts.scheme == "smtps" else "opportunistic" if any_tls else "required",
    )


def is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def by_smtp(url: str) -> Carry:
    """Send each mail to the server of `url`; raises ValueError for an invalid URL."""
    server = read_mail_url(url)

    async def carry(letter: Letter) -> Outcome:
        delivery = Delivery(server, letter)
        try:
            async with asyncio.timeout(SMTP_WHOLE_S):
                await delivery.run()
        except (aiosmtplib.SMTPException, NoStartTls, OSError, ValueError) as error:
            return SENT if delivery.accepted else delivery.judge(error)
        return SENT

    return carry


class Delivery:
    """One mail on its way. `step` is the one that runs, or that failed."""

    def __init__(self, server: MailServer, letter: Letter) -> None:
        self._server = server
        self._letter = letter
        self.step: Step = "connection"
        self.accepted = False
        """Whether the server took the mail. What fails afterwards must not repeat it."""

    async def run(self) -> None:
        """Sends no password and no mail before the connection is secured."""
        server = self._server
        client = aiosmtplib.SMTP(
            hostname=server.host,
            port=server.port,
            use_tls=server.tls == "implicit",
            start_tls=None if server.tls == "opportunistic" else False,
            validate_certs=server.tls != "opportunistic",
            timeout=SMTP_STEP_S,
        )
        async with client:
            if server.tls == "required":
                await self._start_tls(client)
            if server.username is not None:
                self.step = "sign-in"
                await client.login(server.username, server.password or "")
            await self._hand_over(client)

    async def _start_tls(self, client: aiosmtplib.SMTP) -> None:
        """Raises NoStartTls."""
        await client.ehlo()
        self.step = "TLS"
        if not client.supports_extension("starttls"):
            raise NoStartTls
        await client.starttls()

    async def _hand_over(self, client: aiosmtplib.SMTP) -> None:
        self.step = "MAIL FROM"
        await client.mail(self._letter.sender)
        self.step = "RCPT TO"
        await client.rcpt(self._letter.to)
        self.step = "DATA"
        await client.data(self._letter.message)
        self.accepted = True

    def judge(self, error: Exception) -> Outcome:
        """The outcome of a delivery that failed with `error`."""
        if isinstance(error, NoStartTls):
            reply = "it offers no STARTTLS; use smtps://, or ?tls=opportunistic"
            return Outcome("fault", "tls_failed", reply)
        if isinstance(error, aiosmtplib.SMTPResponseException):
            return judge(self.step, error.code, error.message, self._letter.to)
        if (fault := _tls_fault(error)) is not None:
            return Outcome("fault", "tls_failed", fault)
        if self.step == "connection":  # its text has the host and the port
            return Outcome("fault", "no_connection", shortened(str(error), REPLY_MAX))
        if isinstance(error, TimeoutError):
            return self._of_connection("no_answer")
        return self._of_connection(
            "connection_lost" if isinstance(error, OSError) else "not_understood"
        )

    def _of_connection(self, reason: str) -> Outcome:
        """Before the mail, every mail would fail like this one; from then on, it may be the mail's
        own fault, for example if its content crashes the server."""
        verdict: Verdict = "suspicion" if self.step in ("RCPT TO", "DATA") else "fault"
        return Outcome(verdict, reason, self.step)


def _tls_fault(error: BaseException) -> str | None:
    """In words, the TLS fault that made a delivery fail; None if TLS was not the cause."""
    fault: BaseException | None = error
    while fault is not None and not isinstance(fault, ssl.SSLError):
        fault = fault.__cause__ or fault.__context__
    return None if fault is None else str(getattr(fault, "verify_message", fault.reason))
