"""The page's own files: kept in memory, and by browsers under paths that name their version.

The page is some hundred modules. Browsers ask for kept ones once a version and not at each visit;
otherwise an office that opens the page at once would use up the rate of its address.

Invariants:
- A file is read again when it has another size or time of change, so that nobody restarts the
  server for an edit.
- What is kept is bounded by the files that there are.
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
"""To look at all files takes a millisecond: too long to do it for each request."""
_VERSIONED = re.compile(r"([0-9a-f]{16})/(.+)")

Seen = tuple[tuple[str, int, int], ...]
"""The files by name, size and time of change."""


def versioned(page: str) -> str:
    """The page, which asks for its files by the version that they have now."""
    return page.replace('"/client/', f'"/client/{version()}/')


def find(path: str) -> tuple[Path, str] | None:
    """The file behind a path below `/client/`, and its Cache-Control; None when there is none.

    Another version's path has what is here now, for this visit only: instances are renewed one
    after the other.
    """
    named = _VERSIONED.fullmatch(path)
    rest = named[2] if named else path
    try:
        file = (CLIENT / rest).resolve(strict=True)
    except (OSError, ValueError):  # there is none, and some names can be none's
        return None
    if not file.is_relative_to(CLIENT) or not file.is_file():
        return None
    return file, KEPT if named and named[1] == version() else ASKED_EACH_TIME


def parts_of(systems: Iterable[str]) -> list[str]:
    """What the page loads at its start: the systems, and their domains that have a `domain.js`."""
    found = []
    for system in sorted(systems):
        own = sorted(file.parent.name for file in (CLIENT / system).glob("*/domain.js"))
        found += [system, *(f"{system}/{domain}" for domain in own)]
    return found


def version() -> str:
    """A hash of the names and contents of all files, as they were a moment ago at most."""
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
    """Its time of change in nanoseconds, and its size."""
    content: bytes
    etag: str


class PageFiles:
    """One an instance."""

    def __init__(self) -> None:
        self._read: dict[Path, PageFile] = {}

    def answer(
        self, request: web.Request, path: Path, content_type: str, cache_control: str
    ) -> web.Response:
        """The file, or 304 when the browser has it already; raises OSError when it is gone."""
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
