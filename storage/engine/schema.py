"""Imports every module of this package, so that the metadata knows every table."""

from importlib import import_module
from pathlib import Path
from pkgutil import iter_modules

for _found in iter_modules([str(Path(__file__).parent)]):
    if not _found.ispkg:
        import_module(f"storage.{_found.name}")
