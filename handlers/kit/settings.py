"""The settings that the kit and domains declare; `server/settings.py` reads their values."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any, TypeVar, get_args, get_type_hints

import msgspec
from msgspec import NODEFAULT, Meta

S = TypeVar("S", bound=msgspec.Struct)


@dataclass(frozen=True)
class Setting:
    """A value that the operator can set by an environment variable: `PARLEY_` and its name in
    capitals.

    `kind` is an annotated type; its `Meta` holds the bounds and the description.
    """

    name: str
    kind: Any
    default: Any

    @property
    def description(self) -> str:
        """The description for the operator; empty when the declaration has none."""
        metas = [part for part in get_args(self.kind) if isinstance(part, Meta)]
        return next((meta.description for meta in metas if meta.description), "")


class UnusableSetting(ValueError):
    """A value of the right type that its domain cannot use; the text says why."""

    def __init__(self, name: str, why: str) -> None:
        """`name` is the name of the setting, `why` one line for the operator."""
        super().__init__(why)
        self.name = name


@cache
def settings_of(shape: type[msgspec.Struct]) -> tuple[Setting, ...]:
    """One setting for each field of a struct, in the order of the fields."""
    kinds = get_type_hints(shape, include_extras=True)
    fields = msgspec.structs.fields(shape)
    return tuple(Setting(one.name, kinds[one.name], _default_of(one)) for one in fields)


def fill(shape: type[S], values: Mapping[str, Any]) -> S:
    """An instance of `shape` with the values of its settings."""
    return shape(**{name: values[name] for name in shape.__struct_fields__})


def _default_of(field: msgspec.structs.FieldInfo) -> Any:
    """The default of a field, or `NODEFAULT`."""
    return field.default if field.default_factory is NODEFAULT else field.default_factory()
