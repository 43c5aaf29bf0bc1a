"""Importing `storage.engine.schema` registers every table that `storage` declares."""

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import storage
from tests.parts.source import parse

PRINT_TABLES = (
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


def test_importing_the_schema_registers_every_table() -> None:
    tables = sorted(declared())
    assert len(tables) >= 40
    command = [sys.executable, "-c", PRINT_TABLES]
    printed = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    assert sorted(printed.split()) == tables
