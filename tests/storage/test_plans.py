"""Statements are compiled once, and a value with a wrong name raises an error."""

from datetime import timedelta

import pytest
from sqlalchemy import bindparam, literal, select, update

from storage.engine import plans
from storage.events.timers import timers
from tests.storage.scratch import NOW, put

BY_KEY = select(timers.c.key).where(timers.c.key == bindparam("of_key"))
MOVE = update(timers).where(timers.c.key == bindparam("of_key")).values(due_at=bindparam("due"))
MOVE_ANY = (
    update(timers)
    .where(timers.c.key.in_(bindparam("some", expanding=True)))
    .values(due_at=bindparam("later"))
)
DUE_AT = select(timers.c.key).where(timers.c.due_at == bindparam("at"))
DUE_AT_ANY = select(timers.c.key).where(timers.c.due_at.in_(bindparam("at", expanding=True)))
ANY_OF = select(timers.c.key).where(timers.c.key.in_(bindparam("some", expanding=True)))
INSERT = timers.insert()
ROW = {"key": "a", "due_at": NOW, "name": "N", "data": "{}"}


@pytest.mark.parametrize(
    ("statement", "values"),
    [
        (BY_KEY, {"of_kye": "a"}),
        (BY_KEY, {"of_key": "a", "more": 1}),
        (MOVE, {"of_key": "a", "duo": NOW}),
        (MOVE, {"of_key": "a", "due": NOW, "name": "x"}),
        (INSERT, {**ROW, "nmae": "x"}),
    ],
    ids=["misspelt", "surplus", "misspelt new value", "other column", "unknown column"],
)
async def test_an_unknown_value_raises_an_error(database, statement, values):
    with pytest.raises(Exception, match=r"value|name|kye|more|duo|nmae"):
        await database.transact(lambda queries: queries.run(statement, **values))


@pytest.mark.parametrize(
    ("statement", "values"),
    [(BY_KEY, {}), (MOVE, {"of_key": "a"}), (MOVE, {"due": NOW}), (ANY_OF, {})],
    ids=["only value", "new value", "key of the row", "list"],
)
async def test_a_missing_value_raises_an_error(database, statement, values):
    await database.transact(lambda queries: put(queries, "a"))
    with pytest.raises(Exception, match=r"value|of_key|due|some"):
        await database.transact(lambda queries: queries.run(statement, **values))


async def test_a_list_of_values_can_have_any_length(database):
    for key in "abc":
        await database.transact(lambda queries, k=key: put(queries, k))

    def among(*some: str):
        return lambda queries: set(queries.scalars(ANY_OF, some=list(some)))

    assert await database.read(among()) == set()
    assert await database.read(among("a", "x")) == {"a"}
    assert await database.read(among("a", "b", "c")) == {"a", "b", "c"}


async def test_values_beside_a_list_are_passed_correctly(database):
    await database.transact(lambda queries: queries.run(INSERT, **ROW))
    later = NOW + timedelta(hours=1)
    await database.transact(lambda queries: queries.run(MOVE_ANY, some=["a", "b"], later=later))
    assert await database.read(lambda queries: queries.scalars(DUE_AT, at=later)) == ["a"]
    assert await database.read(lambda queries: queries.scalars(DUE_AT_ANY, at=[later])) == ["a"]


async def test_values_are_read_back_unchanged(database):
    await database.transact(lambda queries: queries.run(INSERT, **ROW))
    (row,) = await database.read(lambda queries: queries.all(tuple_of, select(timers)))
    assert row == ("a", NOW, "N", "{}")


def tuple_of(*values):
    return values


async def test_run_many_runs_once_for_each_row(database):
    rows = [{**ROW, "key": key} for key in "abc"]
    await database.transact(lambda queries: queries.run_many(INSERT, rows))
    await database.transact(lambda queries: queries.run_many(INSERT, []))
    assert await database.read(lambda queries: len(queries.scalars(select(timers.c.key)))) == 3


def test_statements_that_are_built_on_each_call_are_detected(monkeypatch):
    monkeypatch.setattr(plans, "_plans", {})
    monkeypatch.setattr(plans, "PLANS_MAX", 3)
    built = [select(literal(n)) for n in range(4)]
    for statement in built[:3]:
        assert plans.plan_for(statement, {}) is plans.plan_for(statement, {})
    with pytest.raises(RuntimeError, match="once, at import"):
        plans.plan_for(built[3], {})
