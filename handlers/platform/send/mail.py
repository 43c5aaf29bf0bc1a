"""The mail channel: builds messages, and hands them to a carrier (a folder, or an SMTP server)."""

import asyncio
import re
from collections.abc import Awaitable, Callable
from email.errors import HeaderParseError, InvalidHeaderDefect
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime
from pathlib import Path
from typing import NamedTuple

from handlers.platform.send.contracts import SendNotification
from handlers.platform.send.outcomes import SENT, Outcome
from storage.engine.clock import Clock

EMAIL = "email"
"""The name of this channel."""
POLICY = SMTP.clone(cte_type="7bit")  # every server accepts it
NEEDED = "it needs name@host, or Name <name@host>"


class Letter(NamedTuple):
    """A message in wire format, and its envelope: the sender and the recipient."""

    dispatch_id: str
    sender: str
    to: str
    message: bytes


Carry = Callable[[Letter], Awaitable[Outcome]]


class Mailer:
    """The channel `email`."""

    def __init__(self, carry: Carry, sender: str, clock: Clock) -> None:
        """`sender` has the form that `address_in` accepts."""
        self._carry = carry
        self._sender = sender
        self._clock = clock

    async def send(self, message: SendNotification) -> Outcome:
        """Send a mail. Its dispatch id is the Message-ID, which identifies repeated mails."""
        try:
            letter = self._write(message)
        except Exception:  # the header parsers raise many kinds of errors
            return Outcome("refused", "unusable_address")
        return await self._carry(letter)

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
        if content.calendar:
            _add_calendar(message, content)
        sender = address_in(self._sender)
        return Letter(content.dispatch_id, sender, content.to, message.as_bytes())


def _add_calendar(message: EmailMessage, content: SendNotification) -> None:
    """Add a calendar text as iMIP asks (RFC 6047), and as a file for other programs."""
    method = {"method": content.calendar_method}
    message.add_alternative(content.calendar, subtype="calendar", params=method)
    message.add_attachment(content.calendar, subtype="calendar", filename="booking.ics")


def address_in(sender: str) -> str:
    """The only address of a `From` header; raises ValueError if it has none or several.

    Every mail has this header, so the server checks it at its start.
    """
    try:
        header = POLICY.header_factory("From", sender)
    except (HeaderParseError, IndexError):
        raise ValueError(NEEDED) from None
    invalid = [one for one in header.defects if isinstance(one, InvalidHeaderDefect)]
    if len(header.addresses) != 1 or invalid or not sender.isprintable():
        raise ValueError(NEEDED)
    address: Address = header.addresses[0]
    if not (address.username and address.domain and address.addr_spec.isascii()):
        raise ValueError(NEEDED)
    return address.addr_spec


def to_folder(folder: Path) -> Carry:
    """Write each mail to `<dispatch id>.eml`, completely or not at all."""

    def write(letter: Letter) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        name = re.sub(r"[^0-9a-f-]", "", letter.dispatch_id)
        part = folder / f".{name}.part"
        part.write_bytes(letter.message)
        part.rename(folder / f"{name}.eml")

    async def carry(letter: Letter) -> Outcome:
        try:
            await asyncio.to_thread(write, letter)
        except OSError as error:
            return Outcome("fault", "folder_not_writable", error.strerror or "")
        return SENT

    return carry
