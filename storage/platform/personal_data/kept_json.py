"""Rows that store events, answers and similar data as JSON with personal data of any user.

They have no index by user. An erasure therefore reads all of them, page by page, and rewrites the
ones that contain data of the erased user.
"""

from functools import cache
from typing import Any

import msgspec
from sqlalchemy import Executable, Table, Text, bindparam, select, tuple_, type_coerce, update

from storage.engine.columns import metadata
from storage.engine.database import Queries
from storage.engine.personal import KeptJson, personal_of
from storage.platform.personal_data.personal_rows import Row


class KeptRow(msgspec.Struct, frozen=True):
    """A row: its key, the name of the class of its JSON, its JSON by column, and the user ids in
    its owner columns."""

    key: Row
    named: str
    texts: dict[str, str]
    owners: dict[str, str | None]

    def is_of(self, owner: str, user_id: str) -> bool:
        """Whether the row belongs to the user: the owner column holds their id, or it is empty and
        the JSON mentions them."""
        named = self.owners[owner]
        mentioned = any(user_id in text for text in self.texts.values())
        return named == user_id or (named is None and mentioned)


def list_walked() -> list[Table]:
    """The tables with kept JSON, except those that their domain erases."""
    declared = [(table, personal_of(table)) for table in metadata.sorted_tables]
    return [table for table, one in declared if one.kept_json and one.erased_by is None]


def list_kept(
    tx: Queries, table: Table, after: str, limit: int
) -> tuple[list[KeptRow], str | None]:
    """A page of rows in key order, after the key `after` ("" for the first page), and the key of
    the last row if there may be more. The key columns of these tables are text."""
    declared, keys = personal_of(table), [column.name for column in table.primary_key.columns]
    parts = after.split("\n") if after else [""] * len(keys)
    follows = {f"after_{name}": part for name, part in zip(keys, parts, strict=True)}
    rows = tx.all(Row, _walk(table), limit=limit, **follows)
    names = (*declared.json_columns, *declared.cleared_for)
    found = []
    for row in rows:
        values = dict(zip(names, row[len(keys) + 1 :], strict=True))
        texts = {name: values[name] for name in declared.json_columns if values[name] is not None}
        owners = {name: values[name] for name in declared.cleared_for}
        found.append(KeptRow(Row(*row[: len(keys)]), row[len(keys)], texts, owners))
    return found, "\n".join(found[-1].key) if len(rows) == limit else None


def rewrite_kept(tx: Queries, table: Table, row: KeptRow, texts: dict[str, str], gone: str) -> None:
    """Replace the JSON of a row with `texts` (by column), and clear the columns that belong to the
    user `gone`.

    A row that changed since it was read stays as it is until the next round.
    """
    declared = personal_of(table)
    owners = tuple(name for name in row.owners if row.is_of(name, gone))
    if not texts and not any(declared.cleared_for[name] for name in owners):
        return
    keys = [f"of_{column.name}" for column in table.primary_key.columns]
    read = {f"old_{name}": row.texts.get(name) for name in declared.json_columns}
    fresh = {f"new_{name}": texts.get(name, row.texts.get(name)) for name in declared.json_columns}
    tx.run(_rewrite(table, owners), **dict(zip(keys, row.key, strict=True)), **read, **fresh)


def kept_json_of(table: Table) -> KeptJson:
    """What a walked table declares about its JSON."""
    kept = personal_of(table).kept_json
    assert kept is not None
    return kept


@cache
def _walk(table: Table) -> Executable:
    declared, keys = personal_of(table), list(table.primary_key.columns)
    texts = (type_coerce(table.c[name], Text).label(name) for name in declared.json_columns)
    named = table.c[kept_json_of(table).named_in].label("named")
    after = (bindparam(f"after_{key.name}", type_=key.type) for key in keys)
    return (
        select(*keys, named, *texts, *(table.c[name] for name in declared.cleared_for))
        .where(tuple_(*keys) > tuple_(*after))
        .order_by(*keys)
        .limit(bindparam("limit"))
    )


@cache
def _rewrite(table: Table, owners: tuple[str, ...]) -> Executable:
    declared = personal_of(table)
    becomes: dict[str, Any] = {
        name: bindparam(f"new_{name}", type_=Text()) for name in declared.json_columns
    }
    for owner in owners:
        becomes |= declared.cleared_for[owner]
    this = (key == bindparam(f"of_{key.name}") for key in table.primary_key.columns)
    read = (
        type_coerce(table.c[name], Text).is_not_distinct_from(
            bindparam(f"old_{name}", type_=Text())
        )
        for name in declared.json_columns
    )
    return update(table).where(*this, *read).values(becomes)
