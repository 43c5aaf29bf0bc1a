"""What views and events say of people, and how that is taken back from wherever they are kept.

A view or an event names the fields that are somebody's (`PERSONAL`), under the field beside them
that has that person's id, and what each of them becomes. All else that could be text is `PLAIN`: it
says nothing of anybody. A test fails for a field that nobody decided about.
"""

from collections.abc import Collection, Iterator
from functools import cache
from typing import Any

import msgspec

from handlers.kit.contract import Event, Personal, View

WRITERS = ("sender_id", "student_id")
"""Who is named so wrote the words beside."""


def forget(said: str, gone: Collection[str]) -> str | None:
    """A kept JSON text without what it says of those ids; None when it says nothing of them."""
    if not any(one in said for one in gone):
        return None
    value = msgspec.json.decode(said)
    return msgspec.json.encode(value).decode() if forget_in(value, gone) else None


def forget_in(value: Any, gone: Collection[str]) -> bool:
    """Take out of decoded JSON, in place, what it says of those ids; whether there was any."""
    if isinstance(value, list):
        return sum(forget_in(one, gone) for one in value) > 0
    if not isinstance(value, dict):
        return False
    changed = sum(forget_in(one, gone) for one in value.values()) > 0
    for owner, fields in rules().items():
        if isinstance(value.get(owner), str) and value[owner] in gone:
            differing = {n: new for n, new in fields.items() if value.get(n, new) != new}
            value.update(differing)
            changed = changed or bool(differing)
    return changed


def without_others_words(said: str, reader_id: str) -> Any:
    """What a kept JSON text says to one person, with null for what others wrote."""
    value = msgspec.json.decode(said)
    _leave_out(value, reader_id)
    return value


def _leave_out(value: Any, reader_id: str) -> None:
    if isinstance(value, list):
        for one in value:
            _leave_out(one, reader_id)
    if not isinstance(value, dict):
        return
    for one in value.values():
        _leave_out(one, reader_id)
    for writer in WRITERS:
        if value.get(writer, reader_id) != reader_id:
            value.update(dict.fromkeys(rules()[writer].keys() & value.keys()))


@cache
def rules() -> Personal:
    """What all views and events say together: JSON does not tell of which class it was."""
    found: dict[str, dict[str, Any]] = {}
    for shape in (*_shapes(View), *_shapes(Event)):
        for owner, fields in shape.PERSONAL.items():
            for name, becomes in fields.items():
                if found.setdefault(owner, {}).setdefault(name, becomes) != becomes:
                    raise TypeError(f"{owner} → {name} becomes one thing here, another there")
    return found


@cache
def list_namespaces() -> tuple[str, ...]:
    """The namespaces in which people have rooms of their own."""
    found = {shape.NAMESPACE for shape in _shapes(Event)}
    return tuple(sorted(one for one in found if one is not None))


def _shapes(shape: Any) -> Iterator[Any]:
    for child in shape.__subclasses__():
        yield child
        yield from _shapes(child)
