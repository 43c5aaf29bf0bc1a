"""Cards: things of one domain that messages of a conversation show.

A domain declares each kind of card beside its code (`Domain.card`); chat knows none of them.

- On the wire, a message of kind `card` has `card: {kind, id, data}`: the kind's name, and the
  thing's id and view.
- Reading costs the domain nothing: the message keeps a copy of the view. A card stays readable
  when its domain is not served.
- Showing a thing is a command of its domain, often in chat's namespace (`namespace="/chat"`), that
  calls `chat.public.show_card`. Answering is a command of its domain too. As always, these commands
  declare their refusals, rates and costs.
- When the thing changes, a consumer of its domain calls `chat.public.refresh_cards` with the view
  as it is now.
- The view's `PERSONAL` says what is personal in it; an erasure clears that in all cards.
"""

from dataclasses import dataclass
from typing import Generic, Protocol, TypeVar, get_type_hints

from handlers.kit.uniqueness import WrongDeclaration

NAME_MAX = 40
"""Characters of a kind's name, as messages keep it."""


class CardView(Protocol):
    """What a card can show: a view with an id, and a version that grows with each change."""

    @property
    def id(self) -> str: ...

    @property
    def version(self) -> int: ...


V = TypeVar("V", bound=CardView)


@dataclass(frozen=True)
class CardKind(Generic[V]):
    """One kind of card, made by `Domain.card`: its name on the wire and the view that it shows."""

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
