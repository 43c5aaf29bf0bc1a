"""The rows of a person, in whatever table: given to them, or erased, as the tables declare."""

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
    """The tables of which people get something, by the names of their files."""
    found = [(table, personal_of(table).export) for table in metadata.sorted_tables]
    exported = [(table, export) for table, export in found if export is not None]
    return sorted(exported, key=lambda one: one[1].file)


def list_rows(
    tx: Queries, table: Table, user_id: str, after: Row | None, limit: int
) -> tuple[list[dict[str, Any]], Row | None]:
    """A page of a person's rows as an export has them, and the key after which the next begins."""
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
    """What the person is given of a column."""
    export = personal_of(table).export
    author = (export.only_for_author or {}).get(name) if export else None
    if author is None:
        return table.c[name]
    return case((table.c[author] == bindparam("person"), table.c[name]))


def _names_person(table: Table, name: str) -> ColumnElement[bool]:
    """Whether a row's column names the person, by their id or by something of theirs."""
    declared = personal_of(table)
    if name in declared.found_through:
        return _is_found_in(table, name, declared.found_through[name])
    places = (_is_found_in(table, *one) for one in declared.narrowed_by.items())
    return and_(table.c[name] == bindparam("person"), *places)


def _is_found_in(table: Table, name: str, place: str) -> ColumnElement[bool]:
    """Whether what a column holds is in that `table.column` of the person's rows."""
    other, _, column = place.partition(".")
    source = metadata.tables[other]
    declared = personal_of(source)
    owners = declared.deleted_with or tuple(declared.cleared_for)
    theirs = or_(*(source.c[owner] == bindparam("person") for owner in owners))
    return table.c[name].in_(select(source.c[column]).where(theirs))


# Erasures.


def list_erasing() -> list[Table]:
    """The tables that statements alone erase, in an order in which foreign keys allow it."""
    tables = reversed(metadata.sorted_tables)
    return [table for table in tables if personal_of(table).erased_by is None]


def list_closing() -> list[Table]:
    """Those of them that are erased as the account is closed.

    Rows that are found through others (the pincodes of an address) go before these.
    """
    closing = [table for table in list_erasing() if personal_of(table).erased_at_closing]
    return sorted(closing, key=lambda table: not personal_of(table).found_through)


def erase_rows(tx: Queries, table: Table, user_id: str, limit: int) -> int:
    """Delete or clear at most so many of a person's rows; how many, 0 when it is done."""
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
    # Rows with kept JSON are cleared by the walk that rewrites it.
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
    """So many of the rows for which it is so, by their keys."""
    keys: list[Column[Any]] = list(table.primary_key.columns)
    some = select(*keys).where(condition).limit(bindparam("limit"))
    return keys[0].in_(some) if len(keys) == 1 else tuple_(*keys).in_(some)
