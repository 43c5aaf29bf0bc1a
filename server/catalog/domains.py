"""Generates `docs/DOMAINS.md`: every domain with its purpose and the domains that it calls."""

import ast
from collections.abc import Iterator
from pathlib import Path

from handlers.kit.domain import Domain
from handlers.kit.registry import Registry
from server.catalog.vocabulary import purpose_of

HANDLERS = Path(__file__).parents[2] / "handlers"
HEAD = """\
# The domains

`make catalog` generates this page from the packages in `handlers/`; do not edit it.

A domain may call another domain's `public.py` inside its own transaction. Otherwise, domains
communicate only by events. The last column names a domain of another system with that system."""


def write_domains(registry: Registry) -> str:
    """The page, with a table for each system, in the order of the registry."""
    systems = dict.fromkeys(domain.system for domain in registry.domains)
    parts = [HEAD, *(_table(registry, system) for system in systems)]
    return "\n\n".join(parts) + "\n"


def _table(registry: Registry, system: str) -> str:
    lines = [
        f"| {system} domain | purpose | calls in its transactions |",
        "|---|---|---|",
    ]
    for domain in registry.domains:
        if domain.system == system:
            called = sorted(_names_of(domain, registry))
            calls = ", ".join(f"`{name}`" for name in called)
            purpose = purpose_of(domain).replace("|", "\\|")
            lines.append(f"| `{domain.name}` | {purpose} | {calls} |")
    return "\n".join(lines)


def _names_of(domain: Domain, registry: Registry) -> Iterator[str]:
    """The domains that `domain` calls, each once."""
    imported = set(_imports_of(HANDLERS / domain.system / domain.name))
    for other in registry.domains:
        if other is not domain and f"handlers.{other.key}.public" in imported:
            yield other.name if other.system == domain.system else other.key


def _imports_of(folder: Path) -> Iterator[str]:
    """The names that the modules of a folder import: `a.b` and `a.b.c` of `from a.b import c`."""
    for file in folder.rglob("*.py"):
        for node in ast.walk(ast.parse(file.read_text())):
            if isinstance(node, ast.Import):
                yield from (name.name for name in node.names)
            elif isinstance(node, ast.ImportFrom) and node.module:
                yield node.module
                yield from (f"{node.module}.{name.name}" for name in node.names)
