"""How domains parse untrusted bytes: with pure functions that run in a confined process.

This module imports almost nothing, because the confined process imports it too.
"""

from collections.abc import AsyncIterator, Callable
from typing import Any, NamedTuple, Protocol, TypeVar

R = TypeVar("R")
THREADED: set[str] = set()
"""The readers marked with `needs_threads`, by module and name."""


class Unreadable(Exception):
    """These bytes cannot be parsed at an acceptable cost; the text gives the reason in plain
    words."""


class Streamed(NamedTuple):
    """A stream of bytes: `chunks` yields exactly `size` bytes, in order."""

    size: int
    chunks: AsyncIterator[bytes]


def needs_threads(read: Callable[..., R]) -> Callable[..., R]:
    """Mark a reader whose decoder starts threads: it runs in a process that may do so."""
    THREADED.add(f"{read.__module__}.{read.__name__}")
    return read


class Sandbox(Protocol):
    """Runs one parser at a time, isolated from the server's memory, files and secrets."""

    async def run(
        self, person_id: str, read: Callable[..., R], content: bytes | Streamed, *args: Any
    ) -> R:
        """The result of `read(content, *args)`, run when it is this person's turn.

        `read` is a function of a module in `READERS` (`handlers/__init__.py`), with an annotated
        return type. `args` and the result must be values that MessagePack can carry. Raises what
        `chunks` raises; Unreadable; RateLimited when too many files of this person are waiting; and
        Unavailable when too many files are waiting in all, or the process cannot run.
        """
        ...
