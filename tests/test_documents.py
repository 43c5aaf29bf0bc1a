"""The documents are correct: their examples run as written, and the names in them exist."""

import ast
import asyncio
import os
import re
import shutil
import subprocess
import sys
import tomllib
from collections.abc import AsyncIterator, Iterator
from functools import partial
from pathlib import Path
from typing import Any, get_args

import aiohttp
import pytest

from handlers import SYSTEMS
from handlers.kit.errors import ALWAYS_POSSIBLE, Refusal
from handlers.kit.registry import load_domains
from handlers.platform.auth.contracts import SessionEnd
from run import main
from server.catalog.vocabulary import CONNECT_REFUSALS
from server.connection_gate import PROTOCOL as VERSION
from server.setting_values import variable_of
from server.settings import list_settings
from tests import test_architecture, test_systems
from tests.parts.launcher import start_anew
from tests.parts.source import parse
from tests.test_architecture import Tree
from tests.wire_client import Refused
from tests.world import PASSWORD, ROOT, Person, Process, environ_of, one_database

DOCUMENTS = sorted(
    [
        ROOT / "README.md",
        ROOT / "CONTRIBUTING.md",
        ROOT / "CHANGELOG.md",
        ROOT / "deploy" / "README.md",
        *ROOT.glob("docs/**/*.md"),
    ]
)
README = (ROOT / "README.md").read_text()
CONTRIBUTING = (ROOT / "CONTRIBUTING.md").read_text()
PROTOCOL = (ROOT / "docs" / "PROTOCOL.md").read_text()
DOMAINS = (ROOT / "docs" / "DOMAINS.md").read_text()
ARCHITECTURE = (ROOT / "docs" / "ARCHITECTURE.md").read_text()
DECISIONS = sorted(ROOT.glob("docs/adr/*.md"))
SOURCES = (
    *("run.py", "server", "handlers", "rooms", "storage", "static", "tests", "docs", "deploy"),
    *("pyproject.toml", "tsconfig.json", "package.json", "Makefile"),
    *("README.md", "CONTRIBUTING.md", "CHANGELOG.md"),
)
DETAILED = re.compile(r"raise (\w+)\([^()]*?details=")
LINKED = ("node_modules",)
FILE = re.compile(r"^`([\w/]+\.\w+)`\n\n```\w+\n(.*?)^```", re.MULTILINE | re.DOTALL)
EXAMPLE = re.compile(r"^<!-- example: (\S+) -->\n```\w+\n(.*?)^```", re.MULTILINE | re.DOTALL)
BLOCK = re.compile(r"^```.*?^```", re.MULTILINE | re.DOTALL)
CODE = re.compile(r"`([^`\n]+)`")
LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")
PATH = re.compile(
    r"(?<![\w/])(?:server|handlers|rooms|storage|static|scripts|docs|tests)/[\w./-]*"
    r"|run\.py|Makefile|requirements\.lock"
)
EXAMPLE_LINES_MAX = 19
ARCHITECTURE_LINES_MAX = 150
PAGE_LINES_MAX = 50
COMMAND_S = 100


def rows(text: str, head: str) -> Iterator[list[str]]:
    """The cells of the table whose first line begins with `head`."""
    lines = text[text.index(f"\n| {head}") + 1 :].splitlines()[2:]
    for line in lines:
        if not line.startswith("|"):
            return
        yield [cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]]


def coded(cell: str) -> list[str]:
    return CODE.findall(cell)


def is_example(path: str) -> bool:
    return "greeting" in path


# Names in the documents exist.


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda file: file.name)
def test_every_link_leads_somewhere(document: Path) -> None:
    for link in LINK.findall(BLOCK.sub("", document.read_text())):
        place, _, anchor = link.partition("#")
        if not place.startswith("http"):
            target = (document.parent / place).resolve() if place else document
            assert target.exists(), link
            assert not anchor or anchor in anchors(target), link


def anchors(document: Path) -> set[str]:
    """The anchors of a document's headings."""
    heads = re.findall(r"^#+ (.+)$", document.read_text(), re.MULTILINE)
    return {re.sub(r"[^\w -]", "", head.lower()).replace(" ", "-") for head in heads}


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda file: file.name)
def test_every_file_and_folder_that_is_named_is_there(document: Path) -> None:
    named = PATH.findall(BLOCK.sub("", document.read_text()))
    for path in {one.rstrip(".") for one in named if not is_example(one)}:
        assert (ROOT / path).exists(), path


def test_every_target_of_make_that_is_named_is_there() -> None:
    targets = set(re.findall(r"^(\w+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    named = {
        n for file in DOCUMENTS for n in re.findall(r"(?:`|^)make (\w+)", file.read_text(), re.M)
    }
    assert {"run", "test", "demo", "help"} <= named <= targets


def test_the_operators_commands_are_those_of_the_command_line() -> None:
    named = {coded(cells[0])[0].split()[0] for cells in rows(README, "command | what it does")}
    assert named == set(main.commands)
    for cells in rows(README, "command | what it does"):
        command, *words = coded(cells[0])[0].split()
        options = {word for word in words if word.startswith("--")}
        assert options <= {o for p in main.commands[command].params for o in p.opts}


def test_the_map_names_every_system_and_layer() -> None:
    folders = {path for cells in rows(README, "folder or file") for path in coded(cells[0])}
    assert {f"handlers/{one}/" for one in (*SYSTEMS, "kit")} <= folders
    assert {"run.py", "server/", "rooms/", "storage/", "static/client/", "tests/"} <= folders


@pytest.mark.parametrize("system", SYSTEMS)
def test_the_page_of_domains_lists_calls_between_domains(system: str) -> None:
    """A domain of the same system has its plain name, one of the platform `platform.<name>`."""
    head = f"{system} domain |"
    said = {coded(first)[0]: coded(calls) for first, _, calls in rows(DOMAINS, head)}
    called: dict[str, set[str]] = {domain: set() for domain in SYSTEMS[system]}
    tree = Tree(ROOT)
    for module in tree.modules:
        place = module.place
        for other in tree.places - {place} if place and place.system == system else ():
            if place and any(one.is_of(other.public) for one in module.imports):
                name = other.domain if other.system == system else str(other)
                called[place.domain].add(name)
    assert said == {domain: sorted(others) for domain, others in called.items()}


def test_the_settings_are_named_with_their_defaults() -> None:
    settings = list_settings(load_domains(SYSTEMS))
    known = {variable_of(setting.name): setting.default for setting in settings}
    for name, default, purpose in rows(README, "variable |"):
        expected = known[coded(name)[0]]
        expected = ", ".join(expected) if isinstance(expected, tuple) else expected
        assert default == ("–" if expected in ("", (), {}) else f"`{expected}`"), name
        assert purpose


def test_the_protocol_names_every_rate_with_its_default() -> None:
    texts = {"burst": "{} at once", "per_s": "then {:g} per second", "per_minute": "{} per minute"}
    declared = [
        (
            rate.name,
            ", ".join(texts[size].format(value) for size, value in rate.sizes.items()),
            rate.of,
            rate.counts,
        )
        for rate in load_domains(SYSTEMS).rates.values()
    ]
    named = [(coded(name)[0], *said) for name, *said in rows(PROTOCOL, "rate |")]
    assert named == declared


@pytest.mark.parametrize(
    ("head", "refusals"),
    [("code | what to do", CONNECT_REFUSALS), ("code | meaning", ALWAYS_POSSIBLE)],
)
def test_the_protocol_names_every_code(head: str, refusals: tuple[type, ...]) -> None:
    named = [coded(cells[0])[0] for cells in rows(PROTOCOL, head)]
    assert sorted(named) == sorted(refusal.CODE for refusal in refusals)


def test_the_protocol_names_every_reason_for_the_end_of_a_session() -> None:
    named = [coded(cells[0])[0] for cells in rows(PROTOCOL, "reason | what happened")]
    assert named == list(get_args(SessionEnd))


def test_the_protocol_names_every_kind_of_notification_and_card() -> None:
    registry = load_domains(SYSTEMS)
    named = [kind for cells in rows(PROTOCOL, "kind | data") for kind in coded(cells[0])]
    assert sorted(named) == sorted({rule.kind for d in registry.domains for rule in d.notices})
    assert all(f"The kind `{card}`" in PROTOCOL for card in registry.cards)


def test_the_protocol_names_the_details_of_every_refusal() -> None:
    named = {coded(cells[0])[0] for cells in rows(PROTOCOL, "code | details")}
    raised = {
        found[1]
        for file in (*ROOT.glob("handlers/**/*.py"), *ROOT.glob("server/**/*.py"))
        for found in DETAILED.finditer(file.read_text())
    }
    codes = {type(name, (Refusal,), {}).CODE for name in raised}
    assert codes - {"INVALID"} <= named


def test_the_protocol_states_its_version() -> None:
    latest = next(rows(PROTOCOL, "version | since"))
    assert latest[0] == str(VERSION)
    assert f"version {VERSION} of the protocol" in PROTOCOL
    assert f'"protocol": {VERSION},' in PROTOCOL


def test_every_promise_has_a_test_that_holds_it() -> None:
    promises = list(rows(README, "promise |"))
    assert len(promises) >= 10
    for promise, held_by in promises:
        tests = re.findall(r"`([\w/.]+)::(\w+)`", held_by)
        assert tests, promise
        for path, name in tests:
            assert name in names_of_tests(ROOT / path), f"{promise}: {path}::{name}"


def names_of_tests(file: Path) -> set[str]:
    """The names of the test functions in a file; empty if there is no such file."""
    tree = parse(file.read_text() if file.exists() else "")
    kinds = (ast.FunctionDef, ast.AsyncFunctionDef)
    names = {node.name for node in ast.walk(tree) if isinstance(node, kinds)}
    return {name for name in names if name.startswith("test_")}


def test_the_changelog_speaks_of_this_version() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert re.search(
        rf"^## .*{re.escape(project['version'])}", (ROOT / "CHANGELOG.md").read_text(), re.M
    )


def test_decisions_are_numbered_and_fit_on_a_page() -> None:
    assert [int(file.name[:4]) for file in DECISIONS] == list(range(1, len(DECISIONS) + 1))
    for file in DECISIONS:
        text = file.read_text()
        heads = re.findall(r"^## (.+)$", text, re.MULTILINE)
        assert heads == ["Context", "Decision", "Consequences"], file.name
        assert text.startswith(f"# {int(file.name[:4])}. ")
        assert len(text.splitlines()) <= PAGE_LINES_MAX, file.name
    assert len(ARCHITECTURE.splitlines()) <= ARCHITECTURE_LINES_MAX


# The instructions for additions, followed in a copy.


NOT_COPIED = shutil.ignore_patterns("*-pytest-*.pyc", "*.pyc.*")
"""Compiled files save time, except those of pytest and those that are being written."""


class Copy:
    """A copy of the sources, to which a document's files are added, and its server."""

    process: Process

    def __init__(self, root: Path) -> None:
        self.root = root
        root.mkdir()
        for source in SOURCES:
            whole = ROOT / source
            if whole.is_dir():
                shutil.copytree(whole, root / source, ignore=NOT_COPIED)
            else:
                shutil.copy(whole, root)
        for source in LINKED:
            (root / source).symlink_to(ROOT / source)
        self.added: list[Path] = []
        self.before = self._texts()

    def use(self, data_dir: Path) -> None:
        """Keep the data of commands and of the server in this folder from now on."""
        environ = environ_of(data_dir, f"sqlite:///{data_dir}/parley.db")
        self.process = Process(environ, data_dir, partial(start_anew, root=self.root))

    def add(self, document: str) -> None:
        """Write each file that a document contains, unchanged."""
        for path, text in FILE.findall(document):
            file = self.root / path
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(text)
            self.added.append(file)

    def edit(self, path: str, before: str, after: str) -> None:
        file = self.root / path
        assert before in file.read_text(), f"{path} has no {before!r}"
        file.write_text(file.read_text().replace(before, after))

    def follow_the_newest_migration(self) -> None:
        """Make the document's migration follow the newest one, like `make revision`."""
        folder = self.root / "storage" / "engine" / "migrations" / "versions"
        shown = folder / "2026_12_01_greetings.py"
        newest = max(file.stem for file in folder.glob("*.py") if file != shown)
        first = 'down_revision = "2026_11_29_parley_0_1_0"'
        shown.write_text(shown.read_text().replace(first, f'down_revision = "{newest}"'))

    def breaches(self) -> list[str]:
        """The violations of the rules and of the linter in the copy."""
        tree = Tree(self.root)
        rules = (*test_architecture.RULES, *test_systems.RULES)
        found = [breach for rule in rules for breach in rule(tree) if is_example(breach)]
        for check in (["check", "--quiet"], ["format", "--check", "--quiet"]):
            files = {str(file) for file in self.added if file.suffix == ".py"}
            found += self.run(sys.executable, "-m", "ruff", *check, *sorted(files))
        return found

    def run(self, *command: str) -> list[str]:
        """Run a command in the copy; returns its errors, empty if it succeeds."""
        done = subprocess.run(
            command,
            cwd=self.root,
            env={"PATH": os.environ["PATH"], **self.process.environ},
            capture_output=True,
            text=True,
            check=False,
            timeout=COMMAND_S,
        )
        said = done.stdout.splitlines() + done.stderr.splitlines()
        said = [" ".join(command), *said, f"exit code {done.returncode}"]
        return ["\n".join(said)] if done.returncode else []

    def changed(self) -> set[str]:
        """The paths of the repository's files that differ in the copy."""
        return {path for path, text in self._texts().items() if self.before.get(path, text) != text}

    def new(self) -> set[str]:
        return set(self._texts()) - set(self.before)

    def _texts(self) -> dict[str, bytes]:
        files = (file for file in self.root.rglob("*") if file.is_file())
        paths = {file.relative_to(self.root).as_posix(): file for file in files}
        return {path: file.read_bytes() for path, file in paths.items() if not is_made(path)}


def is_made(path: str) -> bool:
    """Whether a file is generated by running something, or is in a foreign folder."""
    return path.startswith((*LINKED, ".")) or "__pycache__" in path or "/." in path


def copy_with_the_readmes_domain(root: Path) -> Copy:
    made = Copy(root)
    made.use(root.parent / "data")
    made.add(README)
    made.edit("handlers/__init__.py", '"send",\n', '"send",\n        "greeting",\n')
    return made


@pytest.fixture
async def copy(tmp_path: Path) -> AsyncIterator[Copy]:
    made = copy_with_the_readmes_domain(tmp_path / "copy")
    yield made
    await made.process.close()


async def test_the_readmes_command_works_as_written(copy: Copy) -> None:
    shown = [text for path, text in FILE.findall(README)]
    lines = [line for text in shown for line in text.splitlines() if line.strip()]
    assert len(lines) <= EXAMPLE_LINES_MAX
    assert copy.breaches() == []
    process = await copy.process.start()
    ana = await process.sign_up("ana")
    answer = await ana.call("/greeting", "greet", user_id=ana.id)
    assert answer == {"text": "Hello, Ana!"}
    for payload, code in (({"user_id": "0" * 36}, "NOT_FOUND"), ({"who": 7}, "INVALID")):
        with pytest.raises(Refused) as refused:
            await ana.call("/greeting", "greet", **payload)
        assert refused.value.code == code
    assert "greet.asked" in (await catalog_of(process))["messages"]


async def text_of(url: str) -> str:
    async with aiohttp.ClientSession(raise_for_status=True) as http, http.get(url) as answer:
        return await answer.text()


async def catalog_of(process: Process) -> Any:
    async with aiohttp.ClientSession() as http:
        answer = await http.get(f"{process.url}/docs/asyncapi.json")
        return (await answer.json())["channels"]["greeting"]


async def test_the_whole_domain_of_contributing_works_as_written(whole: Copy) -> None:
    assert whole.breaches() == []
    process = await whole.process.start()
    page = await text_of(process.url)
    assert '<meta name="parley-systems" content="consulting platform platform/greeting">' in page
    assert "Say hello" in await text_of(f"{process.url}/client/platform/greeting/page.js")
    ana, ben = await process.sign_up("ana"), await process.sign_up("ben")
    await ana.enter("/greeting", since={f"user:{ana.id}": 0})
    assert await greeting(ana, "server") == {"user_id": ana.id, "times": 1}
    for _ in range(2):
        sent = await ben.call("/greeting", "send", user_id=ana.id, request_id="once")
        assert sent == {"user_id": ana.id, "text": "Hello, Ana!"}
    assert await greeting(ana, ben.id) == {"user_id": ana.id, "times": 2}
    assert len(ana.events("GREETING_SENT")) == 2
    with pytest.raises(Refused) as refused:
        await ana.call("/greeting", "send", user_id=ana.id)
    assert refused.value.code == "SELF_GREETING"


DERIVED = {"static/client/contracts.d.ts", "static/client/parley/declared.js", "docs/DOMAINS.md"}
"""The files that `make catalog` writes."""
TABLES = (
    "tests/platform/greeting",
    "tests/test_roles.py",
    "tests/test_strangers.py::test_every_command_that_takes_an_objects_id_is_in_the_sweep",
    *("tests/test_personal.py", "tests/test_messages.py", "tests/test_texts.py"),
    *("tests/test_waits.py", "tests/storage/test_limits.py", "tests/storage/test_schema.py"),
    "tests/storage/test_indexes.py::test_sqlite_finds_the_rows_by_an_index",
    "tests/storage/test_migrations.py::test_the_migrations_make_the_tables_that_are_declared",
    "tests/storage/test_migrations.py::test_keys_checks_and_defaults_are_those_that_are_declared",
    "tests/storage/test_upgrades.py"
    "::test_a_filled_database_of_a_release_is_upgraded_to_the_newest_schema",
    "tests/server/test_catalog.py::test_the_committed_files_are_those_of_the_code",
    "tests/test_documents.py::test_the_map_names_every_system_and_layer",
    "tests/test_documents.py::test_the_page_of_domains_lists_calls_between_domains",
)
"""The tests that check every domain, and those of the new one; `breaches` checks the rules."""


@pytest.fixture(scope="module")
def contributed(tmp_path_factory: pytest.TempPathFactory) -> Copy:
    """A copy with the domain of CONTRIBUTING, as a contributor would commit it."""
    made = copy_with_the_readmes_domain(tmp_path_factory.mktemp("contributed") / "copy")
    made.add(CONTRIBUTING)
    made.follow_the_newest_migration()
    made.edit("CHANGELOG.md", "# Changelog\n", "# Changelog\n\n- Users can greet each other.\n")
    assert made.run(sys.executable, "run.py", "catalog") == []
    return made


@pytest.fixture
async def whole(contributed: Copy, tmp_path: Path) -> AsyncIterator[Copy]:
    """The copy of all tests, with data of the test's own."""
    contributed.use(tmp_path / "data")
    yield contributed
    await contributed.process.close()


def test_a_new_domain_changes_the_table_of_contents_and_what_is_derived(whole: Copy, node):
    assert whole.changed() == {"handlers/__init__.py", "CHANGELOG.md", *DERIVED}
    assert {path for path in whole.new() if not is_example(path)} == set()
    assert len(whole.new()) == len({*whole.added})
    compiler = str(ROOT / "node_modules" / "typescript" / "bin" / "tsc")
    assert whole.run(sys.executable, "run.py", "demo") == []
    assert whole.run(str(node), compiler, "--noEmit", "-p", "tsconfig.json") == []
    assert whole.run(str(node), "--test", "tests/client/contracts.test.mjs") == []


def test_the_tests_of_all_domains_take_a_new_one_as_it_is(whole: Copy):
    chosen = "not postgresql and (greeting or not test_sqlite_finds_the_rows_by_an_index)"
    options = ("-p", "no:cacheprovider", "-k", chosen)
    assert whole.run(sys.executable, "-m", "pytest", *options, *TABLES) == []


async def greeting(person: Person, by: str) -> dict[str, object]:
    """The data of a greeting that a user received, without the sender."""
    heard = await person.event("GREETING_SENT", lambda data: data["greeted_by"] == by)
    return {name: value for name, value in heard.data.items() if name != "greeted_by"}


# The instructions for clients, followed as written.


@one_database
@pytest.mark.parametrize("example", EXAMPLE.findall(README), ids=lambda example: example[0])
async def test_the_readmes_clients_work_as_written(world, node, example, tmp_path) -> None:
    name, text = example
    ana = await world.sign_up("ana")
    if name.endswith(".py"):
        (tmp_path / name).write_text(text)
        command = [sys.executable, str(tmp_path / name)]
    else:
        command = [
            str(node),
            "--input-type=module",
            "-",
        ]  # resolves imports as if it were in the checkout
    client = await asyncio.create_subprocess_exec(
        *command,
        world.url,
        ana.email,
        PASSWORD,
        cwd=ROOT,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    told, errors = await client.communicate(text.encode())
    assert (told.decode(), errors.decode()) == ("2: Hello\n", "")


def test_there_is_an_example_for_each_way_of_use() -> None:
    assert [name for name, _ in EXAMPLE.findall(README)] == ["library.mjs", "bare.mjs", "hello.py"]
    assert "All three print `2: Hello`" in README
