"""Which personal data stored JSON contains, and how to remove it.

Events, views and cards are stored as JSON under a name: the name of the event, the name of the
command that gave the answer, or the kind of the card. The steps of a command are stored as an
object of JSON texts by name. The class for each name declares which fields are personal:

- `PERSONAL` maps a field with a person's id to the fields in the same struct that belong to that
  person, and each of these to its value after their account is erased.
- `WRITTEN_BY` names those id fields that hold the author of the personal fields.
- `PLAIN` names text fields without personal data.
- `CARD_DATA` maps a field with the data of a card to the field with the card's kind.

Rules apply to their own class only: two events may treat fields with the same name differently. A
test fails for a text field that no class decides about.
"""

from collections.abc import Collection, Iterator, Mapping
from functools import cache
from typing import Any, Literal

import msgspec
from msgspec import inspect

from handlers.kit.contract import Event, View, event_stored_as

Kind = Literal["event", "command", "card"]
Steps = Mapping[str, type[msgspec.Struct]]
"""The classes of a command's step values, by the names of the steps."""
type_of = cache(inspect.type_info)


class KeptClasses:
    """The classes of stored JSON, by the names under which it is stored.

    `answers` are the views of commands by `<namespace> <command>`, `steps` what their steps give,
    `cards` the views by kind.
    """

    def __init__(
        self,
        answers: Mapping[str, type[View]],
        cards: Mapping[str, type[msgspec.Struct]],
        steps: Mapping[str, Steps] | None = None,
    ) -> None:
        self._answers = answers
        self._cards = cards
        self._steps = steps or {}

    def find(self, kind: Kind, name: str) -> type[msgspec.Struct] | None:
        """The class for a stored name; None when no class is declared for it any more."""
        if kind == "command":
            return self._answers.get(name)
        if kind == "card":
            return self._cards.get(name)
        try:
            return event_stored_as(name)
        except KeyError:
            return None

    def forget(
        self, text: str, kind: Kind | Literal["steps"], name: str, gone: Collection[str]
    ) -> str | None:
        """A stored JSON text without the personal data of the ids in `gone`; None if it has none.

        If no class is declared for its name, the whole value is removed: `{}`.
        """
        if not any(one in text for one in gone):
            return None
        if kind == "steps":
            return self._forget_in_steps(text, self._steps.get(name, {}), gone)
        return self._forget_text(text, self.find(kind, name), gone)

    def _forget_in_steps(self, encoded: str, classes: Steps, gone: Collection[str]) -> str | None:
        steps: dict[str, str] = msgspec.json.decode(encoded)
        fresh = {
            step: left
            for step, text in steps.items()
            if any(one in text for one in gone)
            and (left := self._forget_text(text, classes.get(step), gone)) is not None
        }
        return msgspec.json.encode({**steps, **fresh}).decode() if fresh else None

    def _forget_text(
        self, text: str, found: type[msgspec.Struct] | None, gone: Collection[str]
    ) -> str | None:
        if found is None:
            return "{}"
        value = msgspec.json.decode(text)
        return msgspec.json.encode(value).decode() if self.forget_in(value, found, gone) else None

    def forget_in(self, value: Any, of: type[msgspec.Struct], gone: Collection[str]) -> bool:
        """Remove the personal data of the ids in `gone` from decoded JSON, in place; whether it had
        any."""
        found = list(self._structs_in(value, type_of(of)))
        return sum(self._forget_in_struct(one, cls, gone) for one, cls in found) > 0

    def _forget_in_struct(
        self, value: dict[str, Any], cls: type[msgspec.Struct], gone: Collection[str]
    ) -> bool:
        becomes: dict[str, Any] = {}
        for owner, fields in rules_of(cls).items():
            if isinstance(value.get(owner), str) and value[owner] in gone:
                becomes |= fields
        if any(isinstance(one, str) and one in gone for one in value.values()):
            becomes |= dict.fromkeys(value.keys() - set(_fields_of(cls)))
        for data in self._data_of_unknown_cards(value, cls):
            if any(one in msgspec.json.encode(value[data]).decode() for one in gone):
                becomes[data] = {}
        differing = {n: new for n, new in becomes.items() if value.get(n, new) != new}
        value.update(differing)
        return bool(differing)

    def _data_of_unknown_cards(
        self, value: dict[str, Any], cls: type[msgspec.Struct]
    ) -> Iterator[str]:
        for data, kind in _card_data_of(cls).items():
            if data in value and value.get(kind) not in self._cards:
                yield data

    def without_others_words(self, text: str, kind: Kind, name: str, reader_id: str) -> Any:
        """A stored JSON text as `reader_id` may export it, with null for what other people wrote.

        The whole value is null if no class is declared for its name.
        """
        found = self.find(kind, name)
        if found is None:
            return None
        value = msgspec.json.decode(text)
        for one, cls in list(self._structs_in(value, type_of(found))):
            for writer in getattr(cls, "WRITTEN_BY", ()):
                if one.get(writer, reader_id) != reader_id:
                    one.update(dict.fromkeys(rules_of(cls)[writer].keys() & one.keys()))
        return value

    def _structs_in(
        self, value: Any, kind: inspect.Type
    ) -> Iterator[tuple[dict[str, Any], type[msgspec.Struct]]]:
        """All structs in a decoded JSON value of this type, with their classes."""
        match kind:
            case inspect.StructType() if isinstance(value, dict):
                if kind.tag is None or value.get(kind.tag_field or "") == kind.tag:
                    yield from self._structs_within(value, kind)
                    yield value, kind.cls
            case inspect.UnionType(types=kinds):
                for one in kinds:
                    yield from self._structs_in(value, one)
            case inspect.CollectionType(item_type=item) if isinstance(value, list):
                for one in value:
                    yield from self._structs_in(one, item)
            case inspect.DictType(value_type=item) if isinstance(value, dict):
                for one in value.values():
                    yield from self._structs_in(one, item)
            case inspect.Metadata(type=inner):
                yield from self._structs_in(value, inner)

    def _structs_within(
        self, value: dict[str, Any], kind: inspect.StructType
    ) -> Iterator[tuple[dict[str, Any], type[msgspec.Struct]]]:
        card_data = _card_data_of(kind.cls)
        for field in kind.fields:
            name = field.encode_name
            shown = self._cards.get(value.get(card_data[name], "")) if name in card_data else None
            if name in value:
                inner = field.type if shown is None else type_of(shown)
                yield from self._structs_in(value[name], inner)


@cache
def rules_of(cls: type[msgspec.Struct]) -> dict[str, dict[str, Any]]:
    """The `PERSONAL` of a class and its base classes; the most derived class wins."""
    found: dict[str, dict[str, Any]] = {}
    for one in reversed(cls.__mro__):
        for owner, fields in vars(one).get("PERSONAL", {}).items():
            found.setdefault(owner, {}).update(fields)
    return found


def _card_data_of(cls: type[msgspec.Struct]) -> Mapping[str, str]:
    found: Mapping[str, str] = getattr(cls, "CARD_DATA", {})
    return found


@cache
def _fields_of(cls: type[msgspec.Struct]) -> tuple[str, ...]:
    return cls.__struct_encode_fields__


@cache
def list_namespaces() -> tuple[str, ...]:
    """The namespaces in which people have personal rooms."""
    found = {shape.NAMESPACE for shape in _subclasses(Event)}
    return tuple(sorted(one for one in found if one is not None))


def _subclasses(cls: type[Event]) -> Iterator[type[Event]]:
    for child in cls.__subclasses__():
        yield child
        yield from _subclasses(child)
