"""The order of the tests, and the choice of their variants."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from tests.conftest import ON_BOTH, is_chosen
from tests.parts.order import in_order
from tests.world import both_databases, one_database


def item(path: str, *fixtures: str) -> Any:
    return SimpleNamespace(path=Path(path), fixturenames=fixtures)


def test_quick_modules_come_first_and_chaos_before_the_slow_ones(monkeypatch):
    monkeypatch.setenv("PYTEST_XDIST_WORKER_COUNT", "1")
    browser, process = item("browser/test_a.py"), item("server/test_b.py", "process_of")
    chaos, quick = item("chaos/test_c.py"), item("kit/test_d.py")
    served = item("server/test_e.py", "database_url")
    assert in_order([browser, process, chaos, quick, served]) == [
        quick,
        chaos,
        served,
        process,
        browser,
    ]


def test_a_module_stays_together_and_each_worker_begins_with_a_quick_one(monkeypatch):
    monkeypatch.setenv("PYTEST_XDIST_WORKER_COUNT", "2")
    slow = [item("server/test_s.py", "process_of"), item("server/test_s.py")]
    quick = [item("kit/test_q.py"), item("kit/test_r.py")]
    assert in_order([*slow, *quick]) == [quick[0], *slow, quick[1]]


def variant(kind: str, path: Path, *marks: Any) -> Any:
    found = [mark.mark for mark in marks]

    def iter_markers(name: str) -> list[Any]:
        return [one for one in found if one.name == name]

    return SimpleNamespace(
        path=path,
        callspec=SimpleNamespace(params={"database_kind": kind}),
        iter_markers=iter_markers,
        get_closest_marker=lambda name: next(iter(iter_markers(name)), None),
    )


@pytest.mark.parametrize(
    ("kind", "path", "marks", "is_run"),
    [
        ("sqlite", Path("a.py"), (), True),
        ("postgresql", Path("a.py"), (), False),
        ("postgresql", Path("a.py"), (both_databases,), True),
        ("postgresql", Path("a.py"), (one_database,), True),
        ("postgresql", ON_BOTH[0] / "test_a.py", (), True),
    ],
)
def test_postgresql_runs_where_it_can_make_a_difference(kind, path, marks, is_run):
    assert is_chosen(variant(kind, path, *marks)) is is_run
