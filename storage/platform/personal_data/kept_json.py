"""Rows in which events, answers and the like are kept as JSON that may speak of anybody.

They are not indexed by the people in them, so an erasure reads them all, page by page, and writes
those back that said something.
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
    """A row: its key, the name of its JSON's class, its JSON by column, and whom it names."""

    key: Row
    named: str
    texts: dict[str, str]
    owners: dict[str, str | None]

    def is_of(self, owner: str, user_id: str) -> bool:
        """Whether it is theirs: they are named, or nobody is and it speaks of them."""
        named = self.owners[owner]
        spoken_of = any(user_id in text for text in self.texts.values())
        return named == user_id or (named is None and spoken_of)


def list_walked() -> list[Table]:
    """The tables with kept JSON, but for those whose domain erases it by itself."""
    declared = [(table, personal_of(table)) for table in metadata.sorted_tables]
    return [table for table, one in declared if one.kept_json and one.erased_by is None]


def list_kept(
    tx: Queries, table: Table, after: str, limit: int
) -> tuple[list[KeptRow], str | None]:
    """The next rows after a key, in the order of their keys, and the last one's if there may be
    more; keys of walked tables are texts, and "" is before all."""
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
    """Let a row say `texts` (by column), and nothing any more of its own of who is `gone`.

    One that somebody else rewrote meanwhile is left to the next walk.
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
