"""What neighbours need to have something sent: content, composed from a template."""

from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined, select_autoescape

from handlers.kit.context import Transaction
from handlers.kit.visible import one_line
from handlers.send.contracts import SendNotification

_templates = Environment(
    loader=FileSystemLoader(Path(__file__).parent / "templates"),
    autoescape=select_autoescape(["html"]),
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)


def compose(
    tx: Transaction, kind: str, to: str, *, notification_id: str | None = None, **fields: Any
) -> SendNotification:
    """A mail of `kind` (a pair of templates; the first line of the text is the subject).

    Line breaks are the templates' own: each text field becomes one line of visible text.
    """
    lines = {name: one_line(said) for name, said in fields.items() if isinstance(said, str)}
    fields = {"public_url": tx.rules.public_url, **fields, **lines}
    text = _templates.get_template(f"{kind}.txt").render(fields)
    subject, _, body = text.partition("\n")
    return SendNotification(
        dispatch_id=tx.new_id(),
        channel="email",
        kind=kind,
        to=to,
        subject=" ".join(subject.split()),
        text=body.lstrip("\n"),
        html=_templates.get_template(f"{kind}.html").render(fields),
        notification_id=notification_id,
    )
