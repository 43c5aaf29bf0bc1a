"""Imports every module of `storage`, at any depth, so that the metadata knows every table.

`storage.objects` is left out: it has no tables, and its imports are slow.
"""

from importlib import import_module
from pkgutil import walk_packages

import storage

for _found in walk_packages(storage.__path__, "storage."):
    if not _found.name.startswith("storage.objects"):
        import_module(_found.name)
