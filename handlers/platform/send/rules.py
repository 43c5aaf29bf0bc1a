"""The rules of this domain, each of them a setting."""

from typing import Annotated

import msgspec
from msgspec import Meta

from handlers.kit.settings import UnusableSetting
from handlers.platform.send.mail import address_in
from handlers.platform.send.smtp import read_mail_url

SCHEMES = ("file:", "smtp://", "smtps://")


class SendRules(msgspec.Struct, frozen=True):
    """Where mails go, who sends them, and their retries."""

    mail_url: Annotated[
        str,
        Meta(
            description="file: (in <data>/mail), file:FOLDER, smtp://user:pass@host:port (with "
            "STARTTLS; ?tls=opportunistic for a relay without it), or smtps://"
        ),
    ] = "file:"
    mail_from: Annotated[str, Meta(description="sender of mails")] = "Parley <parley@localhost>"
    mail_backoff_s: Annotated[
        float, Meta(ge=0.1, le=3_600, description="delay before the first retry of a mail")
    ] = 2.0
    mail_retried_s: Annotated[
        int, Meta(ge=0, description="how long a mail is retried whose recipient is unavailable")
    ] = 172_800
    mails_kept_days: Annotated[
        int,
        Meta(
            ge=1,
            le=3_650,
            description="how long records of mails are kept, and how long a mail can wait",
        ),
    ] = 7

    def __post_init__(self) -> None:
        """Raises UnusableSetting, which never shows the URL: it may contain a password."""
        if fault := _fault_of_url(self.mail_url):
            raise UnusableSetting("mail_url", fault)
        try:
            address_in(self.mail_from)
        except ValueError as error:
            raise UnusableSetting("mail_from", str(error)) from None


def _fault_of_url(url: str) -> str | None:
    if not url.startswith(SCHEMES):
        return "it must begin with file:, smtp:// or smtps://"
    try:
        if not url.startswith("file:"):
            read_mail_url(url)
    except ValueError as error:
        return f"it {error}"
    return None
