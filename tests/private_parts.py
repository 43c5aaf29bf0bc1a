"""Finds uses of private names and undocumented modules of libraries in source code."""

import ast
import inspect
import re
import sys
from collections.abc import Iterator
from importlib import import_module
from typing import Any

OWN = {"run", "server", "handlers", "rooms", "storage", "tests"}
UNDOCUMENTED = (
    "aiohttp.base_protocol",
    "aiohttp.http",
    "aiohttp.http_exceptions",
    "aiohttp.http_parser",
    "aiohttp.http_websocket",
    "aiohttp.http_writer",
    "aiohttp.web.RequestHandler",
    "aiohttp.web_protocol",
    "engineio.async_drivers",
    "engineio.async_server",
    "engineio.async_socket",
    "engineio.base_server",
    "engineio.base_socket",
    "engineio.packet",
    "engineio.payload",
)
"""Undocumented modules and names without an underscore."""
DOCUMENTED = {"_asdict", "_fields", "_getframe", "_make", "_replace"}
"""Names with an underscore that Python documents, of named tuples and `sys`."""
Found = Iterator[tuple[int, str, str]]
"""The line, the library ("" if the source does not tell it), and the private name."""


def private_uses(tree: ast.Module, imported: list[tuple[str, int]]) -> Found:
    """All private uses of a module; `imported` has the dotted names of its imports, with lines."""
    yield from _of_imports(imported)
    names = _names_of(tree)
    yield from _of_attributes(tree, names)
    for node in ast.walk(tree):
        if isinstance(node, ast.ClassDef):
            yield from _of_bases(node, names)


def _of_imports(imported: list[tuple[str, int]]) -> Found:
    for name, line in imported:
        if _is_library(name) and (any(map(is_private, name.split("."))) or _is_listed(name)):
            yield line, name.split(".")[0], name


def _of_attributes(tree: ast.Module, names: dict[str, str]) -> Found:
    """Private attributes of objects other than `self`, unless the module itself defines them."""
    own = _defined(tree) | DOCUMENTED
    for node in ast.walk(tree):
        if not isinstance(node, ast.Attribute):
            continue
        first, *rest = ast.unparse(node).split(".")
        name = ".".join([names.get(first, first), *rest])
        elsewhere = node.attr not in own and first not in ("self", "cls")
        if _is_listed(name) or (is_private(node.attr) and elsewhere):
            yield node.lineno, name.split(".")[0] if first in names else "", name


def _of_bases(node: ast.ClassDef, names: dict[str, str]) -> Found:
    """Private names of the library classes from which a class is derived."""
    for base in node.bases:
        first, *rest = ast.unparse(base).split(".")
        cls = _resolve(".".join([names.get(first, first), *rest]))
        kept: dict[str, type] = {}
        for one in inspect.getmro(cls) if inspect.isclass(cls) else ():
            if _is_library(one.__module__):
                kept |= dict.fromkeys(private_names(one), one)
        for name, line in _mentioned(node):
            if name in kept:
                owner = kept[name]
                yield line, owner.__module__.split(".")[0], f"{owner.__name__}.{name}"


def private_names(cls: type) -> set[str]:
    """The private attributes of a class, including those that its methods set on instances."""
    found = {name for name in vars(cls) if is_private(name)}
    try:
        source = inspect.getsource(cls)
    except (OSError, TypeError):  # a compiled class
        return found
    return found | set(re.findall(r"self\.(_[a-z]\w*)", source))


def _mentioned(node: ast.ClassDef) -> Iterator[tuple[str, int]]:
    for one in ast.walk(node):
        if isinstance(one, ast.Attribute) and ast.unparse(one.value) in ("self", "super()"):
            yield one.attr, one.lineno
        elif isinstance(one, ast.FunctionDef | ast.AsyncFunctionDef):
            yield one.name, one.lineno


def _names_of(tree: ast.Module) -> dict[str, str]:
    """The full dotted name of each imported name."""
    names = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                full = alias.name if alias.asname else alias.name.split(".")[0]
                names[alias.asname or full] = full
        elif isinstance(node, ast.ImportFrom) and not node.level:
            for alias in node.names:
                names[alias.asname or alias.name] = f"{node.module}.{alias.name}"
    return names


def _defined(tree: ast.Module) -> set[str]:
    """The private names that a module defines for functions, classes and instances."""
    found = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            found.add(node.name)
        elif isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Store):
            if ast.unparse(node.value) == "self":
                found.add(node.attr)
        elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            found.add(node.id)
    return {name for name in found if is_private(name)}


def _resolve(name: str) -> Any:
    """The object with a dotted name, or None if it cannot be imported."""
    parts = name.split(".")
    for length in range(len(parts) - 1, 0, -1):
        try:
            found: Any = import_module(".".join(parts[:length]))
        except ImportError:
            continue
        for part in parts[length:]:
            found = getattr(found, part, None)
        return found
    return None


def is_private(name: str) -> bool:
    return name.startswith("_") and not name.startswith("__")


def _is_library(name: str) -> bool:
    root = name.split(".")[0]
    return root not in OWN and root not in sys.stdlib_module_names


def _is_listed(name: str) -> bool:
    return any(name == one or name.startswith(one + ".") for one in UNDOCUMENTED)
