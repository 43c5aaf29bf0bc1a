"""Exports and erases the rows of a user in all tables, as the tables declare."""

from collections.abc import Callable, Mapping
from functools import cache
from typing import Any

from sqlalchemy import (
    Column,
    ColumnElement,
    Executable,
    Table,
    and_,
    bindparam,
    case,
    delete,
    or_,
    select,
    tuple_,
    update,
)

from storage.engine.columns import metadata
from storage.engine.database import Queries
from storage.engine.personal import Export, personal_of


class Row(tuple[Any, ...]):
    """One row of any table."""

    def __new__(cls, *values: Any) -> "Row":
        return super().__new__(cls, values)


# Exports.


def list_exported() -> list[tuple[Table, Export]]:
    """The tables that exports include, sorted by the names of their files."""
    found = [(table, personal_of(table).export) for table in metadata.sorted_tables]
    exported = [(table, export) for table, export in found if export is not None]
    return sorted(exported, key=lambda one: one[1].file)


def list_rows(
    tx: Queries, table: Table, user_id: str, after: Row | None, limit: int
) -> tuple[list[dict[str, Any]], Row | None]:
    """A page of a user's rows with their exported columns, and the key after which the next page
    begins; None at the end."""
    keys = [column.name for column in table.primary_key.columns]
    follows = {f"after_{name}": value for name, value in zip(keys, after or (), strict=False)}
    rows = tx.all(Row, _page(table, bool(after)), person=user_id, limit=limit, **follows)
    exported = personal_of(table).exported
    found = [dict(zip(exported, row[len(keys) :], strict=True)) for row in rows]
    return found, Row(*rows[-1][: len(keys)]) if len(rows) == limit else None


@cache
def _page(table: Table, goes_on: bool) -> Executable:
    declared, keys = personal_of(table), list(table.primary_key.columns)
    rows = select(*keys, *(_given(table, name) for name in declared.exported)).where(
        or_(*(_names_person(table, name) for name in declared.found_by))
    )
    if goes_on:
        after = (bindparam(f"after_{key.name}", type_=key.type) for key in keys)
        rows = rows.where(tuple_(*keys) > tuple_(*after))
    return rows.order_by(*keys).limit(bindparam("limit"))


def _given(table: Table, name: str) -> ColumnElement[Any]:
    """The exported value of a column; null where the column is only for its author."""
    export = personal_of(table).export
    author = (export.only_for_author or {}).get(name) if export else None
    if author is None:
        return table.c[name]
    return case((table.c[author] == bindparam("person"), table.c[name]))


def _names_person(table: Table, name: str) -> ColumnElement[bool]:
    """Whether a column holds the user's id, or another value that identifies the user."""
    declared = personal_of(table)
    if name in declared.found_through:
        return _is_found_in(table, name, declared.found_through[name])
    places = (_is_found_in(table, *one) for one in declared.narrowed_by.items())
    return and_(table.c[name] == bindparam("person"), *places)


def _is_found_in(table: Table, name: str, place: str) -> ColumnElement[bool]:
    """Whether the value of a column occurs in the `table.column` given as `place`, in the user's
    rows."""
    other, _, column = place.partition(".")
    source = metadata.tables[other]
    declared = personal_of(source)
    owners = declared.deleted_with or tuple(declared.cleared_for)
    theirs = or_(*(source.c[owner] == bindparam("person") for owner in owners))
    return table.c[name].in_(select(source.c[column]).where(theirs))


# Erasures.


def list_erasing() -> list[Table]:
    """The tables whose declarations alone erase them, in an order that foreign keys allow."""
    tables = reversed(metadata.sorted_tables)
    return [table for table in tables if personal_of(table).erased_by is None]


def list_closing() -> list[Table]:
    """The erasing tables that are erased when the account is closed.

    Rows that are found through other rows (the pincodes of an address) come before those rows.
    """
    closing = [table for table in list_erasing() if personal_of(table).erased_at_closing]
    return sorted(closing, key=lambda table: not personal_of(table).found_through)


def erase_rows(tx: Queries, table: Table, user_id: str, limit: int) -> int:
    """Delete or clear at most `limit` rows of a user; returns how many, 0 when none are left."""
    done = 0
    for statement, computed in _erasing(table):
        values = {name: make(user_id) for name, make in computed.items()}
        done += tx.run(statement, person=user_id, limit=limit - done, **values)
        if done >= limit:
            break
    return done


@cache
def _erasing(table: Table) -> list[tuple[Executable, dict[str, Callable[[str], Any]]]]:
    declared = personal_of(table)
    deleting: list[tuple[Executable, dict[str, Any]]] = [
        (_deleting(table, name), {}) for name in declared.deleted_with
    ]
    # `kept_json.rewrite_kept` clears rows with kept JSON.
    cleared = {} if declared.kept_json else declared.cleared_for
    clearing = [_clearing(table, *one) for one in cleared.items() if one[1]]
    return [*deleting, *clearing]


def _deleting(table: Table, name: str) -> Executable:
    return delete(table).where(_among(table, _names_person(table, name)))


def _clearing(
    table: Table, name: str, fields: Mapping[str, Any]
) -> tuple[Executable, dict[str, Callable[[str], Any]]]:
    computed = {f"new_{field}": value for field, value in fields.items() if callable(value)}
    becomes: dict[str, Any] = {
        field: bindparam(f"new_{field}", type_=table.c[field].type) if callable(value) else value
        for field, value in fields.items()
    }
    still = or_(*(table.c[field].is_distinct_from(new) for field, new in becomes.items()))
    return update(table).where(_among(table, _names_person(table, name) & still)).values(
        becomes
    ), computed


def _among(table: Table, condition: ColumnElement[bool]) -> ColumnElement[bool]:
    """Selects, by key, at most `limit` rows that meet the condition."""
    keys: list[Column[Any]] = list(table.primary_key.columns)
    some = select(*keys).where(condition).limit(bindparam("limit"))
    return keys[0].in_(some) if len(keys) == 1 else tuple_(*keys).in_(some)
