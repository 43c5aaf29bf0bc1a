"""Whose the rows of a table are, said beside the table: exports and erasures are made of it.

A table says it once, by `info=personal(...)` or `info=nobodys(...)`, and names every column in it:
what a person is given of it, and what becomes of it when their account is erased. A test fails for
a column that nobody decided about.

- Rows that `go` with somebody are deleted. In rows that stay, for others or for the books, what
  is `cleared` becomes something that says nothing; what is `left` says nothing by itself, for an id
  whose user is erased leads to nobody.
- What is `held` back is not in an export: secrets, and what means nothing outside.
- `by` names the domain that erases it, where more must be done than a statement can.
- `told` are columns of JSON that views and events are kept in; their classes say what is whose
  (`handlers/kit/personal.py`), so such a table is walked through.
"""

from collections.abc import Callable, Iterator, Mapping
from functools import cache
from typing import Any

import msgspec
from sqlalchemy import (
    Column,
    ColumnElement,
    Executable,
    Table,
    Text,
    and_,
    bindparam,
    case,
    delete,
    or_,
    select,
    tuple_,
    type_coerce,
    update,
)

from storage.columns import metadata
from storage.engine import Queries

Cleared = Mapping[str, Mapping[str, Any]]
"""By the column that names a person: the columns that are theirs, and what these become."""
KEY = "personal"


class Personal(msgspec.Struct, frozen=True, kw_only=True):
    """What a table says of itself; names are those of its columns."""

    goes: tuple[str, ...]
    cleared: Cleared
    left: frozenset[str]
    shown: tuple[str, ...]
    held: frozenset[str]
    told: tuple[str, ...]
    written_by: Mapping[str, str]
    file: str | None
    says: str
    found_by: tuple[str, ...]
    through: Mapping[str, str]
    within: Mapping[str, str]
    by: str | None


class Row(tuple[Any, ...]):
    """One row of any table."""

    def __new__(cls, *values: Any) -> "Row":
        return super().__new__(cls, values)


def personal(
    *,
    goes: str = "",
    cleared: Cleared | None = None,
    left: str = "",
    shown: str = "",
    held: str = "",
    told: str = "",
    written_by: Mapping[str, str] | None = None,
    file: str | None = None,
    says: str = "",
    found_by: str = "",
    through: Mapping[str, str] | None = None,
    within: Mapping[str, str] | None = None,
    by: str | None = None,
) -> dict[str, Personal]:
    """For `info=`. Lists of columns are words in a text.

    Rows go with, or are cleared for, whom these columns name; `through` says of one that holds no
    user's id in which column of other rows of theirs it is found. An export has what is `shown` of
    these rows, or of those that are `found_by` other columns, in a `file` of which it `says` what
    it is; who is not named by the column that some are `written_by` is given null for them.
    `within` names, like `through`, where alone they can be, so that an index serves.
    """
    owners = (*goes.split(), *(cleared or {}))
    said = Personal(
        goes=tuple(goes.split()),
        cleared=cleared or {},
        left=frozenset(left.split()),
        shown=tuple(shown.split()),
        held=frozenset(held.split()),
        told=tuple(told.split()),
        written_by=written_by or {},
        file=file,
        says=says,
        found_by=tuple(found_by.split()) or owners,
        through=through or {},
        within=within or {},
        by=by,
    )
    return {KEY: said}


def nobodys(columns: str, *, told: str = "") -> dict[str, Personal]:
    """For `info=`: nothing in these columns is about anybody."""
    return personal(left=columns, held=columns, told=told)


def personal_of(table: Table) -> Personal:
    """What the table says of itself; KeyError when it says nothing."""
    said: Personal = table.info[KEY]
    return said


def list_undecided() -> list[str]:
    """Tables and columns of which nobody said what becomes of them, or said it twice."""
    return [fault for table in metadata.sorted_tables for fault in _faults(table)]


def _faults(table: Table) -> Iterator[str]:
    if KEY not in table.info:
        yield f"{table.name} does not say whose its rows are"
        return
    said = personal_of(table)
    columns = {column.name for column in table.columns}
    given = [*said.shown, *said.held]
    ended = {name for fields in said.cleared.values() for name in fields}
    yield from (f"{table.name}.{name}: shown or held?" for name in columns - set(given))
    if not said.goes or said.cleared:
        lasting = columns - ended - said.left - set(said.goes)
        yield from (f"{table.name}.{name}: cleared or left?" for name in lasting)
    named = {*given, *ended, *said.left, *said.goes, *said.cleared, *said.found_by, *said.told}
    named |= {*said.written_by, *said.written_by.values()}
    yield from (f"{table.name} has no column {name}" for name in named - columns)
    twice = {name for name in given if given.count(name) > 1} | (ended & said.left)
    yield from (f"{table.name}.{name} is said twice" for name in twice)


# Exports.


def list_exported() -> list[Table]:
    """The tables of which people get something, by the names of their files."""
    tables = [table for table in metadata.sorted_tables if personal_of(table).file]
    return sorted(tables, key=lambda table: personal_of(table).file or "")


def list_rows(
    tx: Queries, table: Table, user_id: str, after: Row | None, limit: int
) -> tuple[list[dict[str, Any]], Row | None]:
    """A page of a person's rows as they are shown, and after which key the next one begins."""
    keys = [column.name for column in table.primary_key.columns]
    follows = {f"after_{name}": value for name, value in zip(keys, after or (), strict=False)}
    rows = tx.all(Row, _page(table, bool(after)), person=user_id, limit=limit, **follows)
    shown = personal_of(table).shown
    found = [dict(zip(shown, row[len(keys) :], strict=True)) for row in rows]
    return found, Row(*rows[-1][: len(keys)]) if len(rows) == limit else None


@cache
def _page(table: Table, goes_on: bool) -> Executable:
    said, keys = personal_of(table), list(table.primary_key.columns)
    rows = select(*keys, *(_given(table, name) for name in said.shown)).where(
        or_(*(_names_person(table, name) for name in said.found_by))
    )
    if goes_on:
        after = (bindparam(f"after_{key.name}", type_=key.type) for key in keys)
        rows = rows.where(tuple_(*keys) > tuple_(*after))
    return rows.order_by(*keys).limit(bindparam("limit"))


def _given(table: Table, name: str) -> ColumnElement[Any]:
    """What the person is given of a column."""
    writer = personal_of(table).written_by.get(name)
    if writer is None:
        return table.c[name]
    return case((table.c[writer] == bindparam("person"), table.c[name]))


def _names_person(table: Table, name: str) -> ColumnElement[bool]:
    """Whether a row's column names the person, by their id or by something of theirs."""
    said = personal_of(table)
    if name in said.through:
        return _is_found_in(table, name, said.through[name])
    places = (_is_found_in(table, *one) for one in said.within.items())
    return and_(table.c[name] == bindparam("person"), *places)


def _is_found_in(table: Table, name: str, place: str) -> ColumnElement[bool]:
    """Whether what a column holds is in that `table.column` of the person's rows."""
    other, _, column = place.partition(".")
    source = metadata.tables[other]
    said = personal_of(source)
    owners = said.goes or tuple(said.cleared)
    theirs = or_(*(source.c[owner] == bindparam("person") for owner in owners))
    return table.c[name].in_(select(source.c[column]).where(theirs))


# Erasures.


def list_erasing() -> list[Table]:
    """The tables that are erased by their words alone, in an order in which they can be."""
    return [table for table in reversed(metadata.sorted_tables) if personal_of(table).by is None]


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
    said = personal_of(table)
    deleting: list[tuple[Executable, dict[str, Any]]] = [
        (_deleting(table, name), {}) for name in said.goes
    ]
    cleared = {} if said.told else said.cleared
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


# What is told of people in JSON.


class Told(msgspec.Struct, frozen=True):
    """A row of a table that is walked through: its key, and its columns that may say something."""

    key: Row
    texts: dict[str, str]
    owners: dict[str, str | None]

    def is_of(self, owner: str, user_id: str) -> bool:
        """Whether it is theirs: they are named, or nobody is and it speaks of them."""
        named = self.owners[owner]
        spoken_of = any(user_id in text for text in self.texts.values())
        return named == user_id or (named is None and spoken_of)


def list_walked() -> list[Table]:
    """The tables in which anybody may be spoken of."""
    return [table for table in metadata.sorted_tables if personal_of(table).told]


def list_told(tx: Queries, table: Table, after: str, limit: int) -> tuple[list[Told], str | None]:
    """The next rows after a key, in the order of their keys, and the last one's if there may be
    more; keys of walked tables are texts, and "" is before all."""
    said, keys = personal_of(table), [column.name for column in table.primary_key.columns]
    parts = after.split("\n") if after else [""] * len(keys)
    follows = {f"after_{name}": part for name, part in zip(keys, parts, strict=True)}
    rows = tx.all(Row, _walk(table), limit=limit, **follows)
    names = (*said.told, *said.cleared)
    found = []
    for row in rows:
        values = dict(zip(names, row[len(keys) :], strict=True))
        texts = {name: values[name] for name in said.told if values[name] is not None}
        owners = {name: values[name] for name in said.cleared}
        found.append(Told(Row(*row[: len(keys)]), texts, owners))
    return found, "\n".join(found[-1].key) if len(rows) == limit else None


def rewrite_told(tx: Queries, table: Table, row: Told, texts: dict[str, str], gone: str) -> None:
    """Let a row say `texts` (by column), and nothing any more of its own of who is `gone`.

    One that somebody else rewrote meanwhile is left to the next walk.
    """
    owners = tuple(name for name in row.owners if row.is_of(name, gone))
    if not texts and not any(personal_of(table).cleared[name] for name in owners):
        return
    keys = [f"of_{column.name}" for column in table.primary_key.columns]
    read = {f"old_{name}": row.texts.get(name) for name in personal_of(table).told}
    told = {f"new_{name}": texts.get(name, row.texts.get(name)) for name in personal_of(table).told}
    tx.run(_rewrite(table, owners), **dict(zip(keys, row.key, strict=True)), **read, **told)


@cache
def _walk(table: Table) -> Executable:
    said, keys = personal_of(table), list(table.primary_key.columns)
    texts = (type_coerce(table.c[name], Text).label(name) for name in said.told)
    after = (bindparam(f"after_{key.name}", type_=key.type) for key in keys)
    return (
        select(*keys, *texts, *(table.c[name] for name in said.cleared))
        .where(tuple_(*keys) > tuple_(*after))
        .order_by(*keys)
        .limit(bindparam("limit"))
    )


@cache
def _rewrite(table: Table, owners: tuple[str, ...]) -> Executable:
    said = personal_of(table)
    becomes: dict[str, Any] = {name: bindparam(f"new_{name}", type_=Text()) for name in said.told}
    for owner in owners:
        becomes |= said.cleared[owner]
    this = (key == bindparam(f"of_{key.name}") for key in table.primary_key.columns)
    read = (
        type_coerce(table.c[name], Text).is_not_distinct_from(
            bindparam(f"old_{name}", type_=Text())
        )
        for name in said.told
    )
    return update(table).where(*this, *read).values(becomes)
