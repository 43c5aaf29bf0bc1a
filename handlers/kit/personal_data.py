"""The steps of domains for personal data. Domains declare them; the platform runs them.

A deletion is first **planned**. Some weeks later the account is **closed** and **erased**, unless
its owner **restores** it before. An **export** gives its owner all the data stored about them.
Tables declare what an erasure does to their rows (`storage/engine/personal.py`). A domain declares
further steps in `handlers/<system>/<domain>/personal.py`:

    @booking.personal_data.erase(Stage.AGREEMENTS)
    def call_off_bookings(tx: Transaction, user_id: str, after: str, limit: int) -> str | None:
        "Cancel all open bookings."

All steps also run for a domain that is not served: its stored data is still personal data.
"""

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from enum import IntEnum
from typing import Any, NamedTuple, TypeVar

import msgspec

from handlers.kit.kept_json import KeptClasses, Steps
from handlers.kit.transaction import Transaction
from handlers.kit.uniqueness import WrongDeclaration

F = TypeVar("F", bound=Callable[..., Any])
Rows = list[dict[str, Any]]


class Stage(IntEnum):
    """The order in which steps run.

    Within a stage, steps run in the order of the domains in `handlers/__init__.py`, and within a
    domain in the order of their declaration.
    """

    AGREEMENTS = 1
    """What other people rely on, such as bookings."""
    REQUESTS = 2
    """What the person waits for, such as places on waiting lists."""
    CONTENT = 3
    """What they wrote, and the things they took part in."""
    FILES = 4
    """Their uploads, once nothing refers to them."""
    ROWS = 5
    """The rows that the declarations of tables cover."""
    COPIES = 6
    """Stored copies of their data in what other people received."""


OfAccount = Callable[[Transaction, str], None]
"""Does all of its work for the user with this id, in the given transaction."""
Withdraw = Callable[[Transaction, str, int], int]
"""Withdraws at most `limit` things of a user; returns how many, 0 when none are left."""
Erase = Callable[[Transaction, str, str, int], str | None]
"""Erases at most `limit` things of a user, after the cursor of the last call ("" at first).

Returns the next cursor, or None at the end. It may run again from any cursor, so it must find by
itself what is left."""
ListRows = Callable[[Transaction, str, str, int], tuple[Rows, str | None]]
"""A page of a user's rows for an export after a cursor, and the next cursor or None."""


class ExportedFile(NamedTuple):
    """A file in an export: its path there, and the key of the object with its content."""

    path: str
    key: str


ListFiles = Callable[[Transaction, str, str, int], tuple[list[ExportedFile], str | None]]


@dataclass(frozen=True)
class Step:
    """A step of a withdrawal or an erasure; events store its name."""

    name: str
    stage: Stage
    run: Callable[..., Any]


@dataclass(frozen=True)
class ExportedRows:
    """A JSON file of an export that a domain writes, in addition to the files of its tables."""

    file: str
    description: str
    list_page: ListRows


@dataclass(frozen=True)
class ExportedFiles:
    """Files of an export; `count` returns how many a user has, for the progress."""

    count: Callable[[Transaction, str], int]
    list_page: ListFiles


def more(done: int, limit: int) -> str | None:
    """The result of a step that needs no cursor: it is finished once it did fewer than `limit`."""
    return "more" if done >= limit else None


@dataclass
class PersonalData:
    """The declarations of one domain."""

    planned: list[OfAccount] = field(default_factory=list)
    restored: list[OfAccount] = field(default_factory=list)
    holds: list[Callable[[Transaction, str], bool]] = field(default_factory=list)
    closing: list[OfAccount] = field(default_factory=list)
    closed: list[OfAccount] = field(default_factory=list)
    withdrawals: list[tuple[Stage, Withdraw]] = field(default_factory=list)
    erasures: list[tuple[Stage, Erase]] = field(default_factory=list)
    exported_rows: list[ExportedRows] = field(default_factory=list)
    exported_files: list[ExportedFiles] = field(default_factory=list)
    dropped_files: list[Callable[[Transaction, str, list[str]], None]] = field(default_factory=list)
    related_ids: list[Callable[[Transaction, str], Collection[str]]] = field(default_factory=list)

    def on_planned(self, run: F) -> F:
        """Register a hook in the transaction that plans a deletion: `run(tx, user_id)`."""
        self.planned.append(run)
        return run

    def on_restored(self, run: F) -> F:
        """Register a hook in the transaction that restores the account: `run(tx, user_id)`."""
        self.restored.append(run)
        return run

    def withdraw(self, stage: Stage) -> Callable[[F], F]:
        """Register what is withdrawn, in pages, once a deletion is planned (`Withdraw`)."""

        def register(run: F) -> F:
            self.withdrawals.append((stage, run))
            return run

        return register

    def hold_erasure(self, run: F) -> F:
        """Register a check that delays the erasure while `run(tx, user_id)` is true.

        It runs when the account is due and then once a day. Meanwhile the owner can still restore
        the account.
        """
        self.holds.append(run)
        return run

    def on_closing(self, run: F) -> F:
        """Register a hook in the transaction that closes the account: `run(tx, user_id)`.

        It runs before the user's own row, address and sign-in methods are deleted.
        """
        self.closing.append(run)
        return run

    def on_closed(self, run: F) -> F:
        """Register a hook in the same transaction, after these are deleted: `run(tx, user_id)`."""
        self.closed.append(run)
        return run

    def erase(self, stage: Stage) -> Callable[[F], F]:
        """Register what is erased, in pages, once the account is closed (`Erase`)."""

        def register(run: F) -> F:
            self.erasures.append((stage, run))
            return run

        return register

    def export_rows(self, file: str, description: str) -> Callable[[F], F]:
        """Register a JSON file of an export: a `ListRows`, and its description for the README."""

        def register(run: F) -> F:
            self.exported_rows.append(ExportedRows(file, description, run))
            return run

        return register

    def export_files(self, count: Callable[[Transaction, str], int]) -> Callable[[F], F]:
        """Register files of an export: a `ListFiles`, and a function that counts them."""

        def register(run: F) -> F:
            self.exported_files.append(ExportedFiles(count, run))
            return run

        return register

    def on_files_dropped(self, run: F) -> F:
        """Register a hook for uploads deleted with their owner: `run(tx, user_id, upload_ids)`.

        It runs in the transaction that deletes the uploads and removes all references to them.
        """
        self.dropped_files.append(run)
        return run

    def find_related_ids(self, run: F) -> F:
        """Register a source of other ids under which stored JSON has personal fields of a person.

        `run(tx, user_id)` returns the ids of things that this person alone named, such as groups.
        """
        self.related_ids.append(run)
        return run


class AllPersonalData:
    """The declarations of all domains, in the order in which they run.

    `answers` are the views of commands by `<namespace> <command>`, `steps` the classes of what
    their steps give, `cards` the views by card kind.
    Raises WrongDeclaration when two steps or two files have the same name.
    """

    def __init__(
        self,
        domains: Iterable[tuple[str, PersonalData]],
        answers: Mapping[str, Any],
        cards: Mapping[str, type[msgspec.Struct]],
        steps: Mapping[str, Steps] | None = None,
    ) -> None:
        named = list(domains)
        parts = [part for _, part in named]
        self.planned = [one for part in parts for one in part.planned]
        self.restored = [one for part in parts for one in part.restored]
        self.holds = [one for part in parts for one in part.holds]
        self.closing = [one for part in parts for one in part.closing]
        self.closed = [one for part in parts for one in part.closed]
        self.withdrawals = _in_order((name, part.withdrawals) for name, part in named)
        self.erasures = _in_order((name, part.erasures) for name, part in named)
        self.exported_rows = [one for part in parts for one in part.exported_rows]
        self.exported_files = [one for part in parts for one in part.exported_files]
        self.dropped_files = [one for part in parts for one in part.dropped_files]
        self._related_ids = [one for part in parts for one in part.related_ids]
        _check_unique("file of an export", (one.file for one in self.exported_rows))
        self.kept = KeptClasses(answers, cards, steps)

    def find_related_ids(self, tx: Transaction, user_id: str) -> set[str]:
        """All ids, other than their own, under which stored JSON has personal fields of this
        person."""
        return {one for find in self._related_ids for one in find(tx, user_id)}


def _in_order(declared: Iterable[tuple[str, list[tuple[Stage, Any]]]]) -> dict[str, Step]:
    """All steps by name, in the order in which they run."""
    steps = [
        Step(f"{domain}.{run.__name__}", stage, run)
        for domain, found in declared
        for stage, run in found
    ]
    _check_unique("step", (step.name for step in steps))
    return {step.name: step for step in sorted(steps, key=lambda step: step.stage)}


def _check_unique(what: str, names: Iterator[str]) -> None:
    seen: set[str] = set()
    for name in names:
        if name in seen:
            raise WrongDeclaration(f"two domains declare the {what} {name}")
        seen.add(name)
