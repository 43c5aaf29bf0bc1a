"""Composes the emails that domains declare."""

from datetime import datetime
from pathlib import Path

import msgspec
from jinja2 import Environment, FileSystemLoader, StrictUndefined, select_autoescape

from handlers.kit.notices import CalendarPart, MailText, require_values
from handlers.kit.rules import KitRules
from handlers.kit.transaction import Transaction
from handlers.kit.translations import Values
from handlers.kit.wording import Code, Reader
from handlers.platform.send.contracts import SendNotification
from handlers.platform.send.mail import EMAIL, address_in
from handlers.platform.send.rules import SendRules

_layouts = Environment(
    loader=FileSystemLoader(Path(__file__).parent / "layouts"),
    autoescape=select_autoescape(["html"]),
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)


class NoticeMail(msgspec.Struct, frozen=True):
    """The notice that a mail carries: its kind, its notification, and the user whom it names."""

    kind: str = ""
    notification_id: str | None = None
    about_id: str | None = None


NO_NOTICE = NoticeMail()


def compose(
    tx: Transaction,
    mail: MailText,
    to: str,
    reader: Reader,
    values: Values,
    *,
    link: str | None = None,
    expires_at: datetime | None = None,
    user_id: str | None = None,
    notice: NoticeMail = NO_NOTICE,
    calendar: CalendarPart | None = None,
) -> SendNotification:
    """Compose an email in its reader's language.

    - `link` is a route of the web page, required if the mail declares an action.
    - After `expires_at` the mail is of no use, and not sent any more.
    - `calendar` comes with the mail, for calendar programs.
    - `user_id` is the recipient, if `to` may not be their present address.

    A mail with a `Code` is secret: it is not sent again after it failed. Only the message contains
    line breaks: each value becomes one line of visible text. Raises TypeError for values, or a
    link, that the mail does not declare.
    """
    require_values(mail.says, values)
    if mail.action != (link is not None):
        raise TypeError(f"{mail.kind} must have a link if it has an action, and only then")
    subject, body, *action = (mail.messages.paragraphs(name, reader, values) for name in mail.names)
    content = {
        "language": mail.messages.nearest(reader.language),
        "paragraphs": body,
        "codes": {value for value in values.values() if isinstance(value, Code)},
        "action": action[0][0] if action else "",
        "url": f"{tx.rules.of(KitRules).public_url}/#{link}",
    }
    return SendNotification(
        dispatch_id=tx.new_id(),
        channel=EMAIL,
        kind=notice.kind or mail.kind,
        to=to,
        subject=" ".join(subject),
        text=_layouts.get_template("mail.txt").render(content),
        html=_layouts.get_template("mail.html").render(content),
        notification_id=notice.notification_id,
        user_id=user_id,
        about_id=notice.about_id,
        cause_id=tx.cause.id if tx.cause else None,
        secret=bool(content["codes"]),
        expires_at=expires_at,
        calendar_method=calendar.method if calendar else "",
        calendar=calendar.text if calendar else "",
    )


def get_sender(tx: Transaction) -> str:
    """The address from which mails are sent."""
    return address_in(tx.rules.of(SendRules).mail_from)


def skipped(mail: SendNotification, reason: str) -> SendNotification:
    """A mail that must not be sent, only recorded with this reason (one of `REASONS`)."""
    return msgspec.structs.replace(mail, text="", html="", calendar="", skipped_for=reason)
