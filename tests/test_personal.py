"""Whoever adds a table, a column or an event says what of it is somebody's."""

import msgspec
import pytest
from msgspec import inspect
from sqlalchemy import Column, MetaData, String, Table

import storage.personal
import storage.schema
from handlers import DOMAINS
from handlers.kit.command import load_domains
from handlers.kit.contract import Event, event_named
from handlers.kit.personal import forget, rules
from storage.personal import list_undecided, nobodys, personal

load_domains(DOMAINS)


def _all(shape):
    for child in shape.__subclasses__():
        yield child
        yield from _all(child)


EVENTS = [
    one
    for one in _all(Event)
    if "NAME" in one.__dict__ and one.__module__.startswith("handlers.") and not one.SEALED
]


def undecided_in(shape, seen=()) -> list[str]:
    """Fields of a struct, and of those in it, that may hold text and are nobody's by no word."""
    faults = []
    words = {name for cls in shape.__mro__ for name in getattr(cls, "PLAIN", ())}
    for cls in shape.__mro__:
        for fields in getattr(cls, "PERSONAL", {}).values():
            words |= set(fields)
    for field in inspect.type_info(shape).fields:
        name = field.encode_name
        if name in words or name in ("id", "ids") or name.endswith(("_id", "_ids")):
            continue
        faults += _faults_of(field.type, f"{shape.__name__}.{name}", (*seen, shape))
    return faults


def _faults_of(kind, where, seen) -> list[str]:
    match kind:
        case inspect.StructType(cls=shape):
            return undecided_in(shape, seen) if shape not in seen else []
        case inspect.UnionType(types=kinds):
            return [fault for one in kinds for fault in _faults_of(one, where, seen)]
        case inspect.ListType(item_type=item) | inspect.VarTupleType(item_type=item):
            return _faults_of(item, where, seen)
        case inspect.StrType() | inspect.AnyType() | inspect.DictType() | inspect.RawType():
            return [where]
    return []


def test_every_column_is_decided_about():
    assert list_undecided() == []


def test_every_text_of_an_event_is_decided_about():
    assert sorted({fault for one in EVENTS for fault in undecided_in(one)}) == []
    assert event_named("USER_UPDATED") in EVENTS
    assert rules()["student_id"]["note"] == ""


def test_every_text_of_a_card_is_decided_about():
    views = [kind.view for kind in load_domains(DOMAINS).cards.values()]
    assert views
    assert [fault for view in views for fault in undecided_in(view)] == []


@pytest.fixture
def metadata(monkeypatch) -> MetaData:
    fresh = MetaData()
    monkeypatch.setattr(storage.personal, "metadata", fresh)
    return fresh


def test_a_table_that_says_nothing_is_found(metadata):
    Table("diaries", metadata, Column("id", String, primary_key=True))
    assert list_undecided() == ["diaries does not say whose its rows are"]


@pytest.mark.parametrize(
    ("said", "faults"),
    [
        (nobodys("id user_id"), ["diaries.text: cleared or left?", "diaries.text: shown or held?"]),
        (personal(goes="user_id", held="id user_id"), ["diaries.text: shown or held?"]),
        (
            personal(cleared={"user_id": {}}, left="id user_id", shown="text", held="id user_id"),
            ["diaries.text: cleared or left?"],
        ),
        (
            personal(goes="user_id", shown="text text", held="id user_id"),
            ["diaries.text is said twice"],
        ),
        (
            personal(goes="user_id", shown="text mood", held="id user_id"),
            ["diaries has no column mood"],
        ),
        (personal(goes="user_id", shown="text", held="id user_id"), []),
    ],
)
def test_a_column_that_is_forgotten_is_found(metadata, said, faults):
    columns = (Column("user_id", String), Column("text", String))
    Table("diaries", metadata, Column("id", String, primary_key=True), *columns, info=said)
    assert sorted(list_undecided()) == faults


def test_a_text_that_is_forgotten_in_an_event_is_found():
    class Page(msgspec.Struct):
        words: list[str]
        author_id: str

    class Written(Event):
        page: Page | None
        title: str

    assert undecided_in(Written) == ["Page.words", "Written.title"]


def test_what_is_said_of_others_stays():
    said = (
        '{"bookings":[{"student_id":"a","consultant_id":"b","note":"of a","reason":"of one"},'
        '{"student_id":"c","consultant_id":"b","note":"of c","reason":null}],"user_id":"a"}'
    )
    left = forget(said, {"a"})
    assert left is not None
    assert "of a" not in left
    assert "of one" not in left
    assert "of c" in left
    assert forget(left, {"a"}) is None
    assert forget(said, {"d"}) is None
