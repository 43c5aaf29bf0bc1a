"""Every query that returns rows has a LIMIT, or is listed here with the reason for few rows."""

import ast
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from typing import Any

from sqlalchemy import Executable

from tests.bounds import BY_IDS, queries_of_domains
from tests.parts.source import parse

ROOT = Path(__file__).parents[2]
STORAGE = ROOT / "storage"
LISTS = {"all": 1, "scalars": 0}
"""The methods that return rows, with the position of the statement in their arguments."""

A_CONSUMER = "one row for each consumer that some version of the server declares"
BOUNDED = {
    "events.backfills.list_backfills": A_CONSUMER,
    "events.backfills.list_unheard": "the events up to `end`, which `find_end` puts a page further",
    "events.consumers.list_lapsed": A_CONSUMER,
    "events.consumers.list_served": A_CONSUMER,
    "events.log.list_heads": BY_IDS,
    "events.holds.list_holds": "a pool has as many places as its size",
    "events.holds.list_pools_of": BY_IDS,
    "events.holds.lock_pools": BY_IDS,
    "events.instances.list_living": "the instances of one installation",
    "events.instances.list_silent": (
        "the instances of one installation; the first look takes them away"
    ),
    **queries_of_domains("BOUNDED"),
}
"""Function → why its rows are few without a LIMIT. Add a query only with a reason that holds for
any age of an installation. The queries of a domain are in its own tests."""


def queries_for_rows(module: str, path: Path) -> Iterator[tuple[str, Any]]:
    """The functions of a file that query rows, with their statement (None if built in place)."""
    loaded = import_module(module)
    for function in ast.walk(parse(path.read_text())):
        if not isinstance(function, ast.FunctionDef):
            continue
        for call in ast.walk(function):
            if isinstance(call, ast.Call) and isinstance(call.func, ast.Attribute):
                position = LISTS.get(call.func.attr, len(call.args))
                if position < len(call.args) and isinstance(call.func.value, ast.Name):
                    argument = call.args[position]
                    name = argument.id if isinstance(argument, ast.Name) else ""
                    yield function.name, getattr(loaded, name, None)


def has_limit(statement: Executable | None) -> bool:
    return getattr(statement, "_limit_clause", None) is not None


def unlimited() -> set[str]:
    found = set()
    for path in sorted(STORAGE.rglob("*.py")):
        if "migrations" in path.parts:
            continue
        parts = path.relative_to(ROOT).with_suffix("").parts
        for function, statement in queries_for_rows(
            ".".join(parts).removesuffix(".__init__"), path
        ):
            if not has_limit(statement):
                found.add(f"{'.'.join(parts[1:])}.{function}")
    return found


def test_every_query_that_returns_rows_has_a_limit_or_a_reason():
    found = unlimited()
    assert found - set(BOUNDED) == set(), "add a LIMIT, or declare what limits the rows"
    assert set(BOUNDED) - found == set(), "these queries have a LIMIT now, or do not exist"
    assert len(found) > 20, "the search in the source files finds no queries"
