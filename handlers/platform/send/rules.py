"""The rules of this domain, each of them a setting."""

from typing import Annotated

import msgspec
from msgspec import Meta


class SendRules(msgspec.Struct, frozen=True):
    """Retries of mails."""

    mail_tries: Annotated[int, Meta(ge=1, description="delivery attempts per mail")] = 5
    mail_backoff_s: Annotated[
        float, Meta(ge=0, description="delay before the first retry of a mail")
    ] = 2.0
