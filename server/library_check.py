"""Checks, at import, that an installed library still has the private parts that we rely on.

A release may change what a library does not document without a word. So each library whose private
parts are used has one module, `server/<library>_internals.py`, which is the only one that touches
them. It lists them and checks them before it uses them, and its library has an upper bound in
requirements.in: the next minor release. Patch releases, which bring security fixes, are within it.

To take a newer minor release: read what changed in the parts listed, raise the bound and
`LOOKED_AT`, run `make lock`, then the tests of `tests/server`.
"""

import inspect
from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module, metadata
from typing import Any


class LibraryChanged(ImportError):
    """An installed library lacks something that this server relies on."""


@dataclass(frozen=True)
class Part:
    """Something of a library, in words, and what finds out whether it is still so."""

    what: str
    holds: Callable[[], bool]


def has(path: str) -> Part:
    """A name that exists: `package.module:Class.attribute`."""
    return Part(path, lambda: find(path) is not None)


def takes(path: str, *parameters: str) -> Part:
    """A function with exactly these parameters, `self` included."""
    return Part(
        f"{path}({', '.join(parameters)})",
        lambda: tuple(inspect.signature(find(path)).parameters) == parameters,
    )


def find(path: str) -> Any:
    """What `package.module:Class.attribute` names; raises ImportError or AttributeError."""
    module, _, names = path.partition(":")
    found: Any = import_module(module)
    for name in names.split("."):
        found = getattr(found, name)
    return found


def check_library(name: str, looked_at: str, *parts: Part) -> None:
    """Raise LibraryChanged unless the library `name` has all `parts`, as version `looked_at` has.

    `name` is the distribution's. Whatever a check raises means that its part is not as expected.
    """
    missing, cause = [], None
    for part in parts:
        try:
            holds = part.holds()
        except Exception as raised:
            holds, cause = False, cause or raised
        if not holds:
            missing.append(part.what)
    if missing:
        raise LibraryChanged(
            f"{name} {metadata.version(name)} lacks what this server uses of {looked_at}: "
            f"{'; '.join(missing)}. Install the version in requirements.lock."
        ) from cause
