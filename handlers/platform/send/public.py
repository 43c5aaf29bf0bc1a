"""Composes the emails that domains declare."""

from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined, select_autoescape

from handlers.kit.notices import MailText, require_values
from handlers.kit.rules import KitRules
from handlers.kit.transaction import Transaction
from handlers.kit.translations import Values
from handlers.kit.wording import Code, Reader
from handlers.platform.send.contracts import SendNotification

_layouts = Environment(
    loader=FileSystemLoader(Path(__file__).parent / "layouts"),
    autoescape=select_autoescape(["html"]),
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)


def compose(
    tx: Transaction,
    mail: MailText,
    to: str,
    reader: Reader,
    values: Values,
    *,
    link: str | None = None,
    notification_id: str | None = None,
) -> SendNotification:
    """Compose an email in its reader's language. `link` is a route of the web page, required if the
    mail declares an action.

    Only the message contains line breaks: each value becomes one line of visible text. Raises
    TypeError for values, or a link, that the mail does not declare.
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
        channel="email",
        kind=mail.kind,
        to=to,
        subject=" ".join(subject),
        text=_layouts.get_template("mail.txt").render(content),
        html=_layouts.get_template("mail.html").render(content),
        notification_id=notification_id,
    )
