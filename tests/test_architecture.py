"""Checks the source against the rules on layers, imports, sizes and names."""

import ast
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import NamedTuple

import pytest

from tests.parts.source import parse
from tests.private_parts import private_uses

ROOT = Path(__file__).parent.parent
LAYERS = ("storage", "rooms", "handlers", "server", "run")
"""From the lowest to the highest: each may import itself and those before it."""
SOURCES = ("run.py", "server", "handlers", "rooms", "storage")
SCRIPTS = ("js", "mjs", "css", "html")
FORBIDDEN_NAMES = {"utils", "helpers", "manager", "base", "common", "misc"}
KERNEL = {"kit", "engine", "events", "objects"}
"""The folders of `handlers/` and `storage/` other than systems."""
DISPATCH_MUST_NOT_KNOW = ("aiohttp", "socketio", "engineio", "server.socket", "server.transport")
INTERNALS = re.compile(r"server\.(\w+)_internals")
FILE_LINES_MAX = 400
TEST_FILE_LINES_MAX = 600
LINE_LENGTH_MAX = 100
FUNCTION_LINES_MAX = 60
COMMAND_STATEMENTS_MAX = 5


class Place(NamedTuple):
    """A domain and its system."""

    system: str
    domain: str

    def __str__(self) -> str:
        return f"{self.system}.{self.domain}"

    @property
    def package(self) -> str:
        return f"handlers.{self}"

    @property
    def contracts(self) -> str:
        return f"{self.package}.contracts"

    @property
    def public(self) -> str:
        return f"{self.package}.public"

    @property
    def tables(self) -> str:
        return f"storage.{self}"


@dataclass(frozen=True)
class Import:
    """One name that a module imports, as its full dotted name."""

    name: str
    line: int

    def is_of(self, package: str) -> bool:
        return self.name == package or self.name.startswith(package + ".")


class Module:
    """One Python file of a tree."""

    def __init__(self, root: Path, file: Path) -> None:
        self.file = file
        self.path = file.relative_to(root).as_posix()
        self.text = file.read_text()
        parts = list(file.relative_to(root).with_suffix("").parts)
        self.is_package = parts[-1] == "__init__"
        self.name = ".".join(parts[:-1] if self.is_package else parts)
        self.layer = parts[0]
        self.is_revision = "migrations/versions" in self.path

    @cached_property
    def tree(self) -> ast.Module:
        return parse(self.text, self.path)

    @property
    def place(self) -> Place | None:
        """The domain that the file belongs to."""
        layer, *parts = self.path.split("/")
        known = layer == "handlers" and len(parts) > 2 and parts[0] not in KERNEL
        return Place(parts[0], parts[1]) if known else None

    @property
    def folder(self) -> str | None:
        """The folder of `handlers/` or `storage/` that contains the file."""
        layer, *parts = self.path.split("/")
        return parts[0] if layer in ("handlers", "storage") and len(parts) > 1 else None

    @cached_property
    def imports(self) -> list[Import]:
        """All imports, including those inside functions and for type checking only."""
        found = []
        for node in ast.walk(self.tree):
            if isinstance(node, ast.Import):
                found += [Import(alias.name, node.lineno) for alias in node.names]
            elif isinstance(node, ast.ImportFrom):
                source = self._source_of(node)
                found += [Import(f"{source}.{alias.name}", node.lineno) for alias in node.names]
        return found

    def _source_of(self, node: ast.ImportFrom) -> str:
        if not node.level:
            return node.module or ""
        package = self.name.split(".") if self.is_package else self.name.split(".")[:-1]
        kept = package[: len(package) - node.level + 1]
        return ".".join([*kept, *([node.module] if node.module else [])])

    @cached_property
    def functions(self) -> list[ast.FunctionDef | ast.AsyncFunctionDef]:
        kinds = (ast.FunctionDef, ast.AsyncFunctionDef)
        return [node for node in ast.walk(self.tree) if isinstance(node, kinds)]

    def registered(self, how: str) -> list[ast.FunctionDef | ast.AsyncFunctionDef]:
        """The functions under `@<domain>.command(…)` or `@<domain>.consumer(…)`."""
        mark = f"{self.place.domain}.{how}" if self.place else ""
        return [
            function
            for function in self.functions
            if mark and any(ast.unparse(one).startswith(mark) for one in _marks(function))
        ]

    def at(self, line: int, what: str) -> str:
        return f"{self.path}:{line}: {what}"


class Tree:
    """The files below a folder to which the rules apply."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.modules = [Module(root, file) for file in self._files(SOURCES, "py")]
        self.tests = [Module(root, file) for file in self._files(("tests",), "py")]
        self.scripts = [file for end in SCRIPTS for file in self._files(("static",), end)]
        self.test_scripts = [file for end in SCRIPTS for file in self._files(("tests",), end)]
        self.places = {module.place for module in self.modules if module.place}
        self.systems = {module.folder for module in self.modules if module.folder} - KERNEL

    def system_of(self, name: str) -> str | None:
        """The system of a module, by its dotted name; None for other modules."""
        layer, *parts = name.split(".")
        known = layer in ("handlers", "storage") and parts and parts[0] in self.systems
        return parts[0] if known else None

    def _files(self, places: tuple[str, ...], end: str) -> list[Path]:
        found: list[Path] = []
        for place in places:
            path = self.root / place
            found += [path] if path.is_file() else sorted(path.rglob(f"*.{end}"))
        return found


def _marks(function: ast.FunctionDef | ast.AsyncFunctionDef) -> list[ast.expr]:
    return function.decorator_list


Rule = Callable[[Tree], Iterator[str]]


def imports_never_go_upward(tree: Tree) -> Iterator[str]:
    for module in tree.modules:
        above = LAYERS[LAYERS.index(module.layer) + 1 :]
        for one in module.imports:
            if any(one.is_of(layer) for layer in above):
                yield module.at(one.line, f"{module.layer} imports {one.name}, which is above it")


def the_environment_has_one_reader(tree: Tree) -> Iterator[str]:
    for module in tree.modules:
        for node in ast.walk(module.tree):
            read = isinstance(node, ast.Attribute) and node.attr in ("environ", "getenv")
            if read and ast.unparse(node).startswith("os.") and module.name != "server.settings":
                yield module.at(node.lineno, "only server/settings.py reads the environment")


def dispatching_knows_no_transport(tree: Tree) -> Iterator[str]:
    for module in tree.modules:
        if module.name == "server.dispatch":
            for one in module.imports:
                if any(map(one.is_of, DISPATCH_MUST_NOT_KNOW)):
                    yield module.at(one.line, f"dispatch imports {one.name}")


def files_are_short(tree: Tree) -> Iterator[str]:
    texts = [(module.path, module.text) for module in tree.modules if not module.is_revision]
    texts += [(str(file.relative_to(tree.root)), file.read_text()) for file in tree.scripts]
    yield from _too_long(texts, FILE_LINES_MAX)
    texts = [(module.path, module.text) for module in tree.tests]
    texts += [(str(file.relative_to(tree.root)), file.read_text()) for file in tree.test_scripts]
    yield from _too_long(texts, TEST_FILE_LINES_MAX)


def _too_long(texts: list[tuple[str, str]], lines_max: int) -> Iterator[str]:
    for path, text in texts:
        lines = text.count("\n")
        if lines > lines_max:
            yield f"{path}:{lines_max + 1}: {lines} lines, at most {lines_max}"


def lines_are_short(tree: Tree) -> Iterator[str]:
    files = [module.file for module in (*tree.modules, *tree.tests)]
    for file in (*files, *tree.scripts, *tree.test_scripts):
        for number, line in enumerate(file.read_text().splitlines(), 1):
            if len(line) > LINE_LENGTH_MAX:
                yield f"{file.relative_to(tree.root)}:{number}: {len(line)} characters"


def functions_are_short(tree: Tree) -> Iterator[str]:
    for module in (*tree.modules, *tree.tests):
        for function in module.functions:
            lines = (function.end_lineno or function.lineno) - function.lineno + 1
            if lines > FUNCTION_LINES_MAX:
                yield module.at(function.lineno, f"{function.name} has {lines} lines")


def commands_are_doors(tree: Tree) -> Iterator[str]:
    for module in tree.modules:
        for function in module.registered("command"):
            body = function.body[1:] if ast.get_docstring(function) else function.body
            count = sum(isinstance(node, ast.stmt) for one in body for node in ast.walk(one))
            if count > COMMAND_STATEMENTS_MAX:
                yield module.at(function.lineno, f"{function.name} has {count} statements")


def names_say_something(tree: Tree) -> Iterator[str]:
    for module in (*tree.modules, *tree.tests):
        for part in FORBIDDEN_NAMES.intersection(module.name.split(".")):
            yield module.at(1, f"{part} says nothing")


def everything_says_its_purpose(tree: Tree) -> Iterator[str]:
    for module in (*tree.modules, *tree.tests):
        if module.text.strip() and not ast.get_docstring(module.tree):
            yield module.at(1, "a module has a docstring")
    for module in tree.modules:
        for function in (*module.registered("command"), *module.registered("consumer")):
            if not ast.get_docstring(function):
                yield module.at(function.lineno, f"{function.name} has no docstring")


def revisions_stand_alone(tree: Tree) -> Iterator[str]:
    """Later changes of the code must not change a migration, and there are no downgrades."""
    for module in tree.modules:
        if module.is_revision:
            for one in module.imports:
                if any(map(one.is_of, (*LAYERS, "tests"))):
                    yield module.at(one.line, f"a revision imports {one.name}")
            for function in module.functions:
                if function.name == "downgrade":
                    yield module.at(function.lineno, "a revision only goes forward")


def private_parts_of_libraries_are_gathered(tree: Tree) -> Iterator[str]:
    """Only `server/<library>_internals.py` uses undocumented parts of that library."""
    for module in tree.modules:
        imported = [(one.name, one.line) for one in module.imports]
        gathers = INTERNALS.fullmatch(module.name)
        for line, library, what in private_uses(module.tree, imported):
            if gathers is None or library not in ("", gathers[1]):
                yield module.at(line, f"{what} is private")


RULES: tuple[Rule, ...] = (
    imports_never_go_upward,
    the_environment_has_one_reader,
    dispatching_knows_no_transport,
    files_are_short,
    lines_are_short,
    functions_are_short,
    commands_are_doors,
    names_say_something,
    everything_says_its_purpose,
    revisions_stand_alone,
    private_parts_of_libraries_are_gathered,
)


@pytest.fixture(scope="module")
def parley() -> Tree:
    return Tree(ROOT)


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.__name__)
def test_the_source_follows_the_rule(rule: Rule, parley: Tree) -> None:
    breaches = list(rule(parley))
    assert not breaches, f"{rule.__name__} is broken:\n" + "\n".join(breaches)


def test_the_rules_cover_all_layers(parley: Tree) -> None:
    assert {module.layer for module in parley.modules} == set(LAYERS)
    assert sum(len(module.registered("command")) for module in parley.modules) >= 8


LONG = "x = 1\n"
BREACHES: dict[Rule, list[dict[str, str]]] = {
    imports_never_go_upward: [
        {"storage/a.py": "from rooms import names"},
        {"rooms/a.py": "import handlers.kit"},
        {"handlers/a.py": "def f():\n    from server.app import App"},
        {"server/a.py": "import run"},
    ],
    the_environment_has_one_reader: [{"rooms/a.py": "import os\nx = os.environ['X']"}],
    dispatching_knows_no_transport: [{"server/dispatch.py": "from aiohttp import web"}],
    files_are_short: [
        {"rooms/a.py": LONG * 401},
        {"static/client/a.js": LONG * 401},
        {"tests/test_a.py": LONG * 601},
    ],
    lines_are_short: [{"rooms/a.py": "#" * 101}, {"tests/a.mjs": "/" * 101}],
    functions_are_short: [{"rooms/a.py": "def f():\n" + "    x = 1\n" * 60}],
    commands_are_doors: [
        {
            "handlers/s/a/commands.py": "@a.command()\nasync def f(ctx, ask):\n    'F.'\n"
            "    if x:\n" + "        y = 1\n" * 5
        }
    ],
    names_say_something: [
        {"rooms/utils.py": "'A.'"},
        {"handlers/s/a/common/x.py": "'A.'"},
        {"tests/helpers.py": "'A.'"},
    ],
    everything_says_its_purpose: [
        {"rooms/a.py": "x = 1"},
        {"handlers/s/a/commands.py": "'A.'\n@a.command()\nasync def f(ctx, ask): ..."},
        {"handlers/s/a/consumers.py": "'A.'\n@a.consumer(E)\ndef f(tx, e): ..."},
    ],
    revisions_stand_alone: [
        {"storage/engine/migrations/versions/1.py": "'M.'\nimport storage.engine.columns"},
        {"storage/engine/migrations/versions/1.py": "'M.'\nfrom storage.engine import columns"},
        {"storage/engine/migrations/versions/1.py": "'M.'\ndef f():\n    import handlers.kit"},
        {"storage/engine/migrations/versions/1.py": "'M.'\nfrom ..env import context"},
        {"storage/engine/migrations/versions/1.py": "'M.'\ndef downgrade(): ..."},
    ],
    private_parts_of_libraries_are_gathered: [
        {"server/a.py": "from aiohttp._websocket.reader import WebSocketReader"},
        {"server/a.py": "from aiohttp.http import WebSocketReader"},
        {"server/a.py": "from aiohttp import web\nmake = web.RequestHandler"},
        {"server/a.py": "import engineio\ndriver = engineio.AsyncServer()._async"},
        {
            "server/a.py": "import engineio\nclass A(engineio.AsyncServer):\n"
            "    def f(self): return self._async"
        },
        {
            "server/a.py": "from engineio import AsyncServer\nclass A(AsyncServer):\n"
            "    async def _handle_connect(self, environ): ..."
        },
        {
            "server/a.py": "from server.engineio_internals import EngineServer\n"
            "class A(EngineServer):\n    def f(self): self._bad_request()"
        },
        {"storage/a.py": "def f(connection): return connection._conn"},
        {"server/aiohttp_internals.py": "from engineio.packet import Packet"},
    ],
}


def planted(files: dict[str, str], root: Path) -> Tree:
    """A tree of files, given by their paths."""
    for path, text in files.items():
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_text(text)
    return Tree(root)


@pytest.mark.parametrize(
    ("rule", "files"),
    [(rule, files) for rule, trees in BREACHES.items() for files in trees],
    ids=[f"{rule.__name__}-{n}" for rule, trees in BREACHES.items() for n in range(len(trees))],
)
def test_a_violation_is_found(rule: Rule, files: dict[str, str], tmp_path: Path) -> None:
    (breach,) = rule(planted(files, tmp_path))
    assert breach.startswith(next(iter(files)))


def test_every_rule_has_a_sample_violation() -> None:
    assert set(BREACHES) == set(RULES)


def test_allowed_code_breaks_no_rule(tmp_path: Path) -> None:
    allowed = {
        "handlers/s/a/service.py": "'A.'\nfrom handlers.s.b import public\nimport storage.s.a",
        "server/app.py": "'S.'\nfrom handlers.s.a import public\nimport rooms.rooms",
        "server/aiohttp_internals.py": "'S.'\nfrom aiohttp.http import WebSocketReader",
        "storage/engine/migrations/versions/1.py": "'M.'\nimport alembic\n" + LONG * 500,
    }
    tree = planted(allowed, tmp_path)
    assert [breach for rule in RULES for breach in rule(tree)] == []
