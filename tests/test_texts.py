"""Every text in a request has a declared kind, which is checked when it is decoded.

A plain `str` in a request fails here: declare it as a `line`, `file_name`, `prose`, `message` or
`opaque` text (`handlers/kit/texts.py`), or give it a pattern that matches the whole of it.
"""

from collections.abc import Iterator
from typing import Annotated, Any

import msgspec
import pytest
from msgspec import UNSET, Meta, UnsetType, inspect

from handlers import SYSTEMS
from handlers.kit.contract import END, Change, Moment, Name, Request, normalized_fields
from handlers.kit.registry import load_domains
from handlers.kit.texts import CHECKED, prose
from tests.kit.test_visible import INVALID_LINES

Json = dict[str, Any]
UNCHECKED = {"message", "opaque"}
RAW = {"Signal.data"}
"""JSON that the server passes on unchanged between two browsers."""


def requests() -> list[type[Request]]:
    """The requests of commands and routes, and queries that routes parse themselves."""
    load_domains(SYSTEMS)
    found = [one for one in descendants(Request) if one.__module__.startswith("handlers.")]
    return sorted(found, key=lambda request: request.__name__)


def descendants(cls: type) -> Iterator[type]:
    for child in cls.__subclasses__():
        yield child
        yield from descendants(child)


def texts_in(kind: inspect.Type, path: str) -> Iterator[tuple[str, inspect.Type]]:
    """The texts in a type with their paths; those in a list or a nested struct contain a dot."""
    match kind:
        case inspect.Metadata() if isinstance(kind.type, inspect.StrType):
            yield path, kind
        case inspect.Metadata():
            yield from texts_in(kind.type, path)
        case inspect.StrType() | inspect.AnyType() | inspect.RawType():
            yield path, kind
        case inspect.UnionType():
            for inner in kind.types:
                yield from texts_in(inner, path)
        case inspect.StructType():
            for field in kind.fields:
                yield from texts_in(field.type, f"{path}.{field.encode_name}")
        case inspect.CollectionType():
            yield from texts_in(kind.item_type, f"{path}.*")
        case inspect.DictType():
            yield from texts_in(kind.key_type, f"{path}.*")
            yield from texts_in(kind.value_type, f"{path}.*")


def format_of(kind: inspect.Type) -> str:
    schema = kind.extra_json_schema if isinstance(kind, inspect.Metadata) else None
    return (schema or {}).get("format", "")


def fault_of(request: type[Request], path: str, kind: inspect.Type) -> str | None:
    """The fault in the declaration of a text, if any."""
    if path in RAW:
        return None
    inner = kind.type if isinstance(kind, inspect.Metadata) else kind
    if not isinstance(inner, inspect.StrType):
        return "may be anything"
    pattern, said = inner.pattern or "", format_of(kind)
    if said in CHECKED:
        checked = {f"{request.__name__}.{field}" for _, field, _ in normalized_fields(request)}
        return None if path in checked else f"is a {said} where nothing looks at it"
    if said in UNCHECKED:
        return None if inner.max_length else "has no bound"
    whole = pattern.startswith("^") and pattern.endswith(END)
    return None if whole else "says neither its kind nor what all of it has to be"


def faults_of(request: type[Request]) -> list[str]:
    shape = inspect.type_info(request)
    found = texts_in(shape, request.__name__)
    faults = ((path, fault_of(request, path, kind)) for path, kind in found)
    return [f"{path} {fault}" for path, fault in faults if fault]


@pytest.mark.parametrize("request_", requests(), ids=lambda request: request.__name__)
def test_every_text_of_a_request_is_of_a_declared_kind(request_):
    assert faults_of(request_) == []


class Inside(msgspec.Struct):
    name: Name


class Undeclared(Request, kw_only=True):
    plain: str
    bounded: Annotated[str, Meta(max_length=10)]
    begun: Annotated[str, Meta(pattern="^a")]
    anything: Any
    by_key: dict[str, int]
    optional: str | UnsetType | None = UNSET
    inside: Inside
    listed: list[Name]
    fine: Name


def test_texts_without_a_kind_or_a_check_are_found():
    assert [fault.split()[0].partition(".")[2] for fault in faults_of(Undeclared)] == [
        "plain",
        "bounded",
        "begun",
        "anything",
        "by_key.*",
        "optional",
        "inside.name",
        "listed.*",
    ]


class Order(Change, kw_only=True):
    name: Name
    second: Name | UnsetType | None = UNSET
    note: Annotated[str, prose(100)] = ""
    at: Moment | None = None


def ordered(**fields: Any) -> Order:
    return msgspec.json.decode(msgspec.json.encode({"name": "Ada", **fields}), type=Order)


@pytest.mark.parametrize(
    "text", [text for text in INVALID_LINES.values() if text and "\ud800" not in text], ids=ascii
)
def test_a_name_that_is_not_one_visible_line_is_refused_with_its_path(text):
    for field in ("name", "second"):
        with pytest.raises(msgspec.ValidationError) as refused:
            ordered(**{field: text})
        assert str(refused.value) == f"Expected one line of visible text - at `$.{field}`"


def test_a_name_is_stored_with_single_spaces_and_an_omitted_one_stays_unset():
    order = ordered(name=" Ada \u00a0 King ", second=None)
    assert (order.name, order.second, order.note) == ("Ada King", None, "")
    assert ordered().second is UNSET


def test_prose_has_lines_and_direction_but_no_control_characters_and_no_overrides():
    for text in ("", "a\n\tb\r\n\u2028c", "שלום\u200f \u2066a\u2069", "a\u200bb"):
        assert ordered(note=text).note == text
    for sign in "\0\x07\x1b\x7f\x85\u202d\u202e":
        with pytest.raises(msgspec.ValidationError, match=r"at `\$.note`"):
            ordered(note=f"a{sign}b")
