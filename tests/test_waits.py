"""Every wait ends: it has a timeout, or a reason here.

This checks waits for events, queues, locks, processes and tasks, and looks for a timeout in the
same function. It cannot see the waits behind a plain `await` of a future or of another function.
"""

import ast
from collections.abc import Iterator
from pathlib import Path

from tests.bounds import waits_of_domains
from tests.parts.source import parse

ROOT = Path(__file__).parents[1]
LAYERS = ("server", "handlers", "rooms", "storage")
WAITS = {"wait", "get", "acquire", "join", "shield", "gather"}
"""The waiting methods of events, queues, semaphores, processes and tasks."""

OPERATOR = "the operator's word, or the end of the process"
THE_BOUND = "it is the bound itself"
REASONS = {
    "rooms/redis_client.py:_send_batches": "it waits for work",
    "rooms/redis_client.py:_send": "its caller has the bound",
    "rooms/redis_shards.py:_close_all": "each connection limits the time of its closing",
    "server/drain.py:_leave": OPERATOR,
    "server/drain.py:obey": OPERATOR,
    "server/relay.py:_work": "workers before it are bounded by their transactions and `within_s`",
    "server/relay.py:idle": "only tests and the demo wait for it",
    "server/sandbox/child.py:start": "ending a process has a time",
    "server/sandbox/sandbox.py:_do": "ending and starting a process have a time",
    "server/sandbox/sandbox.py:_ready": "starting a process has a time",
    "server/sandbox/sandbox.py:stop": "each of its tasks has a time",
    "storage/engine/postgres.py:_commit": THE_BOUND,
    "storage/engine/sqlite_readers.py:run": THE_BOUND,
    "storage/objects/folder.py:_opened": "a thread opens a file, which no work of others delays",
    "storage/engine/waiting.py:enter": "at once: none of them is locked",
    "storage/engine/sqlite_readers.py:stop": "`SqliteDatabase.stop` has the bound",
    **waits_of_domains(),
}
"""File and function → what ends the wait. The waits of a domain are in its own tests."""


def bounded(node: ast.AsyncWith) -> bool:
    """Whether it is an `async with asyncio.timeout(…)`, possibly with others."""
    return any("timeout(" in ast.unparse(item.context_expr) for item in node.items)


def waits_in(tree: ast.AST, function: str = "", within: bool = False) -> Iterator[tuple[str, str]]:
    """(function, awaited call) of each wait without a timeout in its function."""
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield from waits_in(node, node.name)
            continue
        if isinstance(node, ast.AsyncWith):
            inside = within or bounded(node)
            for item in node.items:
                # An entered object that is not a call is a lock or a semaphore.
                if not inside and isinstance(item.context_expr, ast.Name | ast.Attribute):
                    yield function, f"async with {ast.unparse(item.context_expr)}"
            yield from waits_in(node, function, inside)
            continue
        if isinstance(node, ast.Await) and not within and is_wait(node.value):
            yield function, ast.unparse(node.value)
        yield from waits_in(node, function, within)


def is_wait(call: ast.expr) -> bool:
    if not isinstance(call, ast.Call) or any(one.arg == "timeout" for one in call.keywords):
        return False
    name = call.func.attr if isinstance(call.func, ast.Attribute) else ""
    own = isinstance(call.func, ast.Attribute) and ast.unparse(call.func.value) == "asyncio"
    return name in WAITS and (own or not call.args)


def found() -> dict[str, str]:
    waits = {}
    for layer in LAYERS:
        for path in sorted((ROOT / layer).rglob("*.py")):
            for function, what in waits_in(parse(path.read_text())):
                waits[f"{path.relative_to(ROOT)}:{function}"] = what
    return waits


def test_every_wait_has_a_bound_or_a_reason():
    waits = found()
    new = {place: what for place, what in waits.items() if place not in REASONS}
    assert new == {}, "add an `asyncio.timeout`, or declare what ends the wait"
    assert set(REASONS) - set(waits) == set(), "these waits have a timeout now, or do not exist"
