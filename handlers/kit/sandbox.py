"""How domains have strangers' bytes read: by pure functions that run in a confined process.

It imports next to nothing, for that process imports it too.
"""

from collections.abc import AsyncIterator, Callable
from typing import Any, NamedTuple, Protocol, TypeVar

R = TypeVar("R")


class Unreadable(Exception):
    """These bytes cannot be read, or not at a bearable cost; its text says why in plain words."""


class Streamed(NamedTuple):
    """Bytes that are not in memory: exactly `size` of them come, in order, as `chunks`."""

    size: int
    chunks: AsyncIterator[bytes]


class Sandbox(Protocol):
    """Runs one reader at a time, away from the server's memory, files and secrets."""

    async def run(
        self, person_id: str, read: Callable[..., R], content: bytes | Streamed, *args: Any
    ) -> R:
        """The result of `read(content, *args)`, once it is this person's turn.

        `read` is a function of a module that `server/sandbox` lists, annotated with what it
        returns; `args` and the result are what MessagePack can carry. Raises what `chunks`
        raises; Unreadable; RateLimited when too many files of this person wait already; and
        Unavailable when too many files wait in all, or the process cannot run.
        """
        ...
