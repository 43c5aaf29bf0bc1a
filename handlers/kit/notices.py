"""What domains declare that people are told, and by which mails, in words of their own messages.

A domain declares both beside its code (`@domain.notifies`, `domain.mail`). The notifications
domain tells the notices and the send domain sends the mails; neither knows who declared them.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import msgspec

from handlers.kit.contract import Event
from handlers.kit.translations import Translations
from handlers.kit.wording import Value

if TYPE_CHECKING:
    from handlers.kit.context import Transaction

Importance = Literal["app", "mail", "critical"]
"""How far a notice goes: shown in the app; mailed too; mailed and nobody's to turn off, since it is
about who can use an account."""


class Person(msgspec.Struct, frozen=True):
    """Somebody who is named in a text, by their id."""

    id: str


class Notice(msgspec.Struct, frozen=True, kw_only=True):
    """What one person is told of an event.

    `to` is their id, `link` a place in the page, `data` what apps are given. `values` are what the
    placeholders of the body stand for, and `count` that of the title. Name somebody only as a
    `Person`, and at most one: the body is cleared when that person is erased.
    """

    to: str
    link: str
    data: Mapping[str, Any] = {}
    values: Mapping[str, Value | Person] = {}


@dataclass(frozen=True)
class NoticeRule:
    """A kind of notice that an event leads to: `find` gives one for each person it is for.

    Its words are the messages `<text>.title` and `<text>.body`, in which `says` may stand.
    """

    kind: str
    text: str
    event: type[Event]
    importance: Importance
    says: frozenset[str]
    find: "Callable[[Transaction, Any], Iterable[Notice]]"
    messages: Translations

    @property
    def names(self) -> tuple[str, ...]:
        """The messages that it needs."""
        return (f"{self.text}.title", f"{self.text}.body")


@dataclass(frozen=True)
class MailText:
    """A mail that a domain sends: `mail.<kind>.subject`, `.body` (paragraphs) and `.action`.

    With an `action` it ends with a link, which the message names.
    """

    kind: str
    says: frozenset[str]
    action: bool
    messages: Translations

    @property
    def names(self) -> tuple[str, ...]:
        """The messages that it needs."""
        parts = ("subject", "body", "action") if self.action else ("subject", "body")
        return tuple(f"mail.{self.kind}.{part}" for part in parts)


def require_values(says: frozenset[str], values: Mapping[str, Any]) -> None:
    """Raises TypeError unless the values are those that were declared."""
    if says != values.keys():
        raise TypeError(f"declared are {sorted(says)}, given are {sorted(values)}")
