"""SQLAlchemy Core statements, compiled once for SQLite: SQL text, value binders, row readers."""

from collections.abc import Callable
from functools import partial
from operator import itemgetter
from typing import Any, cast

from sqlalchemy import Boolean, Executable, TypeDecorator
from sqlalchemy.dialects.sqlite import pysqlite
from sqlalchemy.sql.compiler import SQLCompiler

DIALECT = pysqlite.dialect()
PLANS_MAX = 2_000

Convert = Callable[[Any], Any]
_plans: dict[tuple[int, tuple[str, ...]], "Plan"] = {}


class Plan:
    """One statement with one set of value names, ready for sqlite3."""

    __slots__ = (
        "_compiled",
        "_constants",
        "_converts",
        "_expands",
        "_readers",
        "_sql",
        "_take",
        "statement",
    )

    def __init__(self, statement: Executable, names: tuple[str, ...]) -> None:
        self.statement = statement  # keeps the statement alive, so that its id stays unique
        columns = list(names) if getattr(statement, "is_insert", False) else None
        compiled: SQLCompiler = cast(Any, statement).compile(dialect=DIALECT, column_keys=columns)
        self._compiled = compiled
        self._sql: str = compiled.string
        self._expands = bool(compiled.post_compile_params)
        places = list(compiled.positiontup or ())
        self._take = _taker(places)
        self._constants = {n: compiled.params[n] for n in places if n not in names}
        converts = enumerate(_binder(compiled, name) for name in places)
        self._converts = [(place, convert) for place, convert in converts if convert is not None]
        readers = _readers(statement)
        self._readers = readers if any(readers) else None
        _check_names(statement, compiled, names)

    def bind(self, values: dict[str, Any]) -> tuple[str, list[Any]]:
        """The SQL and its positional parameters for `values`."""
        if self._expands:
            return self._expand(values)
        bound = self._take({**self._constants, **values} if self._constants else values)
        for place, convert in self._converts:
            value = bound[place]
            if value is not None:
                bound[place] = convert(value)
        return self._sql, bound

    def _expand(self, values: dict[str, Any]) -> tuple[str, list[Any]]:
        """Expand each list into one parameter for each element."""
        given = {**self._compiled.params, **values}
        for name, value in given.items():
            convert = _binder(self._compiled, name)
            if convert is None or value is None:
                continue
            listed = self._compiled.binds[name].expanding
            given[name] = [convert(one) for one in value] if listed else convert(value)
        state = self._compiled.construct_expanded_state(given)
        return state.statement, [state.parameters[n] for n in state.positiontup or ()]

    def read(self, row: tuple[Any, ...]) -> tuple[Any, ...] | list[Any]:
        """A row with its values converted to Python types."""
        if self._readers is None:
            return row
        return [
            value if convert is None else convert(value)
            for value, convert in zip(row, self._readers, strict=True)
        ]


def plan_for(statement: Executable, values: dict[str, Any]) -> Plan:
    """The plan of `statement` for these value names, compiled on its first use."""
    key = (id(statement), tuple(values))
    plan = _plans.get(key)
    if plan is None:
        if len(_plans) >= PLANS_MAX:
            raise RuntimeError("build statements once, at import, and not in each call")
        plan = _plans[key] = Plan(statement, key[1])
    return plan


def _taker(names: list[str]) -> Callable[[dict[str, Any]], list[Any]]:
    """A function that picks the values of `names` from a dictionary, in their order."""
    if len(names) < 2:
        return lambda values: [values[name] for name in names]
    pick = itemgetter(*names)
    return lambda values: list(pick(values))


def _binder(compiled: SQLCompiler, name: str) -> Convert | None:
    """The conversion of a value (not None) for sqlite3; None if it needs none, such as a bool."""
    kind = compiled.binds[name].type.dialect_impl(DIALECT)
    if isinstance(kind, TypeDecorator) and kind.impl_instance.bind_processor(DIALECT) is None:
        return partial(kind.process_bind_param, dialect=DIALECT)
    return None if isinstance(kind, Boolean) else kind.bind_processor(DIALECT)


def _readers(statement: Executable) -> list[Convert | None]:
    columns = getattr(statement, "exported_columns", ())
    return [column.type.dialect_impl(DIALECT).result_processor(DIALECT, None) for column in columns]


def _check_names(statement: Executable, compiled: SQLCompiler, names: tuple[str, ...]) -> None:
    """Raises TypeError for an unknown or missing value, which is a bug on either database."""
    unknown = set(names) - set(compiled.binds)
    if unknown:
        raise TypeError(f"values {sorted(unknown)} are not in the statement: {statement}")
    required = {name for name, bind in compiled.binds.items() if bind.required}
    if required - set(names):
        raise TypeError(f"values {sorted(required - set(names))} are missing: {statement}")
