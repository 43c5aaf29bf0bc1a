"""A domain's exceptions to the rules for queries and waits.

`tests/<system>/<domain>/bounds.py` defines these tables if the domain needs them. Queries are named
by function or statement below `storage.<system>.<domain>`, waits by file and function below
`handlers/<system>/<domain>`:

- `BOUNDED`: why a query without a LIMIT returns few rows, however long an installation runs;
- `SCANNED`: why a statement does not need an index;
- `OF_ONE`: the only database whose SQL dialect a statement uses;
- `WAITS`: what ends a wait without a timeout.
"""

from collections.abc import Iterator
from importlib import import_module
from importlib.util import find_spec

from handlers import SYSTEMS

BY_IDS = "at most one row for each requested id"


def queries_of_domains(table: str) -> dict[str, str]:
    """`BOUNDED`, `SCANNED` or `OF_ONE` of all domains, by names below `storage`."""
    return {
        f"{system}.{domain}.{name}": said
        for system, domain in _domains()
        for name, said in _declared(system, domain, table).items()
    }


def waits_of_domains() -> dict[str, str]:
    """`WAITS` of all domains, by file and function."""
    return {
        f"handlers/{system}/{domain}/{name}": said
        for system, domain in _domains()
        for name, said in _declared(system, domain, "WAITS").items()
    }


def _domains() -> Iterator[tuple[str, str]]:
    for system, domains in SYSTEMS.items():
        yield from ((system, domain) for domain in domains)


def _declared(system: str, domain: str, table: str) -> dict[str, str]:
    package = f"tests.{system}.{domain}"
    if find_spec(package) is None or find_spec(f"{package}.bounds") is None:
        return {}
    declared: dict[str, str] = getattr(import_module(f"{package}.bounds"), table, {})
    return declared
