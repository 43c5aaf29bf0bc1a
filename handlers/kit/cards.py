"""Cards: objects of one domain that messages of a conversation show.

A domain declares each kind of card beside its code (`Domain.card`); chat knows none of them.

- On the wire, a message of kind `card` has `card: {kind, id, data}`: the name of the kind, and the
  id and view of the object.
- Reading a card never calls its domain: the message stores a copy of the view. A card stays
  readable when its domain is not served.
- A command of the domain shows an object: it calls `chat.public.show_card`. This command is often
  in chat's namespace (`namespace="/chat"`). Commands that act on a card belong to the domain too.
  They declare refusals, rates and costs like all others.
- When the object changes, a consumer of its domain calls `chat.public.refresh_cards` with the
  current view.
- The view's `PERSONAL` declares its personal fields; an erasure clears them in all cards.
"""

from dataclasses import dataclass
from typing import Generic, Protocol, TypeVar, get_type_hints

from handlers.kit.uniqueness import WrongDeclaration

NAME_MAX = 40
"""The maximum length of a kind's name, in characters, as the message table stores it."""


class CardView(Protocol):
    """A view that a card can show: it has an id, and a version that grows with each change."""

    @property
    def id(self) -> str: ...

    @property
    def version(self) -> int: ...


V = TypeVar("V", bound=CardView)


@dataclass(frozen=True)
class CardKind(Generic[V]):
    """One kind of card, made by `Domain.card`: its name on the wire and the view it shows."""

    name: str
    view: type[V]

    def __post_init__(self) -> None:
        if not 0 < len(self.name) <= NAME_MAX:
            raise WrongDeclaration(
                f"the card {self.name!r} needs a name of 1 to {NAME_MAX} characters"
            )
        missing = {"id", "version"}.difference(get_type_hints(self.view))
        if missing:
            lacks = " and no ".join(sorted(missing))
            raise WrongDeclaration(f"{self.view.__name__} has no {lacks}")
