"""Checks at import that an installed library still has the private parts that we rely on.

A release may change undocumented parts without notice. So each library whose private parts we use
has one module, `server/<library>_internals.py`, which alone uses them. It lists and checks them
first. In requirements.in, the library has the next minor release as its upper bound, so that patch
releases with security fixes are allowed.

To upgrade to a newer minor release, read what changed in the listed parts, raise the bound and
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
    """A part of a library: its description, and a function that checks it."""

    what: str
    holds: Callable[[], bool]


def has(path: str) -> Part:
    """Checks that a name, `package.module:Class.attribute`, exists."""
    return Part(path, lambda: find(path) is not None)


def takes(path: str, *parameters: str) -> Part:
    """Checks that a function has exactly these parameters, including `self`."""
    return Part(
        f"{path}({', '.join(parameters)})",
        lambda: tuple(inspect.signature(find(path)).parameters) == parameters,
    )


def find(path: str) -> Any:
    """The object at `package.module:Class.attribute`; raises ImportError or AttributeError."""
    module, _, names = path.partition(":")
    found: Any = import_module(module)
    for name in names.split("."):
        found = getattr(found, name)
    return found


def check_library(name: str, looked_at: str, *parts: Part) -> None:
    """Raise LibraryChanged unless the installed distribution `name` has all `parts`.

    `looked_at` is the reviewed version. A check fails if it returns False or raises anything.
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
