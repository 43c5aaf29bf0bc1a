"""A mail server on a free port of 127.0.0.1 that keeps the mails for the test."""

import asyncio
import ipaddress
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email import message_from_bytes, policy
from email.message import EmailMessage
from pathlib import Path
from typing import Any

from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword, Session
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

MOST_MAILS = 1000


@dataclass(frozen=True)
class Mail:
    """One delivered mail: the addresses of its envelope, and the message."""

    sender: str
    recipients: tuple[str, ...]
    message: EmailMessage

    @property
    def subject(self) -> str:
        return str(self.message["Subject"])

    @property
    def text(self) -> str:
        """The plain text part; empty if there is none."""
        part = self.message.get_body(("plain",))
        return str(part.get_content()) if part else ""


class Mailbox:
    """Receives the mails. `host` and `port` are the server's; `mails` has all mails."""

    def __init__(self) -> None:
        self.host = "127.0.0.1"
        self.port = 0
        self.mails: list[Mail] = []
        self.logins: list[tuple[str, str, bool]] = []
        """User, password, and whether they were sent over TLS."""
        self.accepts_logins = True
        self._unread: list[Mail] = []
        self._arrival = asyncio.Condition()

    async def wait_for(self, *, to: str, within_s: float = 5) -> Mail:
        """Wait for the oldest mail to an address that was not returned before.

        Raises AssertionError, with the mails that did arrive, if none arrives in time.
        """
        try:
            async with asyncio.timeout(within_s), self._arrival:
                await self._arrival.wait_for(lambda: self._find_unread(to))
                mail = self._find_unread(to)
                assert mail
                self._unread.remove(mail)
                return mail
        except TimeoutError:
            others = [(mail.recipients, mail.subject) for mail in self.mails]
            raise AssertionError(f"no mail to {to} in {within_s} s, only {others}") from None

    def _find_unread(self, to: str) -> Mail | None:
        wanted = to.casefold()
        return next(
            (m for m in self._unread if wanted in map(str.casefold, m.recipients)),
            None,
        )

    def authenticate(
        self, server: SMTP, session: Session, envelope: Envelope, mechanism: str, data: Any
    ) -> AuthResult:
        """Called by aiosmtpd; accepts every password, or none (535)."""
        assert isinstance(data, LoginPassword)
        said = data.login.decode(), data.password.decode()
        self.logins.append((*said, session.ssl is not None))
        return AuthResult(success=self.accepts_logins, handled=False)

    def answer(self, moment: str, reply: str, *, to: str = "", times: int = 1_000_000) -> list[str]:
        """Give this reply at a moment, such as `handle_RCPT`, for mails to `to` (or for all).

        Returns the recipients that got it, as a list that grows.
        """
        got: list[str] = []

        async def refuse(server: SMTP, session: Session, envelope: Envelope, *more: Any) -> str:
            recipient = str(more[0]) if moment == "handle_RCPT" else "".join(envelope.rcpt_tos)
            if (to and to != recipient) or len(got) >= times:
                return await self._go_on(moment, server, session, envelope, *more)
            got.append(recipient)
            return reply

        setattr(self, moment, refuse)
        return got

    async def _go_on(
        self, moment: str, server: SMTP, session: Session, envelope: Envelope, *more: Any
    ) -> str:
        """What aiosmtpd does without a hook."""
        if moment == "handle_DATA":
            return await type(self).handle_DATA(self, server, session, envelope)
        if moment == "handle_RCPT":
            envelope.rcpt_tos.append(more[0])
        else:
            envelope.mail_from = more[0]
        return "250 OK"

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:
        """Called by aiosmtpd, by this name, when a message is complete."""
        if len(self.mails) >= MOST_MAILS:
            return "452 the mailbox is full"
        content = envelope.original_content or b""
        message = message_from_bytes(content, _class=EmailMessage, policy=policy.default)
        mail = Mail(envelope.mail_from or "", tuple(envelope.rcpt_tos), message)
        async with self._arrival:
            self.mails.append(mail)
            self._unread.append(mail)
            self._arrival.notify_all()
        return "250 OK"


def make_certificate(folder: Path, host: str) -> Path:
    """A PEM file with a key and its self-signed certificate for `host`, valid for an hour."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, host)])
    try:
        alternative: x509.GeneralName = x509.IPAddress(ipaddress.ip_address(host))
    except ValueError:
        alternative = x509.DNSName(host)
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(hours=1))
        .not_valid_after(now + timedelta(hours=1))
        .add_extension(x509.SubjectAlternativeName([alternative]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    file = folder / f"{host}.pem"
    private = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    file.write_bytes(private + certificate.public_bytes(serialization.Encoding.PEM))
    return file


@asynccontextmanager
async def running_mailbox(
    certificate: Path | None = None, *, whole: bool = False, port: int = 0
) -> AsyncIterator[Mailbox]:
    """Serve in the running event loop; closes open connections at the end.

    With a `certificate` it offers STARTTLS, or uses TLS for the `whole` connection. Without one, it
    accepts passwords in clear text.
    """
    mailbox = Mailbox()
    sessions: list[SMTP] = []
    context = None
    if certificate is not None:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate)

    def open_session() -> SMTP:
        session = SMTP(
            mailbox,
            hostname="localhost",
            enable_SMTPUTF8=True,
            tls_context=None if whole else context,
            auth_require_tls=False,
            authenticator=mailbox.authenticate,
        )
        sessions.append(session)
        return session

    server = await asyncio.get_running_loop().create_server(
        open_session, mailbox.host, port, ssl=context if whole else None
    )
    mailbox.port = server.sockets[0].getsockname()[1]
    try:
        yield mailbox
    finally:
        server.close()
        for session in sessions:
            if session.transport:
                session.transport.close()
        await server.wait_closed()
