"""The rules for systems and domains: allowed imports, and complete registration.

The kernel knows no system. The platform knows no other system, and other systems know only the
platform. Domains use each other only by contracts and public calls, and only their own tables.
"""

import ast
import posixpath
import re
from collections.abc import Iterator
from graphlib import CycleError, TopologicalSorter
from itertools import pairwise
from pathlib import Path

import pytest

from handlers import READERS, SYSTEMS
from handlers.kit.registry import DEMO, PARTS, PLATFORM
from tests.test_architecture import KERNEL, ROOT, Place, Rule, Tree, planted

CONTRACTS_MAY_IMPORT = ("handlers.kit", "rooms.names", "msgspec", "typing", "datetime")
PAGE = "static/client/"
FRAME_FOLDERS = ("parley", "parts")
"""Folders of the page that belong to no system."""
IMPORTED_AT_ONCE = re.compile(r"""^(?:import|export|\})[^"'(]*["'](\.[^"']+)["'];""", re.M)
"""A static import in a script; pages that load on demand use `import()`."""


def the_kernel_knows_no_system(tree: Tree) -> Iterator[str]:
    """The kernel does not depend on the systems that use it."""
    for module in tree.modules:
        if module.layer in ("handlers", "rooms", "storage") and not tree.system_of(module.name):
            for one in module.imports:
                if tree.system_of(one.name):
                    yield module.at(one.line, f"the kernel imports {one.name}")


def systems_stand_on_the_platform_alone(tree: Tree) -> Iterator[str]:
    """The rule applies to code and to tables."""
    for module in tree.modules:
        own = tree.system_of(module.name)
        for one in module.imports if own else []:
            if tree.system_of(one.name) not in (None, own, PLATFORM):
                yield module.at(one.line, f"{own} imports {one.name}")


def pages_stand_on_the_platform_alone(tree: Tree) -> Iterator[str]:
    """The frame loads a system's pages on demand, none of them at its start."""
    for file in tree.scripts:
        path, text = file.relative_to(tree.root).as_posix(), file.read_text()
        own = _system_of_page(path)
        for found in IMPORTED_AT_ONCE.finditer(text):
            other = _system_of_page(posixpath.join(posixpath.dirname(path), found[1]))
            if other and other != own and (own is None or other != PLATFORM):
                line = text.count("\n", 0, found.end()) + 1
                yield f"{path}:{line}: {own or 'the frame'} imports {found[1]}"


def _system_of_page(path: str) -> str | None:
    """The system of a page file; None for files of the frame."""
    folder, *inside = posixpath.normpath(path).removeprefix(PAGE).split("/")
    return folder if inside and folder not in FRAME_FOLDERS else None


def neighbours_are_met_at_contracts_or_public(tree: Tree) -> Iterator[str]:
    for module in tree.modules:
        for one in module.imports if module.place else []:
            for other in tree.places - {module.place}:
                met = one.is_of(other.contracts) or one.is_of(other.public)
                if one.is_of(other.package) and not met:
                    yield module.at(one.line, f"{one.name} is neither contracts nor public")


def tables_are_touched_by_their_domain_alone(tree: Tree) -> Iterator[str]:
    for module in tree.modules:
        for one in module.imports:
            for place in tree.places - {module.place}:
                own = f"{module.name}.".startswith(f"{place.tables}.")
                if one.is_of(place.tables) and not own:
                    yield module.at(one.line, f"{one.name} is of {place.package} alone")


def tables_have_a_domain(tree: Tree) -> Iterator[str]:
    """Modules in `storage/<system>/` have the name of their domain."""
    for module in tree.modules:
        layer, *parts = module.name.split(".")
        of_system = layer == "storage" and tree.system_of(module.name) and len(parts) > 1
        if of_system and Place(parts[0], parts[1]) not in tree.places:
            yield module.at(1, f"there is no domain handlers/{parts[0]}/{parts[1]}")


def everything_is_the_kernels_or_a_systems(tree: Tree) -> Iterator[str]:
    for module in tree.modules:
        if module.layer in ("handlers", "storage") and not module.folder and not module.is_package:
            yield module.at(1, "it is neither in a folder of the kernel nor in a system")


def contracts_import_only_what_contracts_may(tree: Tree) -> Iterator[str]:
    others = tuple(place.contracts for place in tree.places)
    for module in tree.modules:
        if module.place and module.name.startswith(module.place.contracts):
            for one in module.imports:
                if not any(map(one.is_of, (*CONTRACTS_MAY_IMPORT, *others))):
                    yield module.at(one.line, f"contracts import {one.name}")


def public_calls_form_no_circle(tree: Tree) -> Iterator[str]:
    """Domain a calls domain b if any of its files imports b's `public`."""
    calls: dict[Place, dict[Place, str]] = {place: {} for place in sorted(tree.places)}
    for module in tree.modules:
        for other in tree.places - {module.place} if module.place else ():
            for one in module.imports:
                if module.place and one.is_of(other.public):
                    calls[module.place].setdefault(other, module.at(one.line, one.name))
    try:
        TopologicalSorter(calls).prepare()
    except CycleError as error:
        circle = error.args[1][::-1]  # reversed, to list callers first
        steps = [calls[caller][called] for caller, called in pairwise(circle)]
        yield "a circle: " + " → ".join(map(str, circle)) + "\n    " + "\n    ".join(steps)


def every_domain_is_in_the_table_of_contents(tree: Tree) -> Iterator[str]:
    """A domain that is not listed is never loaded."""
    for place in sorted(tree.places - contents_of(tree)):
        yield f"handlers/{place.system}/{place.domain}: SYSTEMS does not name it"


def contents_of(tree: Tree) -> set[Place]:
    """The domains that `SYSTEMS` of `handlers/__init__.py` names."""
    for module in tree.modules:
        for node in module.tree.body if module.name == "handlers" else ():
            if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "SYSTEMS":
                named = ast.literal_eval(node.value).items()
                return {Place(system, domain) for system, domains in named for domain in domains}
    return set()


def every_module_of_a_domain_is_loaded(tree: Tree) -> Iterator[str]:
    """Loaded by an import, as a part that registers something, or in the sandbox."""
    named = {one.name for module in tree.modules for one in module.imports}
    loaded = named | {name.rpartition(".")[0] for name in named} | set(READERS)
    for module in tree.modules:
        if module.place is None or module.name == module.place.package:
            continue
        part = module.name.removeprefix(f"{module.place.package}.").partition(".")[0]
        inside = any(name.startswith(f"{module.name}.") for name in loaded)
        if part not in (*PARTS, DEMO) and module.name not in loaded and not inside:
            yield module.at(1, "nothing imports it")


def every_folder_is_a_package(tree: Tree) -> Iterator[str]:
    """The search for tables and domains ignores a folder without an `__init__.py`."""
    packages = {module.file.parent for module in tree.modules if module.is_package}
    for module in tree.modules:
        alone = module.file.parent not in packages and "migrations" not in module.path.split("/")
        if module.layer in ("handlers", "storage") and alone:
            yield module.at(1, "its folder has no __init__.py")


RULES: tuple[Rule, ...] = (
    the_kernel_knows_no_system,
    systems_stand_on_the_platform_alone,
    pages_stand_on_the_platform_alone,
    neighbours_are_met_at_contracts_or_public,
    tables_are_touched_by_their_domain_alone,
    tables_have_a_domain,
    everything_is_the_kernels_or_a_systems,
    contracts_import_only_what_contracts_may,
    public_calls_form_no_circle,
    every_domain_is_in_the_table_of_contents,
    every_module_of_a_domain_is_loaded,
    every_folder_is_a_package,
)


@pytest.fixture(scope="module")
def parley() -> Tree:
    return Tree(ROOT)


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.__name__)
def test_the_source_follows_the_rule(rule: Rule, parley: Tree) -> None:
    breaches = list(rule(parley))
    assert not breaches, f"{rule.__name__} is broken:\n" + "\n".join(breaches)


def test_the_rules_cover_all_systems(parley: Tree) -> None:
    assert parley.places == contents_of(parley)
    assert parley.systems == set(SYSTEMS)
    assert PLATFORM in SYSTEMS
    assert not parley.systems & KERNEL


BREACHES: dict[Rule, list[dict[str, str]]] = {
    the_kernel_knows_no_system: [
        {"handlers/kit/x.py": "import handlers.s.a", "handlers/s/a/x.py": ""},
        {"handlers/kit/x.py": "from handlers import s", "handlers/s/a/x.py": ""},
        {"storage/events/x.py": "from storage.s.a import table", "storage/s/a.py": ""},
        {"storage/engine/x.py": "from storage.s import a", "storage/s/a/rows.py": ""},
        {"rooms/x.py": "from storage.platform.a import find", "storage/platform/a.py": ""},
    ],
    systems_stand_on_the_platform_alone: [
        {"handlers/platform/a/x.py": "from handlers.s.b.public import f", "handlers/s/b/x.py": ""},
        {"handlers/s/a/x.py": "from handlers.t.b import contracts", "handlers/t/b/x.py": ""},
        {"storage/platform/a.py": "from storage.s import b", "storage/s/b.py": ""},
        {"storage/s/a/rows.py": "from storage.t.b.rows import X", "storage/t/b/rows.py": ""},
        {"handlers/s/a/x.py": "def f():\n    import handlers.t", "handlers/t/b/x.py": ""},
    ],
    pages_stand_on_the_platform_alone: [
        {"static/client/app.js": 'import { A } from "./s/pages/a.js";\n'},
        {"static/client/parts/a.js": 'import {\n  A,\n  B,\n} from "../platform/a.js";\n'},
        {"static/client/platform/a.js": 'import { A } from "../s/parts/a.js";\n'},
        {"static/client/s/pages/a.js": 'export { A } from "../../t/a.js";\n'},
        {"static/client/s/a.js": 'import "../t/a.js";\n'},
    ],
    neighbours_are_met_at_contracts_or_public: [
        {"handlers/s/a/x.py": "from handlers.s.b import service", "handlers/s/b/service.py": ""},
        {"handlers/s/a/x.py": "from handlers.s.b.service import f", "handlers/s/b/x.py": ""},
        {"handlers/s/a/x.py": "from ..b import service", "handlers/s/b/service.py": ""},
        {"handlers/s/a/x.py": "from handlers.t.a import service", "handlers/t/a/x.py": ""},
        {
            "handlers/s/a/x/y.py": "import handlers.platform.b.x",
            "handlers/platform/b/x.py": "",
        },
    ],
    tables_are_touched_by_their_domain_alone: [
        {"handlers/s/b/x.py": "from storage.s import a", "handlers/s/a/x.py": ""},
        {"handlers/s/b/x.py": "from storage.s.a.rows import find", "handlers/s/a/x.py": ""},
        {"handlers/t/a/x.py": "import storage.s.a.rows", "handlers/s/a/x.py": ""},
        {"handlers/kit/x.py": "import storage.s.a", "handlers/s/a/x.py": ""},
        {"server/x.py": "from storage.s.a import find", "handlers/s/a/x.py": ""},
        {"storage/s/ab.py": "from storage.s.a import table", "handlers/s/a/x.py": ""},
    ],
    tables_have_a_domain: [
        {"storage/s/b.py": "", "handlers/s/a/x.py": ""},
        {"storage/s/a.py": "", "handlers/t/a/x.py": ""},
        {"storage/s/a_more/rows.py": "", "handlers/s/a/x.py": ""},
    ],
    everything_is_the_kernels_or_a_systems: [{"storage/a.py": ""}, {"handlers/a.py": ""}],
    contracts_import_only_what_contracts_may: [
        {"handlers/s/a/contracts.py": "from rooms.rooms import Rooms"},
        {"handlers/s/a/contracts/x.py": "from handlers.s.a import service"},
        {"handlers/s/a/contracts.py": "import sqlalchemy"},
    ],
    public_calls_form_no_circle: [
        {
            "handlers/s/a/service.py": "from handlers.s.b import public",
            "handlers/s/b/public.py": "from handlers.platform.c.public import f",
            "handlers/platform/c/consumers.py": "import handlers.s.a.public",
        },
        {
            "handlers/s/a/x.py": "from handlers.t.a.public import f",
            "handlers/t/a/x.py": "from handlers.s.a import public",
        },
    ],
    every_domain_is_in_the_table_of_contents: [
        {"handlers/s/a/x.py": ""},
        {"handlers/s/b/x.py": "", "handlers/__init__.py": "SYSTEMS = {'s': (), 't': ('b',)}"},
    ],
    every_module_of_a_domain_is_loaded: [
        {"handlers/s/a/x.py": "", "handlers/s/a/commands.py": "from handlers.s.a import y"},
        {"handlers/s/a/service/x.py": "", "handlers/s/b/x.py": "import handlers.s.b.x"},
    ],
    every_folder_is_a_package: [
        {"storage/s/a/x.py": "", "storage/s/__init__.py": ""},
        {"handlers/s/a/x.py": "", "handlers/s/__init__.py": ""},
    ],
}


@pytest.mark.parametrize(
    ("rule", "files"),
    [(rule, files) for rule, trees in BREACHES.items() for files in trees],
    ids=[f"{rule.__name__}-{n}" for rule, trees in BREACHES.items() for n in range(len(trees))],
)
def test_a_violation_is_found(rule: Rule, files: dict[str, str], tmp_path: Path) -> None:
    (breach,) = rule(planted(files, tmp_path))
    first = next(iter(files))
    assert breach.startswith((first, posixpath.dirname(first), "a circle: "))


def test_every_rule_has_a_sample_violation() -> None:
    assert set(BREACHES) == set(RULES)


def test_allowed_code_breaks_no_rule(tmp_path: Path) -> None:
    allowed = {
        "handlers/__init__.py": "SYSTEMS = {'platform': ('a',), 's': ('a', 'b'), 't': ('a',)}",
        "handlers/platform/a/commands.py": "from handlers.platform.a import service",
        "handlers/platform/a/service.py": "from storage.platform.a import rows",
        "handlers/platform/a/public.py": "from handlers.platform.a.service import f",
        "handlers/platform/a/contracts.py": "from handlers.kit.contract import View",
        "handlers/s/a/contracts.py": "from handlers.platform.a.contracts import A\nimport msgspec",
        "handlers/s/a/commands.py": "from handlers.s.b import public\nimport storage.s.a",
        "handlers/s/b/public.py": "from handlers.platform.a import public\nfrom storage.s import b",
        "handlers/s/b/contracts.py": "from handlers.s.a.contracts import A",
        "handlers/t/a/commands.py": "from handlers.platform.a import public",
        "server/app.py": "from handlers import SYSTEMS\nfrom handlers.s.a import service",
        "storage/engine/schema.py": "import storage",
        "storage/platform/a/rows.py": "from storage.platform.a.more import table",
        "storage/platform/a/more.py": "from storage.events import log",
        "storage/s/a.py": "from storage.engine import columns",
        "storage/s/b.py": "",
        "static/client/app.js": 'import { A } from "./parts/a.js";\nimport("./s/b.js");',
        "static/client/s/b.js": 'import { B } from "../platform/parts/b.js";\n',
    }
    folders = {posixpath.dirname(path) for path in allowed if path.endswith(".py")}
    above = {posixpath.dirname(folder) for folder in folders} - {""}
    allowed |= {f"{folder}/__init__.py": "" for folder in {*folders, *above} - {"handlers"}}
    tree = planted(allowed, tmp_path)
    assert [breach for rule in RULES for breach in rule(tree)] == []
