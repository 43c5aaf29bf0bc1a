"""The structs and enums of the contracts, with their public names and their fields."""

import sys
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Literal, cast, get_args, get_origin

from msgspec import NODEFAULT, Struct, inspect
from msgspec.json import schema_components

from handlers.kit.bounds import bounded, most_of, schema_of_bound
from handlers.kit.contract import Bound, Event, Request, View
from handlers.kit.rules import Rules

REF = "#/components/schemas/{name}"
Named = inspect.StructType | inspect.EnumType


@dataclass(frozen=True)
class Member:
    """A field as it is encoded in JSON."""

    name: str
    type: inspect.Type
    optional: bool


UNMARKED = ("", "Kit", "Platform", "Consulting")
"""Systems whose types do not get the system's name as a prefix: clients already know them."""


class Shapes:
    """Every struct and enum that incoming and outgoing types refer to.

    `own` has the server's structs by their fixed names; no other type gets a name in `taken`.
    `rules` has the maxima that are settings.
    """

    def __init__(
        self,
        incoming: Iterable[Any],
        outgoing: Iterable[Any],
        own: Mapping[str, type],
        taken: Iterable[str],
        rules: Rules | None = None,
    ) -> None:
        self._rules = rules or Rules()
        self._incoming = set(reach(incoming))
        self._found = reach([*incoming, *outgoing, *own.values()])
        own_names = {cls: name for name, cls in own.items()}
        others = [cls for cls in self._found if cls not in own_names]
        self.names = own_names | name_classes(others, {*own, *taken})
        self.choices = name_choices(self._found, {*self.names.values(), *taken})

    @property
    def classes(self) -> list[type]:
        """All classes, sorted by their public names."""
        return sorted(self._found, key=lambda cls: self.names[cls])

    def choices_of(self, cls: type) -> tuple[Any, ...] | None:
        """The values of an enum; None if `cls` is a struct."""
        found = self._found[cls]
        return tuple(m.value for m in found.cls) if isinstance(found, inspect.EnumType) else None

    def members(self, cls: type) -> list[Member]:
        """The fields of a struct that are sent."""
        found = self._found[cls]
        if isinstance(found, inspect.EnumType):
            raise TypeError(f"{cls.__name__} has alternatives, not fields")
        fields = [self._member(found.cls, field) for field in sent_fields(found)]
        if found.tag_field is None:
            return fields
        return [Member(found.tag_field, inspect.LiteralType((found.tag,)), optional=False), *fields]

    def schema_of(self, kind: Any) -> dict[str, Any]:
        """The JSON Schema of any type, with references to named ones."""
        (*refs, schema), _ = schema_components([*self.classes, kind], ref_template=REF)
        named: dict[str, Any] = renamed(schema, self._names_by_ref(refs))
        return named

    def schemas(self) -> dict[str, Any]:
        """The JSON Schemas of all classes, by name."""
        refs, components = schema_components(self.classes, ref_template=REF)
        names = self._names_by_ref(refs)
        schemas = {
            names[REF.format(name=inside)]: renamed(schema, names)
            for inside, schema in components.items()
            if REF.format(name=inside) in names  # others are in private fields only
        }
        for cls in self.classes:
            if self.choices_of(cls) is None:
                schema = schemas[self.names[cls]]
                schema |= {"title": self.names[cls]} | self._required(cls)
                for name in private_of(cls):
                    del schema["properties"][name]
                self._add_bounds(cls, schema)
        return {name: schemas[name] for name in sorted(schemas)}

    def _names_by_ref(self, refs: Iterable[dict[str, str]]) -> dict[str, str]:
        # Replaces msgspec's names, which contain the module if two classes share a name.
        pairs = zip(refs, self.classes, strict=True)
        return {ref["$ref"]: self.names[cls] for ref, cls in pairs}

    def _required(self, cls: type) -> dict[str, Any]:
        """The required fields: clients may omit fields with defaults, the server only UNSET."""
        return {"required": [m.name for m in self.members(cls) if not m.optional]}

    def _add_bounds(self, cls: type, schema: dict[str, Any]) -> None:
        """Replace the maxima that are settings."""
        for member in self.members(cls):
            if member.name in bounds_of(cls):
                schema["properties"][member.name] |= schema_of_bound(member.type)

    def _member(self, cls: type[Struct], field: inspect.Field) -> Member:
        unset = field.default is NODEFAULT and field.default_factory is NODEFAULT
        comes_in = cls in self._incoming
        sparse = cls.__struct_config__.omit_defaults
        optional = not field.required and (unset or comes_in or sparse)
        # A field that is omitted when it is None is never sent as null.
        never_null = sparse and not comes_in and field.default is None
        kind = without_none(field.type) if never_null else field.type
        if field.name in bounds_of(cls):
            kind = bounded(kind, most_of(cast(type[Request], cls), field.name, self._rules))
        return Member(field.encode_name, kind, optional)


def private_of(cls: type) -> tuple[str, ...]:
    """The fields of an event that are never sent to clients."""
    return cls.PRIVATE if issubclass(cls, Event) else ()


def sent_fields(kind: inspect.StructType) -> list[inspect.Field]:
    return [field for field in kind.fields if field.name not in private_of(kind.cls)]


def bounds_of(cls: type) -> Mapping[str, Bound]:
    return cls.BOUNDS if issubclass(cls, Request) else {}


def reach(roots: Iterable[Any]) -> dict[type, Named]:
    """The structs and enums in `roots`, in their fields, and so on recursively."""
    found: dict[type, Named] = {}
    waiting = list(inspect.multi_type_info(roots))
    while waiting:
        kind = waiting.pop()
        if isinstance(kind, Named):
            if kind.cls in found:
                continue
            found[kind.cls] = kind
        waiting += parts(kind)
    return found


def without_none(kind: inspect.Type) -> inspect.Type:
    if not isinstance(kind, inspect.UnionType):
        return kind
    rest = tuple(inner for inner in kind.types if not isinstance(inner, inspect.NoneType))
    return rest[0] if len(rest) == 1 else inspect.UnionType(rest)


def parts(kind: inspect.Type) -> Iterable[inspect.Type]:
    """The types that `kind` consists of."""
    match kind:
        case inspect.StructType():
            return [field.type for field in sent_fields(kind)]
        case inspect.UnionType():
            return kind.types
        case inspect.DictType():
            return [kind.key_type, kind.value_type]
        case inspect.TupleType():
            return kind.item_types
        case inspect.CollectionType():
            return [kind.item_type]
        case inspect.Metadata():
            return [kind.type]
    return []


def name_classes(classes: Iterable[type], taken: set[str]) -> dict[type, str]:
    """Public names: the class name without `View`, with the system as prefix.

    If classes would share a name, all except a single view get their domain as prefix too. Raises
    ValueError if two names are still equal.
    """
    wanted: dict[str, list[type]] = defaultdict(list)
    for cls in classes:
        wanted[named_in(cls.__module__, cls.__name__.removesuffix("View"))].append(cls)
    names = {}
    for name, sharing in wanted.items():
        views = [cls for cls in sharing if issubclass(cls, View)]
        first = sharing if len(sharing) == 1 else views if len(views) == 1 else []
        for cls in sharing:
            plain = cls in first and name not in taken
            names[cls] = name if plain else named_in_domain(cls.__module__, cls.__name__)
    doubles = {n for n in names.values() if list(names.values()).count(n) > 1 or n in taken}
    if doubles:
        raise ValueError(f"several contracts have the name {', '.join(sorted(doubles))}")
    return names


def name_choices(classes: Iterable[type], taken: set[str]) -> dict[frozenset[Any], str]:
    """The names of literals in contracts (`Gender = Literal[…]`), by their values.

    Two literals with the same name get their domains as prefix. Unnamed literals are written out.
    """
    found: dict[str, dict[frozenset[Any], tuple[str, str]]] = defaultdict(dict)
    for module in sorted({cls.__module__ for cls in classes}):
        for name, value in vars(sys.modules.get(module, object)).items():
            if get_origin(value) is Literal and not name.startswith("_"):
                shared = found[named_in(module, name)]
                shared.setdefault(frozenset(get_args(value)), (module, name))
    names: dict[frozenset[Any], str] = {}
    for shared_name, sharing in sorted(found.items()):
        for values, (module, name) in sharing.items():
            plain = len(sharing) == 1 and shared_name not in taken
            label = shared_name if plain else named_in_domain(module, name)
            if label not in taken and label not in names.values():
                names.setdefault(values, label)
    return names


def named_in(module: str, name: str) -> str:
    """`LearningHit` for `Hit` in a module of `learning`, and `Hit` for one of the platform.

    So a type added to one system never renames a type of another.
    """
    system = system_of(module)
    return name if system in UNMARKED else system + name


def named_in_domain(module: str, name: str) -> str:
    """`LearningSearchHit` for `HitView` in a module of `learning.search`."""
    return named_in(module, domain_of(module) + name.removesuffix("View"))


def domain_of(module: str) -> str:
    """`WaitingRoom` for `handlers.consulting.waiting_room.contracts`; "" outside of handlers."""
    package, *parts = module.split(".")
    if package != "handlers" or not parts:
        return ""
    return _joined(parts[0] if parts[0] == "kit" or len(parts) == 1 else parts[1])


def system_of(module: str) -> str:
    """`Consulting` for `handlers.consulting.waiting_room.contracts`."""
    package, *parts = module.split(".")
    return _joined(parts[0]) if package == "handlers" and len(parts) > 1 else ""


def _joined(words: str) -> str:
    return "".join(word.capitalize() for word in words.split("_"))


def renamed(schema: Any, names: dict[str, str]) -> Any:
    """`schema` with references to the public names of its structs."""
    if isinstance(schema, list):
        return [renamed(item, names) for item in schema]
    if not isinstance(schema, dict):
        return schema
    return {
        key: REF.format(name=names[value]) if key == "$ref" else renamed(value, names)
        for key, value in schema.items()
    }
