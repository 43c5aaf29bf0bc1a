"""The notifications and emails that a domain declares beside its code.

`@domain.notifies` declares a notification and `domain.mail` an email. Their texts are messages of
the domain. The notifications domain delivers notices and the send domain sends emails; neither
imports the domains that declare them.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

import msgspec

from handlers.kit.contract import Event
from handlers.kit.transaction import Transaction
from handlers.kit.translations import Translations
from handlers.kit.wording import Plain, Reader, Value

Importance = Literal["app", "mail", "critical"]
"""How a notice reaches its reader: `app` shows it in the app only, `mail` sends an email too.
`critical` also sends an email and must not be turned off: it is about access to an account or to
personal data."""


class Person(msgspec.Struct, frozen=True):
    """A user whose name stands in a text."""

    id: str


@dataclass(frozen=True)
class Sentence:
    """A text of the server, such as a reason, that stands in other texts in the reader's language.

    It is the message `name` of a domain, and has no placeholders.
    """

    name: str
    messages: Translations
    says: frozenset[str] = frozenset()

    @property
    def names(self) -> tuple[str, ...]:
        """The ids of its messages."""
        return (self.name,)

    def said_to(self, reader: Reader) -> Plain:
        return Plain(self.messages.say(self.name, reader, {}))


class CalendarPart(msgspec.Struct, frozen=True):
    """An iCalendar text that a mail carries, and what it asks of the reader's calendar program."""

    method: Literal["REQUEST", "CANCEL"]
    text: str


class Notice(msgspec.Struct, frozen=True, kw_only=True):
    """A notification to one user about an event.

    `to` is the id of the user, `link` a path in the page, and `data` is for apps. After
    `expires_at` the notice is of no use, and its mail is not sent any more. The mail carries
    `calendar`. `values` fill the placeholders of the texts. Name at most one other user, always as
    a `Person`: the body is cleared when that user's account is deleted.

    `subject` is the object that the notice depends on, such as `message:<id>`. A user has at most
    one notification of a kind about a subject: a second notice about it brings a withdrawn one
    back, and otherwise changes nothing.
    """

    to: str
    link: str
    data: Mapping[str, Any] = {}
    values: Mapping[str, Value | Person | Sentence] = {}
    expires_at: datetime | None = None
    calendar: CalendarPart | None = None
    subject: str | None = None


class Withdrawal(msgspec.Struct, frozen=True, kw_only=True):
    """The end of the notice of a kind that the user `of` got about a subject."""

    of: str
    subject: str


@dataclass(frozen=True)
class NoticeRule:
    """One declared kind of notice: `find` gives a `Notice` for each recipient of an event, and a
    `Withdrawal` for each user whose notice the event ends.

    Its texts are the messages `<text>.title` and `<text>.body`; `says` are their placeholders.
    """

    kind: str
    text: str
    event: type[Event]
    importance: Importance
    says: frozenset[str]
    find: Callable[[Transaction, Any], Iterable[Notice | Withdrawal]]
    messages: Translations

    @property
    def names(self) -> tuple[str, ...]:
        """The ids of its messages."""
        return (f"{self.text}.title", f"{self.text}.body")


@dataclass(frozen=True)
class MailText:
    """One declared kind of email.

    Its texts are the messages `mail.<kind>.subject`, `.body` (paragraphs) and, if it ends with a
    link, `.action`, the label of that link. `says` are their placeholders.
    """

    kind: str
    says: frozenset[str]
    action: bool
    messages: Translations

    @property
    def names(self) -> tuple[str, ...]:
        """The ids of its messages."""
        parts = ("subject", "body", "action") if self.action else ("subject", "body")
        return tuple(f"mail.{self.kind}.{part}" for part in parts)


def require_values(says: frozenset[str], values: Mapping[str, Any]) -> None:
    """Raises TypeError unless the names of `values` are exactly those declared."""
    if says != values.keys():
        raise TypeError(f"expected the values {sorted(says)}, got {sorted(values)}")
