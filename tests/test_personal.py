"""Every table, view and event declares its personal data."""

from collections.abc import Mapping
from typing import Any, ClassVar

import msgspec
import pytest
from msgspec import inspect
from sqlalchemy import Column, MetaData, String, Table

import storage.engine.personal
import storage.engine.schema
from handlers import SYSTEMS
from handlers.consulting.booking.contracts import BookingRequested, BookingView
from handlers.kit.contract import Event, Personal, event_stored_as
from handlers.kit.kept_json import KeptClasses, rules_of
from handlers.kit.personal_data import AllPersonalData, PersonalData, Stage
from handlers.kit.registry import load_domains
from storage.engine.columns import Json
from storage.engine.personal import (
    ClearColumns,
    DeleteRow,
    Export,
    KeepRow,
    KeptJson,
    list_undecided,
    not_personal,
    personal,
    personal_of,
)
from storage.platform.personal_data.kept_json import kept_json_of, list_walked

REGISTRY = load_domains(SYSTEMS)
EVERYTHING = REGISTRY.personal_data
KEPT = EVERYTHING.kept


def _all(shape):
    for child in shape.__subclasses__():
        yield child
        yield from _all(child)


EVENTS = [
    one
    for one in _all(Event)
    if "NAME" in one.__dict__ and one.__module__.startswith("handlers.") and not one.SEALED
]


def undecided_in(shape, seen=(), marks=("PLAIN",)) -> list[str]:
    """Text fields of a struct, and of structs in it, that declare no owner of their data."""
    faults = []
    words = {name for cls in shape.__mro__ for mark in marks for name in getattr(cls, mark, ())}
    for fields in rules_of(shape).values():
        words |= set(fields)
    for field in inspect.type_info(shape).fields:
        name = field.encode_name
        if name in words or name in ("id", "ids") or name.endswith(("_id", "_ids")):
            continue
        faults += _faults_of(field.type, f"{shape.__name__}.{name}", (*seen, shape), marks)
    return faults


def _faults_of(kind, where, seen, marks) -> list[str]:
    match kind:
        case inspect.StructType(cls=shape):
            return undecided_in(shape, seen, marks) if shape not in seen else []
        case inspect.UnionType(types=kinds):
            return [fault for one in kinds for fault in _faults_of(one, where, seen, marks)]
        case inspect.ListType(item_type=item) | inspect.VarTupleType(item_type=item):
            return _faults_of(item, where, seen, marks)
        case inspect.StrType() | inspect.AnyType() | inspect.DictType() | inspect.RawType():
            return [where]
    return []


def test_every_column_is_decided_about():
    assert list_undecided() == []


def test_every_text_of_an_event_has_a_declaration():
    assert sorted({fault for one in EVENTS for fault in undecided_in(one)}) == []
    assert event_stored_as("platform.USER_UPDATED") in EVENTS
    assert rules_of(BookingView)["student_id"]["note"] == ""


def test_every_text_of_a_stored_answer_has_a_declaration():
    views = {one.view for one in REGISTRY.commands.values() if one.changes}
    faults = {fault for one in views for fault in undecided_in(one, marks=("PLAIN", "OWN"))}
    assert sorted(faults) == []
    assert BookingView in views


def test_every_text_of_a_stored_step_has_a_declaration():
    given = {one for command in REGISTRY.commands.values() for one in command.steps.values()}
    faults = {fault for one in given for fault in undecided_in(one, marks=("PLAIN", "OWN"))}
    assert sorted(faults) == []


def test_every_rule_names_fields_of_its_class_that_are_kept_together():
    """An owner stored apart from their data (`PRIVATE`) would not be found."""
    views = {one.view for one in REGISTRY.commands.values()}
    for cls in (*EVENTS, *views):
        rules = rules_of(cls)
        names = {*rules, *(name for fields in rules.values() for name in fields)}
        assert names <= set(cls.__struct_encode_fields__), cls
        assert not (rules and names & set(getattr(cls, "PRIVATE", ()))), cls
        assert set(cls.WRITTEN_BY) <= set(rules), cls


def test_every_table_with_kept_json_finds_its_class():
    kinds = {table.name: kept_json_of(table).kind for table in list_walked()}
    assert None not in kinds.values()
    assert kinds["idempotency_keys"] == "command"
    assert (kinds["events"], kinds["timers"]) == ("event", "event")
    assert KEPT.find("event", "consulting.BOOKING_REQUESTED") is BookingRequested
    assert KEPT.find("command", "/booking request") is BookingView
    assert KEPT.find("card", "booking") is BookingView
    assert KEPT.find("event", "NOBODY_SAYS_SO") is None


def test_a_table_that_its_domain_erases_is_of_a_domain_with_steps():
    tables = storage.engine.personal.metadata.sorted_tables
    by = {personal_of(table).erased_by for table in tables} - {None}
    assert {"availability", "chat", "personal_data", "uploads"} <= by
    assert by <= {step.split(".")[-2] for step in EVERYTHING.erasures}


def test_every_text_of_a_card_has_a_declaration():
    views = [kind.view for kind in load_domains(SYSTEMS).cards.values()]
    assert views
    assert [fault for view in views for fault in undecided_in(view)] == []


@pytest.fixture
def metadata(monkeypatch) -> MetaData:
    fresh = MetaData()
    monkeypatch.setattr(storage.engine.personal, "metadata", fresh)
    return fresh


def test_a_table_without_a_declaration_is_found(metadata):
    Table("diaries", metadata, Column("id", String, primary_key=True))
    assert list_undecided() == ["diaries does not declare whose personal data it holds"]


GOES = {"user_id": DeleteRow()}
STAYS = {"user_id": KeepRow()}


@pytest.mark.parametrize(
    ("declared", "faults"),
    [
        (
            not_personal("id user_id mood"),
            ["diaries.text: cleared or unchanged?", "diaries.text: exported or not?"],
        ),
        (
            personal(on_erasure_of=GOES, not_exported="id user_id mood"),
            ["diaries.text: exported or not?"],
        ),
        (
            personal(
                on_erasure_of={"user_id": ClearColumns({"mood": None})},
                unchanged="id user_id",
                not_exported="id user_id text mood",
            ),
            ["diaries.text: cleared or unchanged?"],
        ),
        (
            personal(
                on_erasure_of=GOES,
                export=Export(file="diary", description="Yours.", columns="text text"),
                not_exported="id user_id mood",
            ),
            ["diaries.text is declared twice"],
        ),
        (
            personal(
                on_erasure_of={"user_id": ClearColumns({"text": "", "mood": None})},
                unchanged="id user_id text",
                not_exported="id user_id text mood",
            ),
            ["diaries.text is declared twice"],
        ),
        (
            personal(
                on_erasure_of=GOES,
                export=Export(file="diary", description="Yours.", columns="text weather"),
                not_exported="id user_id mood",
            ),
            ["diaries has no column weather"],
        ),
        (
            personal(
                on_erasure_of=STAYS,
                unchanged="id user_id text mood",
                not_exported="id user_id text mood",
            ),
            ["diaries.mood: whose JSON is this?"],
        ),
        (
            personal(
                on_erasure_of=STAYS,
                unchanged="id user_id text mood",
                not_exported="id user_id text mood",
                kept_json=KeptJson("mood"),
            ),
            ["diaries: which class is its JSON of?"],
        ),
        (
            personal(
                on_erasure_of=STAYS,
                unchanged="id user_id text mood",
                not_exported="id user_id text mood",
                plain_json="mood",
            ),
            [],
        ),
        (
            personal(
                on_erasure_of=GOES,
                export=Export(file="diary", description="Yours.", columns="text"),
                not_exported="id user_id mood",
            ),
            [],
        ),
    ],
)
def test_an_undeclared_column_is_found(metadata, declared, faults):
    columns = (Column("user_id", String), Column("text", String), Column("mood", Json))
    Table("diaries", metadata, Column("id", String, primary_key=True), *columns, info=declared)
    assert sorted(list_undecided()) == faults


def test_an_undeclared_text_in_an_event_is_found():
    class Page(msgspec.Struct):
        words: list[str]
        author_id: str

    class Written(Event):
        page: Page | None
        title: str

    assert undecided_in(Written) == ["Page.words", "Written.title"]


# Stored JSON.


class Praised(Event):
    """A teacher's remark, which is the student's data."""

    NAME: ClassVar[str] = "TEST_PRAISED"
    PERSONAL: ClassVar[Personal] = {"student_id": {"remark": ""}}
    student_id: str
    remark: str


class Visited(Event):
    """A remark about a room, which is no user's data, and the room's title by a student."""

    NAME: ClassVar[str] = "TEST_VISITED"
    PERSONAL: ClassVar[Personal] = {"student_id": {"title": "A room"}}
    PLAIN: ClassVar[tuple[str, ...]] = ("remark",)
    student_id: str
    remark: str
    title: str = ""


def test_two_events_treat_fields_of_one_name_differently():
    said = '{"student_id":"a","remark":"by the door"}'
    assert KEPT.forget(said, "event", Praised.NAME, {"a"}) == '{"student_id":"a","remark":""}'
    assert KEPT.forget(said, "event", Visited.NAME, {"a"}) is None
    titled = '{"student_id":"a","remark":"by the door","title":"Of a"}'
    expected = '{"student_id":"a","remark":"by the door","title":"A room"}'
    assert KEPT.forget(titled, "event", Visited.NAME, {"a"}) == expected


def test_an_answer_is_treated_as_the_view_of_its_command():
    views: Mapping[str, Any] = {"/rooms praise": Praised, "/rooms visit": Visited}
    kept = KeptClasses(views, {})
    said = '{"student_id":"a","remark":"by the door"}'
    assert kept.forget(said, "command", "/rooms praise", {"a"}) is not None
    assert kept.forget(said, "command", "/rooms visit", {"a"}) is None


def test_a_step_is_treated_as_what_its_command_declares():
    kept = KeptClasses({}, {}, {"/rooms praise": {"note": Praised, "look": Visited}})
    of_one, of_other = (f'{{"student_id":"{one}","remark":"by the door"}}' for one in ("x1", "y2"))
    steps = {"note": of_one, "look": of_one, "older": of_one, "other": of_other}
    said = msgspec.json.encode(steps).decode()
    left = kept.forget(said, "steps", "/rooms praise", {"x1"})
    assert msgspec.json.decode(left or "") == {
        "note": '{"student_id":"x1","remark":""}',
        "look": of_one,
        "older": "{}",
        "other": of_other,
    }
    assert kept.forget(said, "steps", "/rooms praise", {"nobody"}) is None


def test_json_without_a_known_class_is_not_kept():
    said = '{"student_id":"a","remark":"by the door"}'
    assert KEPT.forget(said, "event", "TEST_OF_AN_OLDER_VERSION", {"a"}) == "{}"
    assert KEPT.forget(said, "event", "TEST_OF_AN_OLDER_VERSION", {"nobody"}) is None
    assert KEPT.without_others_words(said, "event", "TEST_OF_AN_OLDER_VERSION", "b") is None
    older = '{"student_id":"a","remark":"x","a_field_of_an_older_version":"of a"}'
    left = KEPT.forget(older, "event", Visited.NAME, {"a"})
    assert left == '{"student_id":"a","remark":"x","a_field_of_an_older_version":null}'


def message(card: str) -> str:
    return (
        '{"message":{"id":"m","conversation_id":"c","seq":1,"sender_id":"b","client_id":"x",'
        f'"kind":"card","text":"of b","card":{card},"sent_at":"2026-01-01T00:00:00Z"}}}}'
    )


@pytest.mark.parametrize(
    ("card", "left"),
    [
        (
            '{"kind":"booking","id":"k","data":{"student_id":"a","note":"of a"}}',
            '{"kind":"booking","id":"k","data":{"student_id":"a","note":""}}',
        ),
        (
            '{"kind":"named","id":"a","data":{"name":"of a"}}',
            '{"kind":"named","id":"a","data":{}}',
        ),
        (
            '{"kind":"of_an_older_version","id":"k","data":{"by":"a","words":"of a"}}',
            '{"kind":"of_an_older_version","id":"k","data":{}}',
        ),
    ],
    ids=["of_a_view", "about_the_person", "of_no_view"],
)
def test_a_card_is_treated_as_the_view_of_its_kind(card, left):
    assert KEPT.forget(message(card), "event", "platform.MESSAGE_SENT", {"a"}) == message(left)
    assert KEPT.forget(message(card), "event", "platform.MESSAGE_SENT", {"nobody"}) is None


def test_texts_about_other_users_stay():
    said = (
        '{"bookings":[{"student_id":"a","consultant_id":"b","note":"of a","reason":"of one"},'
        '{"student_id":"c","consultant_id":"b","note":"of c","reason":null}],"next":null}'
    )
    view = REGISTRY.commands["/booking", "list"].view
    kept = KeptClasses({"list": view}, {})
    left = kept.forget(said, "command", "list", {"a"})
    assert left is not None
    assert "of a" not in left
    assert "of one" not in left
    assert "of c" in left
    assert kept.forget(left, "command", "list", {"a"}) is None
    assert kept.forget(said, "command", "list", {"d"}) is None


def test_an_export_has_null_for_texts_of_others():
    said = '{"booking":{"student_id":"a","consultant_id":"b","note":"of a","reason":"no"}}'
    to_b = KEPT.without_others_words(said, "event", "consulting.BOOKING_REQUESTED", "b")
    assert to_b["booking"] == {
        "student_id": "a",
        "consultant_id": "b",
        "note": None,
        "reason": None,
    }
    to_a = KEPT.without_others_words(said, "event", "consulting.BOOKING_REQUESTED", "a")
    assert to_a == msgspec.json.decode(said)


# Steps.


ERASED_IN_THIS_ORDER = [
    "consulting.booking.call_off_the_last_bookings",
    "consulting.availability.leave_the_last_lists",
    "platform.chat.wipe_messages",
    "platform.chat.take_reactions_back",
    "platform.chat.leave_groups",
    "platform.chat.clear_cards",
    "platform.uploads.drop_files",
    "platform.personal_data.drop_exports",
    "platform.personal_data.erase_rows",
    "platform.personal_data.forget_own_rooms",
    "platform.personal_data.rewrite_kept_json",
]
"""The steps whose order matters; steps of new domains may come between them."""


def test_steps_run_in_their_stages_and_by_domain_within_one():
    withdrawn = [
        "consulting.booking.call_off_bookings",
        "consulting.availability.leave_waiting_lists",
    ]
    assert [step for step in EVERYTHING.withdrawals if step in withdrawn] == withdrawn
    known = [step for step in EVERYTHING.erasures if step in ERASED_IN_THIS_ORDER]
    assert known == ERASED_IN_THIS_ORDER


def test_two_steps_of_one_name_are_refused():
    def erase(tx, user_id, after, limit):
        return None

    one, other = PersonalData(), PersonalData()
    for declared in (one, other):
        declared.erase(Stage.CONTENT)(erase)
    with pytest.raises(TypeError, match=r"two domains declare the step shop\.erase"):
        AllPersonalData([("shop", one), ("shop", other)], {}, {})
    assert len(AllPersonalData([("shop", one), ("search", other)], {}, {}).erasures) == 2
