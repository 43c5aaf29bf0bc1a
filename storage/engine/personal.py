"""Whose personal data a table holds, declared beside the table: exports and erasures follow it.

A table says so once, by `info=personal(...)` or `info=not_personal(...)`, and names every one of
its columns. A test fails for a column that nobody decided about.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from sqlalchemy import Table

from storage.engine.columns import Json, metadata

KEY = "personal"


@dataclass(frozen=True)
class DeleteRow:
    """The row is deleted."""


@dataclass(frozen=True)
class ClearColumns:
    """The row stays, for others or for the books, and these columns get these values.

    A value may be a function of the person's id.
    """

    values: Mapping[str, Any]


@dataclass(frozen=True)
class KeepRow:
    """The row stays as it is: the id of an erased user leads to nobody."""


OnErasure = DeleteRow | ClearColumns | KeepRow


@dataclass(frozen=True)
class Export:
    """What people get of their rows: a JSON file of an export, and what its README says of it.

    `only_for_author` maps columns to the column with their author's id: others get null there.
    `found_by` names the columns by which the rows are found, if they are not the owners'.
    """

    file: str
    description: str
    columns: str
    only_for_author: Mapping[str, str] | None = None
    found_by: str = ""


@dataclass(frozen=True)
class KeptJson:
    """Columns with events, views or cards as JSON; their classes declare what in it is personal.

    Exactly one of `event_in`, `command_in` and `card_in` names the column that says which class it
    is: the name of an event, of a command (whose answer it is), or the kind of a card.
    `steps` is the column, among `columns`, with the values of a command's steps.
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
    """What a table declares; see `personal`."""

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
        """The columns that name a person with whom the row is deleted."""
        found = self.on_erasure_of.items()
        return tuple(owner for owner, what in found if isinstance(what, DeleteRow))

    @property
    def cleared_for(self) -> dict[str, Mapping[str, Any]]:
        """By the column that names a person for whom the row stays: what its columns become."""
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
        """The columns by which somebody's rows are found for an export."""
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
    """For `info=` of a table with personal data. Several columns are words in one text.

    - `on_erasure_of`: by the column with a person's id, what becomes of the row when their account
      is erased. `unchanged` are the columns of a row that stays which keep their values.
    - `export`: what that person gets of the row; `not_exported` are all other columns.
    - `kept_json`: columns with events, views or cards; `plain_json` are JSON columns of rows that
      stay and that say nothing about anybody.
    - `found_through`: for a column that holds no user's id, the `table.column` of the person's rows
      in which its value is found. `narrowed_by`: the same for a column by which the database finds
      their rows faster.
    - `erased_by`: the domain whose own erasure steps do this, because a statement cannot.
    - `erased_at_closing`: in the transaction that closes the account, not some time later.
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
    """For `info=` of a table that says nothing about anybody, but for what its JSON may say."""
    return personal(on_erasure_of={}, unchanged=columns, not_exported=columns, kept_json=kept_json)


def personal_of(table: Table) -> Personal:
    """What the table declares; KeyError when it declares nothing."""
    declared: Personal = table.info[KEY]
    return declared


def list_undecided() -> list[str]:
    """Tables and columns of which nobody said what becomes of them, or said it twice."""
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
    """The columns of JSON that stay, of which nobody said which class says what is personal."""
    declared = personal_of(table)
    if not declared.on_erasure_of:
        return set()
    found = {column.name for column in table.columns if isinstance(column.type, Json)}
    return _stays(declared, found) - {*declared.json_columns, *declared.plain_json}


def _stays(declared: Personal, columns: set[str]) -> set[str]:
    """The columns among these that an erasure does not clear, of rows that it does not delete."""
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
