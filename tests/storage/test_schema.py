"""The metadata includes every table that a module of `storage` declares."""

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import storage
from tests.parts.source import parse

SAY_TABLES = (
    "import storage.engine.schema;"
    "from storage.engine.columns import metadata;"
    "print(*metadata.tables)"
)


def declared() -> Iterator[str]:
    """The names of the tables in the source; migrations declare none."""
    for file in Path(storage.__file__ or "").parent.rglob("*.py"):
        if "migrations" not in file.parts:
            for node in ast.walk(parse(file.read_text())):
                if isinstance(node, ast.Call) and ast.unparse(node.func) == "Table":
                    yield ast.literal_eval(node.args[0])


def test_the_schema_finds_every_table_by_itself() -> None:
    tables = sorted(declared())
    assert len(tables) >= 40
    alone = [sys.executable, "-c", SAY_TABLES]
    said = subprocess.run(alone, capture_output=True, text=True, check=True).stdout
    assert sorted(said.split()) == tables
