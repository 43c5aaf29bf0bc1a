"""The mail channel: `.eml` files in a folder, or SMTP."""

import asyncio
import ipaddress
import re
import ssl
from collections.abc import Awaitable, Callable
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime
from pathlib import Path
from typing import Literal, NamedTuple
from urllib.parse import parse_qsl, unquote, urlsplit

import aiosmtplib
import structlog

from handlers.platform.send.contracts import SendNotification
from storage.engine.clock import Clock

log = structlog.get_logger("mail")

POLICY = SMTP.clone(cte_type="7bit")  # every server accepts it
SMTP_STEP_S = 15.0
SMTP_WHOLE_S = 30.0
"""A complete delivery. With another `SMTP_STEP_S` to close the connection, it ends well within the
relay's lease."""


class Letter(NamedTuple):
    """A message in wire format, and its envelope: the sender and the recipient."""

    dispatch_id: str
    sender: str
    to: str
    message: bytes


Carry = Callable[[Letter], Awaitable[None]]


class MailRefused(Exception):
    """The mail could not be handed over; `final` means that a retry is pointless."""

    def __init__(self, reason: str, *, final: bool = False) -> None:
        super().__init__(reason)
        self.final = final


class Mailer:
    """Builds mails and hands them to a carrier, which is a folder or a mail server."""

    def __init__(self, carry: Carry, sender: str, clock: Clock) -> None:
        self._carry = carry
        self._sender = sender
        self._clock = clock

    async def send(self, content: SendNotification) -> None:
        """Send `content`. Its dispatch id is the Message-ID, which identifies repeated mails.

        Raises MailRefused.
        """
        try:
            letter = self._write(content)
        except Exception as error:  # the header parsers raise many kinds of errors
            raise MailRefused("the message cannot be built", final=True) from error
        await self._carry(letter)

    def _write(self, content: SendNotification) -> Letter:
        """Build the letter to `content.to` alone; raises whatever invalid headers cause."""
        message = EmailMessage(POLICY)
        message["From"] = self._sender
        message["To"] = content.to
        if [one.addr_spec for one in message["To"].addresses] != [content.to]:
            raise ValueError("the address is ambiguous")
        message["Subject"] = content.subject
        message["Date"] = format_datetime(self._clock.now())
        message["Message-ID"] = f"<{content.dispatch_id}@parley>"
        message["X-Parley-Dispatch"] = content.dispatch_id
        message.set_content(content.text)
        message.add_alternative(content.html, subtype="html")
        sender = message["From"].addresses[0].addr_spec
        return Letter(content.dispatch_id, sender, content.to, message.as_bytes())


def to_folder(folder: Path) -> Carry:
    """Write each mail to `<dispatch id>.eml`, completely or not at all."""

    def write(letter: Letter) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        name = re.sub(r"[^0-9a-f-]", "", letter.dispatch_id)
        part = folder / f".{name}.part"
        part.write_bytes(letter.message)
        part.rename(folder / f"{name}.eml")

    async def carry(letter: Letter) -> None:
        try:
            await asyncio.to_thread(write, letter)
        except OSError as error:
            raise MailRefused(error.strerror or "cannot write to the folder") from error

    return carry


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

    async def carry(letter: Letter) -> None:
        try:
            async with asyncio.timeout(SMTP_WHOLE_S):
                await _send(server, letter)
        except aiosmtplib.SMTPResponseException as error:
            raise MailRefused(f"SMTP {error.code}", final=error.code >= 500) from error
        except aiosmtplib.SMTPRecipientsRefused as error:
            final = all(one.code >= 500 for one in error.recipients)
            raise MailRefused("recipient refused", final=final) from error
        except ssl.SSLError as error:  # before ValueError, its base for certificate errors
            raise MailRefused(_tls_fault(error) or "TLS failed") from error
        except ValueError as error:
            raise MailRefused("recipient refused", final=True) from error
        except (aiosmtplib.SMTPException, OSError) as error:
            raise MailRefused(_tls_fault(error) or type(error).__name__) from error

    return carry


async def _send(server: MailServer, letter: Letter) -> None:
    """Deliver one mail; sends no password and no mail before the connection is secured."""
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
            await _start_tls(client)
        if server.username is not None:
            await client.login(server.username, server.password or "")
        await client.sendmail(letter.sender, [letter.to], letter.message)


async def _start_tls(client: aiosmtplib.SMTP) -> None:
    """Raises MailRefused if the server does not offer STARTTLS: an attacker may have removed it."""
    await client.ehlo()
    if not client.supports_extension("starttls"):
        reason = "the mail server offers no STARTTLS"
        log.error("mail_not_sent", reason=reason, remedy="smtps://, or ?tls=opportunistic")
        raise MailRefused(reason)
    await client.starttls()


def _tls_fault(error: BaseException) -> str | None:
    """Log and return the TLS fault that made a delivery fail; None if TLS was not the cause."""
    fault: BaseException | None = error
    while fault is not None and not isinstance(fault, ssl.SSLError):
        fault = fault.__cause__ or fault.__context__
    if fault is None:
        return None
    reason = f"the mail server's TLS failed: {getattr(fault, 'verify_message', fault.reason)}"
    log.error("mail_not_sent", reason=reason)
    return reason
