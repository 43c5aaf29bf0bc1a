"""The mail channel: `.eml` files in a folder, or SMTP."""

import asyncio
import re
from collections.abc import Awaitable, Callable
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime
from pathlib import Path
from typing import NamedTuple
from urllib.parse import unquote, urlsplit

import aiosmtplib

from handlers.send.contracts import SendNotification
from storage.clock import Clock

POLICY = SMTP.clone(cte_type="7bit")  # so that any server takes it
SMTP_STEP_S = 15.0
SMTP_WHOLE_S = 30.0
"""A whole delivery, with one step more for the goodbye, ends well within the relay's lease."""


class Letter(NamedTuple):
    """A message as it is sent, and its envelope: who it is from and who gets it."""

    dispatch_id: str
    sender: str
    to: str
    message: bytes


Carry = Callable[[Letter], Awaitable[None]]


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
        try:
            letter = self._write(content)
        except Exception as error:  # the parsers of headers raise whatever they stumble over
            raise MailRefused("no mail can be made of it", final=True) from error
        await self._carry(letter)

    def _write(self, content: SendNotification) -> Letter:
        """The letter to `content.to` and nobody else; raises what its parts deserve."""
        message = EmailMessage(POLICY)
        message["From"] = self._sender
        message["To"] = content.to
        if [one.addr_spec for one in message["To"].addresses] != [content.to]:
            raise ValueError("the address reads as something else")
        message["Subject"] = content.subject
        message["Date"] = format_datetime(self._clock.now())
        message["Message-ID"] = f"<{content.dispatch_id}@parley>"
        message["X-Parley-Dispatch"] = content.dispatch_id
        message.set_content(content.text)
        message.add_alternative(content.html, subtype="html")
        sender = message["From"].addresses[0].addr_spec
        return Letter(content.dispatch_id, sender, content.to, message.as_bytes())


def to_folder(folder: Path) -> Carry:
    """Write each mail as `<dispatch id>.eml`, whole or not at all."""

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
            raise MailRefused(error.strerror or "the folder cannot be written") from error

    return carry


def by_smtp(url: str) -> Carry:
    """Hand each mail to the server of `smtp://` or `smtps://user:password@host:port`."""
    parts = urlsplit(url)

    async def carry(letter: Letter) -> None:
        try:
            async with asyncio.timeout(SMTP_WHOLE_S):
                await aiosmtplib.send(
                    letter.message,
                    sender=letter.sender,
                    recipients=[letter.to],
                    hostname=parts.hostname or "localhost",
                    port=parts.port,
                    username=unquote(parts.username) if parts.username else None,
                    password=unquote(parts.password) if parts.password else None,
                    use_tls=parts.scheme == "smtps",
                    timeout=SMTP_STEP_S,
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
