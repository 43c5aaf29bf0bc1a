"""The mail channel: `.eml` files in a folder, or SMTP."""

import asyncio
import re
from collections.abc import Awaitable, Callable
from email.message import EmailMessage
from email.utils import format_datetime
from pathlib import Path
from urllib.parse import unquote, urlsplit

import aiosmtplib

from handlers.send.contracts import SendNotification
from storage.clock import Clock

SMTP_TIMEOUT_S = 20.0
Carry = Callable[[EmailMessage], Awaitable[None]]


class MailRefused(Exception):
    """The mail could not be handed over; `final` when trying again is pointless."""

    def __init__(self, reason: str, *, final: bool = False) -> None:
        super().__init__(reason)
        self.final = final


class Mailer:
    """Makes messages and hands them to a carrier."""

    def __init__(self, carry: Carry, sender: str, clock: Clock) -> None:
        self._carry = carry
        self._sender = sender
        self._clock = clock

    async def send(self, content: SendNotification) -> None:
        """Hand `content` over; its dispatch id is the Message-ID, so a repeat is recognisable.

        Raises MailRefused.
        """
        message = EmailMessage()
        message["From"] = self._sender
        message["To"] = content.to
        message["Subject"] = content.subject
        message["Date"] = format_datetime(self._clock.now())
        message["Message-ID"] = f"<{content.dispatch_id}@parley>"
        message["X-Parley-Dispatch"] = content.dispatch_id
        message.set_content(content.text)
        message.add_alternative(content.html, subtype="html")
        await self._carry(message)


def to_folder(folder: Path) -> Carry:
    """Write each mail as `<dispatch id>.eml`, whole or not at all."""

    def write(message: EmailMessage) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        name = re.sub(r"[^0-9a-f-]", "", message["X-Parley-Dispatch"])
        part = folder / f".{name}.part"
        part.write_bytes(message.as_bytes())
        part.rename(folder / f"{name}.eml")

    async def carry(message: EmailMessage) -> None:
        try:
            await asyncio.to_thread(write, message)
        except OSError as error:
            raise MailRefused(error.strerror or "the folder cannot be written") from error

    return carry


def by_smtp(url: str) -> Carry:
    """Hand each mail to the server of `smtp://` or `smtps://user:password@host:port`."""
    parts = urlsplit(url)

    async def carry(message: EmailMessage) -> None:
        try:
            await aiosmtplib.send(
                message,
                hostname=parts.hostname or "localhost",
                port=parts.port,
                username=unquote(parts.username) if parts.username else None,
                password=unquote(parts.password) if parts.password else None,
                use_tls=parts.scheme == "smtps",
                timeout=SMTP_TIMEOUT_S,
            )
        except aiosmtplib.SMTPResponseException as error:
            raise MailRefused(f"SMTP {error.code}", final=error.code >= 500) from error
        except aiosmtplib.SMTPRecipientsRefused as error:
            final = all(one.code >= 500 for one in error.recipients)
            raise MailRefused("recipient refused", final=final) from error
        except ValueError as error:
            raise MailRefused("recipient refused", final=True) from error
        except (aiosmtplib.SMTPException, OSError) as error:
            raise MailRefused(type(error).__name__) from error

    return carry
