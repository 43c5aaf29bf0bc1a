"""Finds the rooms of an event by calling `rooms()` on a sample whose texts are their own paths."""

from datetime import UTC, datetime
from typing import Any

from msgspec import inspect

from handlers.kit.contract import Event


def audience_of(event: type[Event]) -> tuple[str, ...]:
    """The rooms, such as `user:{booking.student_id}`; none if the sample does not fit."""
    try:
        sample = sample_of(inspect.type_info(event), "")
        return tuple(dict.fromkeys(sample.rooms()))
    except (ArithmeticError, AttributeError, LookupError, TypeError, ValueError, RecursionError):
        return ()


def sample_of(kind: inspect.Type, path: str) -> Any:
    """A sample value of `kind`; each text in it is its own path, as `{path}`."""
    match kind:
        case inspect.StructType():
            inner = f"{path}." if path else ""
            values = {f.name: sample_of(f.type, inner + f.encode_name) for f in kind.fields}
            return kind.cls(**values)
        case inspect.UnionType():
            return sample_of(first_of(kind), path)
        case inspect.Metadata():
            return sample_of(kind.type, path)
        case inspect.DictType():
            return {sample_of(kind.key_type, path): sample_of(kind.value_type, path)}
        case inspect.TupleType():
            return tuple(sample_of(item, path) for item in kind.item_types)
        case inspect.CollectionType():
            return container_of(kind)((sample_of(kind.item_type, path),))
    return plain_sample_of(kind, path)


def plain_sample_of(kind: inspect.Type, path: str) -> Any:
    match kind:
        case inspect.LiteralType():
            return kind.values[0]
        case inspect.EnumType():
            return next(iter(kind.cls))
        case inspect.StrType():
            return f"{{{path}}}"
        case inspect.BoolType():
            return True
        case inspect.IntType() | inspect.FloatType():
            return 0
        case inspect.DateTimeType():
            return datetime.min.replace(tzinfo=UTC)
    return None


def first_of(kind: inspect.UnionType) -> inspect.Type:
    """The member of a union to sample: a plain type before None, and None before a struct."""
    nothing = [t for t in kind.types if isinstance(t, inspect.NoneType)]
    structs = [t for t in kind.types if isinstance(t, inspect.StructType)]
    return (nothing if structs else [t for t in kind.types if t not in nothing] or nothing)[0]


def container_of(kind: inspect.CollectionType) -> Any:
    match kind:
        case inspect.ListType():
            return list
        case inspect.SetType():
            return set
        case inspect.FrozenSetType():
            return frozenset
    return tuple
