"""Serves the page's files from memory, under versioned paths that browsers cache.

The page has about a hundred modules. Browsers request them once for each version, not at each
visit; otherwise an office that opens the page at once would use up the rate of its address.

Invariants:
- A file is read again if its size or modification time changes, so that an edit needs no restart.
- Memory is bounded by the number of existing files.
"""

import hashlib
import re
import time
from collections.abc import Iterable, Iterator
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

from aiohttp import ETag, web

CLIENT = Path(__file__).parent.parent / "static" / "client"
KEPT = "public, max-age=31536000, immutable"
ASKED_EACH_TIME = "no-cache"
LOOKS_EVERY_S = 1.0
"""Checking all files takes a millisecond, which is too long for each request."""
_VERSIONED = re.compile(r"([0-9a-f]{16})/(.+)")

Seen = tuple[tuple[str, int, int], ...]
"""The files with name, size and modification time."""


def versioned(page: str) -> str:
    """The page with the current version in the paths of its files."""
    return page.replace('"/client/', f'"/client/{version()}/')


def find(path: str) -> tuple[Path, str] | None:
    """The file for a path below `/client/`, and its Cache-Control; None if it does not exist.

    A path with another version gets the current file, uncached: during a rolling update, instances
    have different versions.
    """
    named = _VERSIONED.fullmatch(path)
    rest = named[2] if named else path
    try:
        file = (CLIENT / rest).resolve(strict=True)
    except (OSError, ValueError):  # it does not exist, or the name is not valid
        return None
    if not file.is_relative_to(CLIENT) or not file.is_file():
        return None
    return file, KEPT if named and named[1] == version() else ASKED_EACH_TIME


def parts_of(systems: Iterable[str]) -> list[str]:
    """The parts that the page loads first: systems, and their domains with a `domain.js`."""
    found = []
    for system in sorted(systems):
        own = sorted(file.parent.name for file in (CLIENT / system).glob("*/domain.js"))
        found += [system, *(f"{system}/{domain}" for domain in own)]
    return found


def version() -> str:
    """A hash of the names and contents of all files, at most `LOOKS_EVERY_S` old."""
    return _version_at(int(time.monotonic() / LOOKS_EVERY_S))


@lru_cache(maxsize=1)
def _version_at(period: int) -> str:
    return _version_of(tuple(_look()))


def _look() -> Iterator[tuple[str, int, int]]:
    for file in sorted(CLIENT.rglob("*")):
        if file.is_file():
            about = file.stat()
            yield file.relative_to(CLIENT).as_posix(), about.st_size, about.st_mtime_ns


@lru_cache(maxsize=1)
def _version_of(seen: Seen) -> str:
    digest = hashlib.sha256()
    for name, _, _ in seen:
        content = (CLIENT / name).read_bytes()
        digest.update(f"{name} {len(content)}\n".encode() + content)
    return digest.hexdigest()[:16]


class PageFile(NamedTuple):
    """A file as it was last read."""

    version: tuple[int, int]
    """Modification time in nanoseconds, and size in bytes."""
    content: bytes
    etag: str


class PageFiles:
    """The cached files of one instance."""

    def __init__(self) -> None:
        self._read: dict[Path, PageFile] = {}

    def answer(
        self, request: web.Request, path: Path, content_type: str, cache_control: str
    ) -> web.Response:
        """The file, or 304 if the browser has it; raises OSError if the file is gone."""
        file = self._find(path)
        asked = request.if_none_match or ()
        known = any(tag.value in (file.etag, "*") for tag in asked)
        response = web.Response(status=304) if known else web.Response(body=file.content)
        response.headers["Content-Type"] = f"{content_type}; charset=utf-8"
        response.headers["Cache-Control"] = cache_control
        response.etag = ETag(file.etag)
        return response

    def _find(self, path: Path) -> PageFile:
        about = path.stat()
        version, file = (about.st_mtime_ns, about.st_size), self._read.get(path)
        if file is None or file.version != version:
            content = path.read_bytes()
            etag = hashlib.sha256(content).hexdigest()[:32]
            file = self._read[path] = PageFile(version, content, etag)
        return file
