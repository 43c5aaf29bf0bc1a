"""A copy of the source, so that nobody's files change."""

import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import cache_from_source
from pathlib import Path
from tempfile import TemporaryDirectory

from tests.mutants.mutant import Mutant

LINKED = (".venv", "node_modules")
"""What is installed, and no part of the source."""


@contextmanager
def copied(root: Path) -> Iterator[Path]:
    """The folder of a copy of what is in `root` now: all files that git does not ignore."""
    with TemporaryDirectory(prefix="parley-mutants-") as name:
        folder = Path(name)
        folder.chmod(0o755)  # servers that drop root start in it
        for path in list_files(root):
            (folder / path).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(root / path, folder / path)
        for link in LINKED:
            (folder / link).symlink_to((root / link).resolve())
        yield folder


def list_files(root: Path) -> list[str]:
    """The paths of the files of `root`, also those that are not committed yet."""
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=root,
        check=True,
        capture_output=True,
        text=True,
    )
    paths = [path for path in listed.stdout.split("\0") if path]
    return [path for path in paths if (root / path).is_file()]


@contextmanager
def applied(mutant: Mutant, folder: Path) -> Iterator[None]:
    """The copy has this mutant, and none afterwards."""
    file = folder / mutant.file
    whole = file.read_text()
    _write(file, mutant.applied_to(whole))
    try:
        yield
    finally:
        _write(file, whole)


def _write(file: Path, text: str) -> None:
    """Write the file, without what Python compiled of it: that is only checked by the second."""
    file.write_text(text)
    if file.suffix == ".py":
        Path(cache_from_source(str(file))).unlink(missing_ok=True)
