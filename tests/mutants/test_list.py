"""The list of mutants fits the source: each can be applied, and its tests are there."""

import ast
from functools import cache
from pathlib import Path

import pytest

from tests.mutants.all import MUTANTS
from tests.mutants.mutant import Mutant

ROOT = Path(__file__).parent.parent.parent
MUTANTS_MIN = 20

each_mutant = pytest.mark.parametrize("mutant", MUTANTS, ids=lambda mutant: mutant.name)


@each_mutant
def test_a_mutant_changes_one_place_of_its_file(mutant: Mutant):
    whole = (ROOT / mutant.file).read_text()
    changed = mutant.applied_to(whole)
    assert changed != whole
    if mutant.file.endswith(".py"):
        ast.parse(changed)


@each_mutant
def test_the_tests_of_a_mutant_are_there(mutant: Mutant):
    assert mutant.tests
    for test in mutant.tests:
        file, _, name = test.partition("::")
        assert (ROOT / file).is_file(), test
        assert not name or name in names_of_tests(file), test


def test_a_text_that_occurs_twice_is_no_mutant():
    mutant = Mutant("Nothing works", "file.py", "a", "b", ())
    with pytest.raises(ValueError, match="occurs 2 times"):
        mutant.applied_to("a = a")


def test_no_two_mutants_have_one_name_and_there_are_enough():
    assert len({mutant.name for mutant in MUTANTS}) == len(MUTANTS) >= MUTANTS_MIN


@cache
def names_of_tests(file: str) -> set[str]:
    """The names of a file's functions, and those of its classes as `CLASS::NAME`."""
    tree = ast.parse((ROOT / file).read_text())
    classes = [node for node in tree.body if isinstance(node, ast.ClassDef)]
    methods = {f"{one.name}::{name}" for one in classes for name in functions_of(one.body)}
    return functions_of(tree.body) | methods


def functions_of(body: list[ast.stmt]) -> set[str]:
    kinds = (ast.FunctionDef, ast.AsyncFunctionDef)
    return {node.name for node in body if isinstance(node, kinds)}
