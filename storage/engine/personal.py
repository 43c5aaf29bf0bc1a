"""Declarations of the personal data in tables, which exports and erasures follow.

Each table has `info=personal(...)` or `info=not_personal(...)`, which names every column. A test
fails for a column without a decision.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from sqlalchemy import Table

from storage.engine.columns import Json, metadata

KEY = "personal"


@dataclass(frozen=True)
class DeleteRow:
    """An erasure deletes the row."""


@dataclass(frozen=True)
class ClearColumns:
    """An erasure keeps the row, for other users or for accounting, and sets these columns.

    A value may be a function of the user's id.
    """

    values: Mapping[str, Any]


@dataclass(frozen=True)
class KeepRow:
    """An erasure keeps the row unchanged: the id of an erased user identifies nobody."""


OnErasure = DeleteRow | ClearColumns | KeepRow


@dataclass(frozen=True)
class Export:
    """The JSON file of an export that contains a user's rows, and its description for the README.

    `only_for_author` maps a column to the column with its author's id; other users get null.
    `found_by` names the columns by which the rows are found, if they are not the owners' columns.
    """

    file: str
    description: str
    columns: str
    only_for_author: Mapping[str, str] | None = None
    found_by: str = ""


@dataclass(frozen=True)
class KeptJson:
    """Columns with events, views or cards as JSON; their classes declare the personal fields.

    Exactly one of `event_in`, `command_in` and `card_in` names the column that identifies the
    class: by the name of an event, by the command of an answer, or by the kind of a card. `steps`
    is the column, among `columns`, with the values of a command's steps.
    """

    columns: str
    event_in: str = ""
    command_in: str = ""
    card_in: str = ""
    steps: str = ""

    @property
    def kind(self) -> Literal["event", "command", "card"]:
        if self.event_in:
            return "event"
        return "command" if self.command_in else "card"

    def kind_of(self, column: str) -> Literal["event", "command", "card", "steps"]:
        return "steps" if column == self.steps else self.kind

    @property
    def named_in(self) -> str:
        return self.event_in or self.command_in or self.card_in


@dataclass(frozen=True, kw_only=True)
class Personal:
    """The declaration of a table; see `personal`."""

    on_erasure_of: Mapping[str, OnErasure]
    unchanged: tuple[str, ...]
    export: Export | None
    not_exported: tuple[str, ...]
    kept_json: KeptJson | None
    plain_json: tuple[str, ...]
    found_through: Mapping[str, str]
    narrowed_by: Mapping[str, str]
    erased_by: str | None
    erased_at_closing: bool

    @property
    def deleted_with(self) -> tuple[str, ...]:
        """The columns with the id of a user whose erasure deletes the row."""
        found = self.on_erasure_of.items()
        return tuple(owner for owner, what in found if isinstance(what, DeleteRow))

    @property
    def cleared_for(self) -> dict[str, Mapping[str, Any]]:
        """Maps each column with the id of a user whose erasure keeps the row to the new values."""
        return {
            owner: what.values if isinstance(what, ClearColumns) else {}
            for owner, what in self.on_erasure_of.items()
            if not isinstance(what, DeleteRow)
        }

    @property
    def exported(self) -> tuple[str, ...]:
        return tuple(self.export.columns.split()) if self.export else ()

    @property
    def found_by(self) -> tuple[str, ...]:
        """The columns by which an export finds a user's rows."""
        given = self.export.found_by.split() if self.export else ()
        return tuple(given) or tuple(self.on_erasure_of)

    @property
    def json_columns(self) -> tuple[str, ...]:
        return tuple(self.kept_json.columns.split()) if self.kept_json else ()


def personal(
    *,
    on_erasure_of: Mapping[str, OnErasure],
    unchanged: str = "",
    export: Export | None = None,
    not_exported: str = "",
    kept_json: KeptJson | None = None,
    plain_json: str = "",
    found_through: Mapping[str, str] | None = None,
    narrowed_by: Mapping[str, str] | None = None,
    erased_by: str | None = None,
    erased_at_closing: bool = False,
) -> dict[str, Personal]:
    """The `info=` of a table with personal data. Lists of columns are separated by spaces.

    - `on_erasure_of` maps each column with a user's id to the effect of erasing that account.
      `unchanged` are the columns that keep their values when the row stays.
    - `export` declares what the user gets; `not_exported` are all other columns.
    - `kept_json` declares the columns with events, views or cards. `plain_json` are other JSON
      columns of rows that stay; they contain nothing personal.
    - `found_through` maps a column without a user's id to the `table.column` of the user's rows
      that has its values. `narrowed_by` does the same for a column that makes the search faster.
    - `erased_by` is the domain whose own erasure steps erase the rows, if a statement cannot.
    - `erased_at_closing` erases in the transaction that closes the account, not in a later step.
    """
    return {
        KEY: Personal(
            on_erasure_of=on_erasure_of,
            unchanged=tuple(unchanged.split()),
            export=export,
            not_exported=tuple(not_exported.split()),
            kept_json=kept_json,
            plain_json=tuple(plain_json.split()),
            found_through=found_through or {},
            narrowed_by=narrowed_by or {},
            erased_by=erased_by,
            erased_at_closing=erased_at_closing,
        )
    }


def not_personal(columns: str, *, kept_json: KeptJson | None = None) -> dict[str, Personal]:
    """The `info=` of a table without personal data, except in the JSON of `kept_json`."""
    return personal(on_erasure_of={}, unchanged=columns, not_exported=columns, kept_json=kept_json)


def personal_of(table: Table) -> Personal:
    """The declaration of the table; raises KeyError if it has none."""
    declared: Personal = table.info[KEY]
    return declared


def list_undecided() -> list[str]:
    """The faults of all declarations: missing, unknown and repeated tables and columns."""
    return [fault for table in metadata.sorted_tables for fault in _faults(table)]


def _faults(table: Table) -> Iterator[str]:
    if KEY not in table.info:
        yield f"{table.name} does not declare whose personal data it holds"
        return
    declared = personal_of(table)
    columns = {column.name for column in table.columns}
    yield from (f"{table.name}.{name}: {fault}" for name, fault in _undecided(declared, columns))
    yield from (f"{table.name} has no column {name}" for name in _named(declared) - columns)
    yield from (f"{table.name}.{name} is declared twice" for name in _named_twice(declared))
    if declared.kept_json is not None and not declared.kept_json.named_in:
        yield f"{table.name}: which class is its JSON of?"
    yield from (f"{table.name}.{name}: whose JSON is this?" for name in _unknown_json(table))


def _undecided(declared: Personal, columns: set[str]) -> Iterator[tuple[str, str]]:
    for name in columns - {*declared.exported, *declared.not_exported}:
        yield name, "exported or not?"
    for name in _stays(declared, columns) - set(declared.unchanged):
        yield name, "cleared or unchanged?"


def _unknown_json(table: Table) -> set[str]:
    """The JSON columns that an erasure keeps, without a class that declares what is personal."""
    declared = personal_of(table)
    if not declared.on_erasure_of:
        return set()
    found = {column.name for column in table.columns if isinstance(column.type, Json)}
    return _stays(declared, found) - {*declared.json_columns, *declared.plain_json}


def _stays(declared: Personal, columns: set[str]) -> set[str]:
    """The columns in `columns` that an erasure keeps unchanged."""
    cleared = declared.cleared_for
    if declared.deleted_with and not cleared:
        return set()
    ended = {name for values in cleared.values() for name in values}
    return columns - ended - set(declared.deleted_with)


def _named(declared: Personal) -> set[str]:
    authors = (declared.export and declared.export.only_for_author) or {}
    kept = declared.kept_json
    return {
        *declared.exported,
        *declared.not_exported,
        *declared.unchanged,
        *declared.plain_json,
        *declared.json_columns,
        *([kept.named_in] if kept and kept.named_in else []),
        *declared.on_erasure_of,
        *declared.found_by,
        *(name for values in declared.cleared_for.values() for name in values),
        *authors,
        *authors.values(),
    }


def _named_twice(declared: Personal) -> set[str]:
    given = [*declared.exported, *declared.not_exported]
    ended = {name for values in declared.cleared_for.values() for name in values}
    twice = {name for name in given if given.count(name) > 1}
    return twice | (ended & set(declared.unchanged))
